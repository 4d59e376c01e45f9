"""Find declared use cases: modules with a ``USE_CASE`` in a folder ``use_cases/``.

These folders are that of this checkout (or the samples of an installed package), those in the
folders on ``PYTHONPATH``, and that in the current folder. A file is read before it is imported: one
without ``USE_CASE`` is a helper of others, and a broken one matters only to those who ask for it.
"""

import ast
import importlib
import re
import sys
from collections.abc import Collection
from glob import glob
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import iter_modules
from traceback import extract_tb
from types import ModuleType

from pydantic import ValidationError

from modelling.checkout import CODE
from modelling.declaration.declared_data import Source
from modelling.declaration.names import is_use_case_name
from modelling.declaration.overrides import describe_error
from modelling.declaration.references import refuse_unreadable
from modelling.declaration.use_case import UseCase
from modelling.refusals import UsageError, nearest
from modelling.schema import declarations

FOLDER = "use_cases"
# The package that holds their modules: beside that of this module, wherever it is installed.
PACKAGE = ".".join([*__name__.split(".")[:-3], FOLDER])
PROJECT_FOLDER = CODE / FOLDER
DECLARES_USE_CASE = re.compile(r"^(from .+ import .*|import .*)?\bUSE_CASE\b", re.MULTILINE)


def use_case_names() -> list[str]:
    """The names of all declared use cases, sorted, including broken ones."""
    return sorted(
        name for name, file in _module_files().items() if DECLARES_USE_CASE.search(_text(file))
    )


def find_use_case(name: str) -> UseCase:
    """The declaration called ``name``. Raises UsageError where there is none, or a broken one."""
    files = _module_files()
    if name not in files:
        raise UsageError(f"unknown use case '{name}'{nearest(name, use_case_names())}{_looked()}")
    file = seen_from_here(files[name])
    try:
        declared = _import(name, files[name])
    except ValidationError as error:
        part = declarations().get(error.title, UseCase)
        where = file if part is UseCase else file + _line_in(files[name], error)
        raise UsageError(f"{where}: {describe_error(error, part)}") from None
    except SyntaxError as error:
        where = f"{file}, line {error.lineno}" if error.filename == str(files[name]) else file
        raise UsageError(f"{where}: {error.msg}") from None
    except (Exception, SystemExit) as error:  # the code of a declaration may raise anything
        message = str(error).partition("\n")[0]
        if isinstance(error, ModuleNotFoundError) and error.name == "modelling":  # of a checkout
            message += ": import from finflows.declaration, which is there in a checkout too"
        where = file + _line_in(files[name], error)
        raise UsageError(f"{where}: {type(error).__name__}: {message}") from None
    use_case = getattr(declared, "USE_CASE", None)
    if not isinstance(use_case, UseCase):
        raise UsageError(f"{file}: it must define USE_CASE = UseCase(...)")
    if use_case.name != name:
        change = f"change it to '{name}'"
        if not is_use_case_name(name):  # Late_Payers.py
            change = f"call the file {use_case.name}.py"
        raise UsageError(f"{file}: its name is '{use_case.name}'; {change}")
    return with_source_beside(use_case, files[name].parent)


def _line_in(file: Path, error: BaseException) -> str:
    """The line of the module ``file`` in which the error arose, such as that of a column."""
    lines = [
        frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == str(file)
    ]
    return f", line {lines[0]}" if lines else ""


_imported: dict[str, tuple[Path, int]] = {}
_added: list[str] = []  # the current folder, where it was no entry of the path by itself


def _import(name: str, file: Path) -> ModuleType:
    """The module of a declaration; anew where its file has changed, as while a notebook is open."""
    seen = (file, file.stat().st_mtime_ns)
    if _imported.get(name, seen) != seen:
        sys.modules.pop(f"{PACKAGE}.{name}", None)
        importlib.invalidate_caches()
    _imported[name] = seen
    return importlib.import_module(f"{PACKAGE}.{name}")


