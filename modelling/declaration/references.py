"""What is stored in the place of a secret: the name of an environment variable that holds it.

A run that is resumed, repeated or scheduled reads the secret where it is, when it needs it. Whoever
chooses a source could have any variable of the machine sent to an address of his own, so variables
are read only as the whole address, where host and secret are of one hand, and as user and password
of a database. Whoever runs the machine can name others in ``FINFLOWS_VARIABLES``; where it is set,
it names all that are read.
"""

import os
import re
from collections.abc import Iterator, Mapping
from glob import iglob
from itertools import count
from pathlib import Path
from typing import Any

from modelling.refusals import UsageError
from modelling.secrets import (
    HIDDEN,
    KEYWORDS,
    PLACES,
    REFERENCE,
    hide_secrets,
    is_reference,
    remember_secret,
    replace_secrets,
    variables_in,
)

PREFIX = "FINFLOWS_SECRET_"
LISTED = "FINFLOWS_VARIABLES"
ADDRESS = "source.uri"
LOGINS = [  # of a database: user and password before its host, or the password by its keyword
    re.compile(r"^[\w+.-]+://(?P<login>[^\s/?#]*)@"),
    re.compile(rf"(?:{KEYWORDS})\w*=\{{?(?P<login>{REFERENCE.pattern})", re.IGNORECASE),
]


def reference_secrets(given: Any) -> Any:
    """``given`` (a text, or texts in dictionaries and lists) with references for its secrets.

    The secrets themselves stay in the environment of this process and of those that it starts; the
    same secret gets the same name.
    """
    if isinstance(given, str):
        return replace_secrets(given, _into_environment)
    if isinstance(given, Mapping):
        return {name: reference_secrets(value) for name, value in given.items()}
    if isinstance(given, list | tuple):
        return [reference_secrets(value) for value in given]
    return given


def _into_environment(secret: str) -> str:
    value = expand(secret, "a secret")
    remember_secret(value)
    names = (f"{PREFIX}{number}" for number in count(1))
    name = next(name for name in names if os.environ.get(name) in (None, value))
    os.environ[name] = value
    return f"${name}"


def expand(text: str, setting: str) -> str:
    """``text`` with the values of its variables. Raises UsageError where one is not set, or may
    not be read there."""
    missing = unset_variables(text)
    for name in variables_in(text):
        if (name in os.environ or name in missing) and not _may_be_read(name, text, setting):
            raise UsageError(_not_read(name, setting))
    if missing:
        raise UsageError(
            f"{setting} needs ${missing[0]}, which is not set: export {missing[0]}=..."
        )
    expanded = REFERENCE.sub(lambda found: os.environ.get(found[1] or found[2], found[0]), text)
    replace_secrets(expanded, _remembered)
    return expanded


def _may_be_read(name: str, text: str, setting: str) -> bool:
    if name.startswith(PREFIX):  # this program's own, of what was typed
        return True
    if LISTED in os.environ:
        return name in _listed()
    return setting == ADDRESS and (_is_whole(name, text) or name in _logins(text))


def _listed() -> list[str]:
    return re.findall(r"\w+", os.environ.get(LISTED, ""))


def _is_whole(name: str, text: str) -> bool:
    return text in (f"${name}", f"${{{name}}}")


def _logins(uri: str) -> list[str]:
    """The variables that stand for user or password in the address of a database."""
    found = [match["login"] for place in LOGINS for match in place.finditer(uri)]
    return variables_in(" ".join(found)) if found and is_database(uri) else []


def is_database(uri: str) -> bool:
    """Whether ``uri`` is an address, and not of one of the file systems that fsspec opens."""
    from fsspec import available_protocols

    scheme, separator, _ = uri.partition("://")
    return bool(separator) and scheme.rpartition("::")[2].lower() not in available_protocols()


def _not_read(name: str, setting: str) -> str:
    if LISTED in os.environ:
        return f"{setting}: ${name} is not read here: {LISTED} does not name it"
    return (
        f"{setting}: ${name} is not read there, only as the whole address, or as user or password "
        f"of a database; to allow it anywhere, export {LISTED}={name}"
    )


def _remembered(secret: str) -> str:
    remember_secret(secret)
    return secret


def refuse_unreadable(source: Any) -> None:
    """Raise UsageError where a variable that ``source`` needs is not set, or no file is there: now,
    before anything heavy starts."""
    for setting in ("uri", "query"):
        if isinstance(text := getattr(source, setting, None), str):
            text = expand(text, f"source.{setting}")
            is_path = setting == "uri" and not re.match(r"[\w+.-]+://|package:|openml:", text)
            if is_path and not Path(text).exists() and not any(iglob(text, recursive=True)):
                raise UsageError(f"no such file: {hide_secrets(source.uri)}")


def unset_variables(text: str) -> list[str]:
    """Variables that are not set, of those that stand for a secret or for the whole text.

    Others may be no variables: a ``$`` has its own meaning in names of files and in SQL.
    """
    names = variables_in(text)
    secrets = [match["secret"] for place in PLACES for match in place.finditer(text)]
    needed = {name for one in secrets if is_reference(one) for name in variables_in(one)}
    needed |= {name for name in names if name.startswith(PREFIX) or _is_whole(name, text)}
    return [name for name in names if name in needed and name not in os.environ]


def refuse_lost(run_id: str, parameters: Mapping[str, Any], doing: str) -> None:
    """Raise UsageError where the ``parameters`` of a run need a secret that is not here."""
    for setting, text in _texts(parameters):
        if HIDDEN in text:
            raise UsageError(
                f"run {run_id} can't be {doing}: the secret in {setting} is kept nowhere"
            )
        for name in unset_variables(text):
            raise UsageError(
                f"run {run_id} can't be {doing} without ${name}, the secret in {setting} {text}, "
                "which is kept nowhere: export it and try again"
            )


def _texts(given: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(given, str):
        yield name, given
    elif isinstance(given, Mapping):
        for inner, value in given.items():
            yield from _texts(value, str(inner))
    elif isinstance(given, list | tuple):
        for value in given:
            yield from _texts(value, name)
