"""A declaration that is about to be written: where, what it is called, what it must not hold."""

import os
import re
from pathlib import Path

from modelling.checkout import IS_CHECKOUT
from modelling.declaration.declared_data import Source
from modelling.declaration.references import reference_secrets
from modelling.declaration.use_case_files import FOLDER, PROJECT_FOLDER
from modelling.refusals import UsageError


def folder_for_new_declarations() -> Path:
    """Where a new declaration belongs: the folder ``use_cases/`` here, or in this checkout. In an
    installed package nobody would find it again."""
    here = Path.cwd() / FOLDER
    return here if here.is_dir() or not IS_CHECKOUT else PROJECT_FOLDER


def name_of(file: Path | None, table: str, target: str) -> str:
    """What a use case is called where nobody says it: as its file, its table or its target."""
    is_file = "?" not in table and Path(table).suffix
    chosen = file.stem if file else Path(table).name.partition(".")[0] if is_file else target
    words = re.findall(r"[a-z0-9]+", chosen.lower())
    return "_".join(words if words and words[0][0].isalpha() else ["drafted", *words])[:100]


def refuse_secrets(source: Source) -> None:
    """Raise UsageError for a source that holds a password: a declaration is read by many."""
    for text in (source.uri, source.query or ""):
        if reference_secrets(text) != text:
            raise UsageError(
                "a draft keeps no password: export it as a variable and write its name in the "
                "address, as in 'postgresql://user:$DB_PASSWORD@host/database'"
            )


def seen_from(file: Path, table: str, is_there: bool = True) -> str:
    """The address of a table as a declaration in ``file`` finds it, from any folder. What is not
    there is no path, unless it ``is_there`` only later."""
    path = Path(table).absolute()
    if (is_there and not path.exists()) or Path(table).is_absolute():
        return table
    return os.path.relpath(path, file.absolute().parent)
