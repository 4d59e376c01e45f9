"""Check names and numbers from outside: they become paths, filters, addresses and command lines.

They come from the command line, from the parameters of a deployment, and from what others write
into a shared store. Each function returns what it has checked, or raises UsageError.
"""

import re
from urllib.parse import urlsplit

from modelling.refusals import UsageError

USE_CASE_PATTERN = r"[a-z][a-z0-9_]{0,99}"
RUN_ID_PATTERN = r"[0-9a-f]{32}"
WORK_POOL_PATTERN = r"[^\W_][^/\\%&<>?#]{0,99}"
TAG_PATTERN = r"[A-Za-z0-9_./: -]{1,250}"
OPENML_PATTERN = r"[A-Za-z0-9_.(),-]{1,128}"
MAXIMUM_REASON_LENGTH = 2000  # what the registry stores


def is_use_case_name(name: str) -> bool:
    """Whether ``name`` may be the name of a use case, its experiment and its registered model."""
    return re.fullmatch(USE_CASE_PATTERN, name) is not None


def check_use_case_name(name: str) -> str:
    """The name of a use case, which is that of its registered model."""
    if not is_use_case_name(name):
        raise UsageError(
            f"{name!r} is no name of a use case: it has lowercase letters, digits and _, at most "
            "100"
        )
    return name


def check_run_id(text: str) -> str:
    """The id of an MLflow run: folders have this name, and are removed with their content."""
    if not re.fullmatch(RUN_ID_PATTERN, text):
        raise UsageError(f"there is no run {text!r}: a run id is 32 of the characters 0-9 and a-f")
    return text


def check_work_pool(name: str) -> str:
    """The name of a Prefect work pool, which becomes a part of addresses."""
    if not re.fullmatch(WORK_POOL_PATTERN, name) or not name.isprintable():
        raise UsageError(
            f"--pool {name!r} is no name of a work pool: those begin with a letter or digit, have "
            "none of / \\ % & < > ? # and at most 100 characters"
        )
    return name


def check_dask_address(address: str) -> str:
    """``local``, or the address of a Dask scheduler."""
    if address != "local" and not _is_address(address, ("tcp", "tls", "ws", "wss", "ucx")):
        raise UsageError(f"--dask {address}: write 'local' or an address like tcp://HOST:8786")
    return address


def _is_address(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        address = urlsplit(text)
        return address.scheme in schemes and bool(address.hostname) and address.port != 0
    except ValueError:  # an unclosed bracket, a port that is no number
        return False


def check_server_address(address: str, setting: str) -> str:
    """The address of an HTTP server, from the ``setting`` of this name."""
    if not _is_address(address, ("http", "https")):
        raise UsageError(f"{setting} is no address of a server: write it like http://HOST:PORT")
    return address


def check_reason(text: str) -> str:
    """The reason of a manual decision."""
    if not any(map(str.isalnum, text)):
        raise UsageError("the reason is empty: give one, it is stored in the registry")
    if not text.isprintable():  # a line break could look like another entry of the history
        raise UsageError("the reason must be one line of letters, digits, blanks and punctuation")
    if len(text) > MAXIMUM_REASON_LENGTH:
        raise UsageError(
            f"the reason has {len(text):,} characters: at most {MAXIMUM_REASON_LENGTH:,}"
        )
    return text


def tag_filter(name: str, value: str) -> str:
    """MLflow's filter for runs whose tag has this value."""
    if not re.fullmatch(TAG_PATTERN, name):
        raise UsageError(f"--tag {name!r}: no tag can have this name")
    if any(character in "'\"`\\" or not character.isprintable() for character in value):
        raise UsageError(f"--tag {name}={value!r}: quotes and such can't be searched for")
    return f"tags.`{name}` = '{value}'"


def openml_data(name: str) -> dict[str, int | str]:
    """A data set of OpenML by number or name, as arguments of scikit-learn's ``fetch_openml``."""
    if not re.fullmatch(OPENML_PATTERN, name):
        raise UsageError(f"openml:{name}: write the number or the name of a data set")
    return {"data_id": int(name)} if name.isdigit() else {"name": name}