def place_of(name: str, column: str) -> str:
    """The file of the use case ``name``, and the line of it that first names ``column``, if one
    does."""
    file = _module_files()[name]
    constants = (
        node for node in ast.walk(ast.parse(_text(file))) if isinstance(node, ast.Constant)
    )
    lines = sorted(node.lineno for node in constants if node.value == column)
    return seen_from_here(file) + (f", line {lines[0]}" if lines else "")


def is_found(name: str, file: Path) -> bool:
    """Whether ``find_use_case(name)`` reads this file: it may lie in no folder ``use_cases/``."""
    found = _module_files().get(name)
    return found is not None and found.resolve() == file.resolve()


def refuse_unreadable_table(use_case: UseCase, overrides: Collection[str]) -> None:
    """``refuse_unreadable`` for the source of a declared use case of which a run overrides some
    settings: a table that is named by its file was looked for beside it."""
    in_file = "source.uri" not in overrides
    refuse_unreadable(use_case.source, _module_files()[use_case.name].parent if in_file else None)


def seen_from_here(file: Path) -> str:
    """The path of ``file`` as a person types it in the current folder."""
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)


def _looked() -> str:
    """Where declarations were looked for, and that this is no place for them, if it is none."""
    folders, here = extend_use_case_package().__path__, Path.cwd() / FOLDER
    none_here = "" if here.is_dir() else f"; there is no {here}"
    return f" (looked in {', '.join(folders)}{none_here})"


def with_source_beside(use_case: UseCase, folder: Path) -> UseCase:
    """A table in the folder of its declaration is found whatever the current folder is."""
    source = use_case.source
    if not isinstance(source, Source) or Path(source.uri).is_absolute():
        return use_case
    beside = folder / source.uri
    if not beside.exists() and not glob(str(beside)):
        return use_case
    return use_case.model_copy(update={"source": source.model_copy(update={"uri": str(beside)})})


def as_in_file(declared: UseCase) -> UseCase:
    """The declaration of this name in its file, or ``declared`` itself where no file has it: by
    which a model may be judged is not for the caller of a training to say."""
    return find_use_case(declared.name) if declared.name in use_case_names() else declared


def _module_files() -> dict[str, Path]:
    """The file of each module in the folders; of two with the same name, the first."""
    files: dict[str, Path] = {}
    for folder in extend_use_case_package().__path__:
        for module in iter_modules([folder]):
            inside = f"{module.name}/__init__.py" if module.ispkg else f"{module.name}.py"
            file = Path(folder, inside)
            if not module.name.startswith("_") and file.exists():
                files.setdefault(module.name, file)
    return files


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


def extend_use_case_package() -> ModuleType:
    """Make ``import use_cases.NAME`` find the declarations of all folders.

    A team's folder may have an ``__init__.py`` and come first on the path. Then it is the package;
    where it does not load, the folder of this checkout is.
    """
    here = str(Path.cwd())
    if _added != [here]:  # a notebook may have changed its folder
        sys.path[:] = [entry for entry in sys.path if entry not in _added]
        _added.clear()
    if here not in sys.path and (Path(here) / FOLDER).is_dir():
        sys.path.append(here)  # at the end: it shadows nothing, and is passed on to workers
        _added.append(here)
    try:
        package = importlib.import_module(PACKAGE)
    except (Exception, SystemExit):
        package = _project_package()
    beside = [Path(entry or here) / FOLDER for entry in sys.path]
    folders = dict.fromkeys(str(path) for path in [PROJECT_FOLDER, *beside] if path.is_dir())
    if list(package.__path__) != list(folders):
        package.__path__ = list(folders)
        for name in [name for name in sys.modules if name.startswith(f"{PACKAGE}.")]:
            del sys.modules[name]  # it may be of a folder that is no longer meant
    return package


def _project_package() -> ModuleType:
    spec = spec_from_file_location(PACKAGE, PROJECT_FOLDER / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    package = sys.modules[PACKAGE] = module_from_spec(spec)
    spec.loader.exec_module(package)
    return package
