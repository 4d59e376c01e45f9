"""Names and numbers that come from outside, checked where they enter.

They become paths, filters, addresses and command lines. Outside are the command line, the
parameters of a deployment, and what others write into a shared store. Each raises UsageError.
"""

import re
from urllib.parse import urlsplit

from modelling.refusals import UsageError

USE_CASE = r"[a-z][a-z0-9_]{0,99}"
RUN_ID = r"[0-9a-f]{32}"
WORK_POOL = r"[^\W_][^/\\%&<>?#]{0,99}"
TAG = r"[A-Za-z0-9_./: -]{1,250}"
OPENML = r"[A-Za-z0-9_.(),-]{1,128}"


def is_use_case_name(name: str) -> bool:
    """Whether a use case, and so its experiment and registered model, may be called so."""
    return re.fullmatch(USE_CASE, name) is not None


def use_case_name(name: str) -> str:
    """The name of a use case, which is that of its registered model."""
    if not is_use_case_name(name):
        raise UsageError(
            f"{name!r} is no name of a use case: those are of lowercase letters, digits and _, at "
            "most 100"
        )
    return name


def run_id(text: str) -> str:
    """The id of an MLflow run: it names folders, which are removed with all that is in them."""
    if not re.fullmatch(RUN_ID, text):
        raise UsageError(f"there is no run {text!r}: a run id is 32 of the characters 0-9 and a-f")
    return text


def work_pool(name: str) -> str:
    """The name of a Prefect work pool, which becomes a part of addresses."""
    if not re.fullmatch(WORK_POOL, name) or not name.isprintable():
        raise UsageError(
            f"--pool {name!r} is no name of a work pool: those begin with a letter or digit, have "
            "none of / \\ % & < > ? # and at most 100 characters"
        )
    return name


def dask_address(address: str) -> str:
    """``local``, or where the scheduler of a Dask cluster is."""
    if address != "local" and not _is_address(address, ("tcp", "tls", "ws", "wss", "ucx")):
        raise UsageError(f"--dask {address}: write 'local' or an address as tcp://HOST:8786")
    return address


def _is_address(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        address = urlsplit(text)
        return address.scheme in schemes and bool(address.hostname) and address.port != 0
    except ValueError:  # brackets that don't close, a port that is none
        return False


def server_address(address: str, setting: str) -> str:
    """The address of an HTTP server; ``setting`` is where somebody wrote it."""
    if not _is_address(address, ("http", "https")):
        raise UsageError(f"{setting} is no address of a server: write it as http://HOST:PORT")
    return address


def tag_filter(name: str, value: str) -> str:
    """MLflow's condition that a tag has this value."""
    if not re.fullmatch(TAG, name):
        raise UsageError(f"--tag {name!r}: no tag can be called so")
    if any(one in "'\"`\\" or not one.isprintable() for one in value):
        raise UsageError(f"--tag {name}={value!r}: quotes and such can't be searched for")
    return f"tags.`{name}` = '{value}'"


def openml_data(name: str) -> dict[str, int | str]:
    """A data set of OpenML by its number or its name, as scikit-learn asks for it."""
    if not re.fullmatch(OPENML, name):
        raise UsageError(f"openml:{name}: write the number or the name of a data set")
    return {"data_id": int(name)} if name.isdigit() else {"name": name}
