"""Find declared use cases: modules with a ``USE_CASE``, in every folder ``use_cases/`` in reach.

That is the one of this checkout, those of the folders on ``PYTHONPATH``, and that of the current
folder. A file is looked at before it is imported: one that declares nothing is a helper of others,
and one that is broken stops nobody but who asks for it.
"""

import importlib
import re
import sys
from glob import glob
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from pydantic import ValidationError

from modelling.declaration.declared_data import Source
from modelling.declaration.overrides import describe
from modelling.declaration.use_case import UseCase
from modelling.refusals import UsageError, nearest

PACKAGE = "use_cases"
OURS = Path(__file__).resolve().parents[2] / PACKAGE
DECLARES = re.compile(r"^(from .+ import .*|import .*)?\bUSE_CASE\b", re.MULTILINE)


def use_case_names() -> list[str]:
    """The names of all declared use cases, broken ones included, sorted."""
    return sorted(name for name, file in _files().items() if DECLARES.search(_text(file)))


def find_use_case(name: str) -> UseCase:
    """The declaration called ``name``. Raises UsageError where there is none, or a broken one."""
    files = _files()
    if name not in files:
        raise UsageError(f"unknown use case '{name}'{nearest(name, use_case_names())}")
    file = f"use_cases/{name}.py" if files[name].parent == OURS else str(files[name])
    try:
        declared = importlib.import_module(f"{PACKAGE}.{name}")
    except ValidationError as error:
        raise UsageError(f"{file}: {describe(error, UseCase)}") from None
    except SyntaxError as error:
        where = f"{file}, line {error.lineno}" if error.filename == str(files[name]) else file
        raise UsageError(f"{where}: {error.msg}") from None
    except (Exception, SystemExit) as error:  # whatever the code of a declaration runs into
        said = str(error).partition("\n")[0]
        raise UsageError(f"{file}: {type(error).__name__}: {said}") from None
    use_case = getattr(declared, "USE_CASE", None)
    if not isinstance(use_case, UseCase):
        raise UsageError(f"{file}: it must define USE_CASE = UseCase(...)")
    if use_case.name != name:
        raise UsageError(f"{file}: its name is '{use_case.name}'; make it '{name}'")
    return _with_its_table(use_case, files[name].parent)


def _with_its_table(use_case: UseCase, folder: Path) -> UseCase:
    """A table that lies beside its declaration is found from whatever folder one starts in."""
    source = use_case.source
    if not isinstance(source, Source) or Path(source.uri).is_absolute():
        return use_case
    beside = folder / source.uri
    if not beside.exists() and not glob(str(beside)):
        return use_case
    return use_case.model_copy(update={"source": source.model_copy(update={"uri": str(beside)})})


def _files() -> dict[str, Path]:
    """The file of each module in the folders; where two have the same name, that of the first."""
    files: dict[str, Path] = {}
    for folder in open_folders().__path__:
        for module in iter_modules([folder]):
            inside = f"{module.name}/__init__.py" if module.ispkg else f"{module.name}.py"
            file = Path(folder, inside)
            if not module.name.startswith("_") and file.exists():
                files.setdefault(module.name, file)
    return files


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


def open_folders() -> ModuleType:
    """Have ``import use_cases.NAME`` find the declarations of all folders, here and now.

    A team's folder may have an ``__init__.py`` and come first on the path. Then that one is the
    package; where it does not load, ours is.
    """
    here = str(Path.cwd())
    if here not in sys.path and (Path(here) / PACKAGE).is_dir():
        sys.path.append(here)  # at the end: it shadows nothing, and is passed on to workers
    try:
        package = importlib.import_module(PACKAGE)
    except (Exception, SystemExit):
        package = _our_package()
    beside = [Path(entry or here) / PACKAGE for entry in sys.path]
    folders = dict.fromkeys(str(one) for one in [OURS, *beside] if one.is_dir())
    if list(package.__path__) != list(folders):
        package.__path__ = list(folders)
    return package


def _our_package() -> ModuleType:
    spec = spec_from_file_location(PACKAGE, OURS / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    package = sys.modules[PACKAGE] = module_from_spec(spec)
    spec.loader.exec_module(package)
    return package
