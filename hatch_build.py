"""What a wheel holds: one top-level package, ``finflows``, with all rooms inside.

In the checkout the rooms stand side by side and import one another by their names (``from
tasks.preparation import ...``). Installed like that, they would put packages called ``tasks`` and
``flows`` into other people's environments. So a wheel has them below ``finflows``, and its imports
say so. A test reads all imports of a built wheel, and trains with it.
"""

import re
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "finflows"
ROOMS = ("use_cases", "modelling", "expectations", "tasks", "flows")
_ROOM = rf"(?:{'|'.join(ROOMS)})\b"
# An import, in a statement or in code that is the text of a string.
FROM = re.compile(rf"\bfrom (?={_ROOM}[\w.]* import\b)")
IMPORT = re.compile(rf"^(\s*import )(?={_ROOM})", re.MULTILINE)
NAME = re.compile(rf'"({_ROOM}(?:\.\w+)+)"')  # of a module, as a string
# What a draft imports has the same name everywhere, so that its file can go into a checkout.
WORDS = {"modelling.declaration": f"{PACKAGE}.declaration"}


class OnePackage(BuildHookInterface):  # type: ignore[type-arg]
    """Places the rooms below one package in a wheel; an editable install is left alone."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before a wheel is built."""
        if version == "editable":
            return
        self.folder = Path(mkdtemp(prefix="finflows-wheel-"))
        write_package(Path(self.root), self.folder / PACKAGE)
        build_data["force_include"][str(self.folder / PACKAGE)] = PACKAGE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Called by hatchling after a wheel is built."""
        if version != "editable":
            shutil.rmtree(self.folder)


def write_package(root: Path, package: Path) -> None:
    """Write the rooms of the checkout ``root`` as one package into the new folder ``package``."""
    modules = {
        path.relative_to(root).with_suffix("").as_posix().removesuffix("/__init__")
        for room in ROOMS
        for path in (root / room).rglob("*.py")
    }
    left_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / PACKAGE, package, ignore=left_out)
    for room in ROOMS:
        shutil.copytree(root / room, package / room, ignore=left_out)
    for file in package.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        file.write_text(inside_package(text, modules), encoding="utf-8")


def inside_package(text: str, modules: set[str]) -> str:
    """A module's text with the names that its imports have below the one package."""

    def named(found: re.Match[str]) -> str:
        name = found[1]
        known = name.replace(".", "/") in modules
        return f'"{WORDS.get(name, f"{PACKAGE}.{name}")}"' if known else found[0]

    text = FROM.sub(f"from {PACKAGE}.", text)
    text = IMPORT.sub(rf"\1{PACKAGE}.", text)
    return NAME.sub(named, text)
