"""The environment of a server: the requirements of its model and its own, pinned by hash, and
nothing else: no TensorFlow, no Prefect, not this project."""

import hashlib
import logging
import subprocess
import sys
import venv
from importlib.metadata import version as installed
from itertools import pairwise
from pathlib import Path

from modelling.refusals import UsageError
from tasks.registry.locked_requirements import locked_requirements

log = logging.getLogger("finflows")

SERVER_REQUIREMENTS = ("prometheus-client",)  # beside what every model needs
READY = "ready"


def server_requirements() -> str:
    """What the server needs beside the packages of every model, as lines for pip."""
    pinned = [f"{package}=={installed(package)}" for package in SERVER_REQUIREMENTS]
    return "\n".join(locked_requirements(pinned) or pinned)


def warn_without_hashes(name: str, version: str, of_model: Path) -> None:
    """Say so where a version of an earlier release lists its packages without hashes."""
    if "--hash=" not in of_model.read_text():
        log.warning(
            "%s version %s lists its packages without hashes: they are installed from the "
            "package index without a check",
            name,
            version,
        )


def environment_folder(home: Path, *lists: Path) -> Path:
    """Where the environment with these lists of requirements is, or would be."""
    digest = hashlib.sha256(b"".join(listed.read_bytes() for listed in lists)).hexdigest()[:12]
    return home / f"environment-{digest}"


def interpreter(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "bin" / "python"


def prepare_environment(home: Path, *lists: Path) -> Path:
    """The interpreter of the environment with these lists of requirements, which is built if it is
    new. Raises UsageError where they can't be installed."""
    folder = environment_folder(home, *lists)
    python = interpreter(folder)
    if (folder / READY).exists():
        return python
    venv.EnvBuilder(clear=True, symlinks=True, with_pip=False).create(folder)
    for listed in lists:  # not in one call: pip takes no list where only some have hashes
        command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
        command += ["--disable-pip-version-check", "-r", str(listed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UsageError(
                f"the requirements of the model can't be installed: {_pip_error(done.stderr)}"
            )
    (folder / READY).touch()
    return python


def _pip_error(pip_output: str) -> str:
    """The cause of an error of pip, in one line."""
    lines = [line.strip() for line in pip_output.splitlines()] or ["no message"]
    for line, following in pairwise(lines):
        if "DO NOT MATCH THE HASHES" in line:
            return f"{following.partition(' ')[0]} in the package index is not the one in the lock"
    return lines[-1]
