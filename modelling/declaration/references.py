"""Store references instead of secrets: names of the environment variables that hold them.

A run that is resumed, repeated or scheduled reads the secret from the variable when it needs it.
Whoever chooses a source could send any variable of the machine to an address of their own. So
variables are read only as the whole address (then one person chose host and secret), and as user
and password of a database. Whoever runs the machine can allow others in ``FINFLOWS_VARIABLES``;
where that is set, only the variables in it are read.
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
    REFERENCE,
    SECRET_PATTERNS,
    is_reference,
    remember_secret,
    replace_secrets,
    variables_in,
)

SECRET_PREFIX = "FINFLOWS_SECRET_"
ALLOWED_VARIABLES = "FINFLOWS_VARIABLES"
ADDRESS = "source.uri"
# User and password before the host of a database, or the password after its keyword.
DATABASE_LOGINS = [
    re.compile(r"^[\w+.-]+://(?P<login>[^\s/?#]*)@"),
    re.compile(rf"(?:{KEYWORDS})\w*=\{{?(?P<login>{REFERENCE.pattern})", re.IGNORECASE),
]


def reference_secrets(content: Any) -> Any:
    """``content`` (a text, or texts in dictionaries and lists) with references instead of secrets.

    The secrets themselves are kept in the environment of this process and of those that it starts;
    the same secret gets the same name.
    """
    if isinstance(content, str):
        return replace_secrets(content, _store_in_environment)
    if isinstance(content, Mapping):
        return {name: reference_secrets(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [reference_secrets(value) for value in content]
    return content


def _store_in_environment(secret: str) -> str:
    value = expand(secret, "a secret")
    remember_secret(value)
    names = (f"{SECRET_PREFIX}{number}" for number in count(1))
    name = next(name for name in names if os.environ.get(name) in (None, value))
    os.environ[name] = value
    return f"${name}"


def expand(text: str, setting: str) -> str:
    """``text`` with the values of its variables. Raises UsageError where one is not set, or must
    not be read in this setting."""
    missing = unset_variables(text)
    for name in variables_in(text):
        if (name in os.environ or name in missing) and not _may_be_read(name, text, setting):
            raise UsageError(_refusal(name, setting))
    if missing:
        raise UsageError(
            f"{setting} needs ${missing[0]}, which is not set: export {missing[0]}=..."
        )
    expanded = REFERENCE.sub(lambda found: os.environ.get(found[1] or found[2], found[0]), text)
    replace_secrets(expanded, _remember)
    return expanded


def _may_be_read(name: str, text: str, setting: str) -> bool:
    if name.startswith(SECRET_PREFIX):  # written by this program, for a secret that was typed
        return True
    if ALLOWED_VARIABLES in os.environ:
        return name in _allowed_variables()
    return setting == ADDRESS and (_is_whole_text(name, text) or name in _login_variables(text))


def _allowed_variables() -> list[str]:
    return re.findall(r"\w+", os.environ.get(ALLOWED_VARIABLES, ""))


def _is_whole_text(name: str, text: str) -> bool:
    return text in (f"${name}", f"${{{name}}}")


def _login_variables(uri: str) -> list[str]:
    """The variables that are user or password in the address of a database."""
    found = [match["login"] for pattern in DATABASE_LOGINS for match in pattern.finditer(uri)]
    return variables_in(" ".join(found)) if found and is_database(uri) else []


def is_database(uri: str) -> bool:
    """Whether ``uri`` is an address, but not of a file system that fsspec opens."""
    from fsspec import available_protocols

    scheme, separator, _ = uri.partition("://")
    return bool(separator) and scheme.rpartition("::")[2].lower() not in available_protocols()


def _refusal(name: str, setting: str) -> str:
    if ALLOWED_VARIABLES in os.environ:
        return f"{setting}: ${name} is not read: it is not in {ALLOWED_VARIABLES}"
    return (
        f"{setting}: ${name} is not read here, only as the whole address, or as user or password "
        f"of a database; to allow it anywhere, export {ALLOWED_VARIABLES}={name}"
    )


def _remember(secret: str) -> str:
    remember_secret(secret)
    return secret


def refuse_unreadable(source: Any, declared_in: Path | None = None) -> None:
    """Raise UsageError where a variable that ``source`` needs is not set, or its file does not
    exist: at once, before anything heavy starts. ``declared_in`` is the folder of the declaration
    that names it, which was looked in first."""
    for setting in ("uri", "query"):
        if isinstance(text := getattr(source, setting, None), str):
            text = expand(text, f"source.{setting}")
            is_path = setting == "uri" and not re.match(
                r"[\w+.-]+://|package:|openml:|memory:", text
            )
            if is_path and not Path(text).exists() and not any(iglob(text, recursive=True)):
                raise UsageError(f"no such file: {source.uri}{_looked_in(text, declared_in)}")


def _looked_in(path: str, declared_in: Path | None) -> str:
    if Path(path).is_absolute():
        return ""
    folders = [folder for folder in (declared_in, Path.cwd()) if folder is not None]
    return f" (looked in {' and '.join(map(str, dict.fromkeys(folders)))})"


def unset_variables(text: str) -> list[str]:
    """The variables that are not set, of those that are a secret or the whole text.

    Others may not be variables at all: ``$`` occurs in names of files and in SQL.
    """
    names = variables_in(text)
    secrets = [match["secret"] for pattern in SECRET_PATTERNS for match in pattern.finditer(text)]
    references = [secret for secret in secrets if is_reference(secret)]
    needed = {name for reference in references for name in variables_in(reference)}
    needed |= {
        name for name in names if name.startswith(SECRET_PREFIX) or _is_whole_text(name, text)
    }
    return [name for name in names if name in needed and name not in os.environ]


def refuse_missing_secrets(run_id: str, parameters: Mapping[str, Any], action: str) -> None:
    """Raise UsageError where the ``parameters`` of a run need a secret that is not available."""
    for setting, text in _texts(parameters):
        if HIDDEN in text:
            raise UsageError(
                f"run {run_id} can't be {action}: the secret in {setting} is not stored"
            )
        for name in unset_variables(text):
            raise UsageError(
                f"run {run_id} can't be {action} without ${name}, the secret in {setting} {text}, "
                "which is not stored: export it and try again"
            )


def _texts(content: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(content, str):
        yield name, content
    elif isinstance(content, Mapping):
        for inner, value in content.items():
            yield from _texts(value, str(inner))
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _texts(value, name)
