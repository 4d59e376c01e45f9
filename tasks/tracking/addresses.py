"""Where the store is, with its pages and the files of this machine; found out without MLflow."""

import os
import re
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import urlparse
from urllib.request import url2pathname

from modelling.checkout import command, home_folder, make
from modelling.declaration import names
from modelling.refusals import UsageError
from modelling.secrets import without_login

SQLITE = "sqlite:///"
ARTIFACTS = "artifacts"  # next to a SQLite file
DATABASE_LOCK = "database.lock"  # next to a SQLite file, while its tables are created
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
# MLflow's pages are about traces of language models, unless they are told otherwise. That of 3.17
# goes by the address, or by what the browser knows (``tasks.tracking.ui``); others go by the tag.
MACHINE_LEARNING = "?workflowType=machine_learning"


def tracking_uri() -> str:
    """``MLFLOW_TRACKING_URI`` where it is set, otherwise the SQLite database in ``mlruns/``; a file
    with its whole path, so that it stays the same when the current folder changes."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{local_store() / 'mlflow.db'}"
    file = uri.removeprefix(SQLITE)
    return uri if file == uri else f"{SQLITE}{Path(file).absolute()}"


def local_folder() -> Path:
    """The folder for files that are not in the store: that of the SQLite file, else ``mlruns/``."""
    uri = tracking_uri()
    if uri.startswith(SQLITE):
        return Path(uri.removeprefix(SQLITE)).resolve().parent
    return local_store()


def folder_of(location: str) -> Path | None:
    """The folder on this machine; None for an address elsewhere (which may contain a password)."""
    address = urlparse(location)
    if address.scheme not in ("", "file"):
        return None
    return Path(url2pathname(address.path if address.scheme else location))  # as MLflow reads it


def moved_store(location: str, below: int = 0) -> str:
    """What to do where files are looked for at ``location``, so many folders ``below`` that of all
    artifacts, and the folder of the SQLite database was moved with them; empty where it was not.
    MLflow stores whole paths, and would write on at the old place."""
    old, here = folder_of(location), local_folder() / ARTIFACTS
    if old is None or len(old.parents) <= below or not tracking_uri().startswith(SQLITE):
        return ""
    root = [old, *old.parents][below]
    is_ours = root.name == ARTIFACTS and root != here  # others are MLflow's choice, or a person's
    if not is_ours or root.exists() or not (here / old.relative_to(root)).exists():
        return ""
    return (
        f"the folder of the tracking store was moved to {here.parent}, and its files are looked "
        f"for in {root.parent}: move it back, or link it (ln -s {here.parent} {root.parent})"
    )


def local_store() -> Path:
    """The folder of the database that is used where no other store is configured."""
    return home_folder() / "mlruns"


def scratch_folder(run_id: str) -> Path:
    """The folder for the temporary files of a run; removed when the run is closed."""
    return local_folder() / "scratch" / names.check_run_id(run_id)


def checkpoint_folder(run_id: str) -> Path:
    """The folder for the checkpoints of a run; removed when the run is finished."""
    return local_folder() / "checkpoints" / names.check_run_id(run_id)


def ui_address() -> str:
    """The address of the UI: the tracking server, or what ``finflows ui`` opens."""
    uri = tracking_uri()
    return without_login(uri).rstrip("/") if is_server(uri) else "http://127.0.0.1:5000"


def run_path(experiment: str, run_id: str) -> str:
    """The path of a run in MLflow's UI, after the address of the UI."""
    return f"/#/experiments/{experiment}/runs/{run_id}{MACHINE_LEARNING}"


def how_to_open(path: str) -> str:
    """How to open ``path`` in the UI: on the server, or after it is started."""
    start = f"{make('ui', command('ui'))}, then "
    first = "" if is_server(tracking_uri()) else start
    return f"{first}{ui_address()}{path}"


def refuse_unusable_store() -> None:
    """Raises UsageError for a tracking address that can't be used, without connecting to it."""
    uri = tracking_uri()
    if is_server(uri):
        names.check_server_address(uri, "MLFLOW_TRACKING_URI")
    scheme = uri.partition(":")[0].partition("+")[0]
    if is_file_store(uri):
        raise UsageError(
            f"MLFLOW_TRACKING_URI={uri} is a file store, which MLflow 3 no longer writes: run "
            "'mlflow migrate-filestore' once, then set the sqlite:/// address"
        )
    if scheme not in ("http", "https", *DATABASES):
        raise UsageError(
            f"MLFLOW_TRACKING_URI: {scheme or uri} is not supported: set an MLflow server "
            f"(http, https) or a database ({', '.join(DATABASES)}), or unset it for the local store"
        )
    if scheme == "sqlite" and not is_writable(local_folder()):
        raise UsageError(
            f"{local_folder()} can't be written, the folder of the tracking database: set "
            "MLFLOW_TRACKING_URI to another store"
        )
    database = Path(uri.removeprefix(SQLITE))
    for file in (database, database.with_name(DATABASE_LOCK)) if scheme == "sqlite" else ():
        if file.exists() and not os.access(file, os.W_OK):
            raise UsageError(file_of_another_user(file))


def file_of_another_user(file: Path) -> str:
    """What to do about a file of the store that this user can't write."""
    return (
        f"{file} can't be written by this user, a file of the tracking store that another made: "
        "have its owner allow it (chmod g+w), or set MLFLOW_TRACKING_URI to another store"
    )


def is_server(uri: str) -> bool:
    """Whether an address is that of a server, not of a database or a folder."""
    return uri.startswith(("http:", "https:"))


def is_file_store(uri: str) -> bool:
    """Whether MLflow reads this address as a folder, which ``databricks`` and the like are not."""
    services = ("databricks", "databricks-uc", "uc")
    return re.match(r"(?!file:)[a-zA-Z][\w+.-]*:", uri) is None and uri not in services


def is_writable(folder: Path, megabytes: int = 0) -> bool:
    """Whether files of this size can be created in ``folder``, which is created if it does not
    exist: a disk may be full, and an account have a quota or a limit (``ulimit -f``)."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder) as file:
            if megabytes:
                os.posix_fallocate(file.fileno(), 0, megabytes << 20)
            return True
    except OSError:
        return False
