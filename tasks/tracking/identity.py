"""Who does something: the operating system says so, and a tracking server that asks for a login."""

import os
import pwd
from urllib.error import HTTPError
from urllib.parse import urlparse
from urllib.request import urlopen

from mlflow.utils.credentials import read_mlflow_creds

from modelling.secrets import without_login
from tasks.tracking.store import tracking_uri


def person() -> str:
    """The user of the operating system, whatever LOGNAME says, ``uid-N`` where that one has no
    name, as in a container; and as whom a tracking server knows them, where it knows."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid-{os.getuid()}"
    server = tracking_uri()
    login = read_mlflow_creds().username
    if not login or not server.startswith(("http:", "https:")) or not _asks_for_login(server):
        return name
    return f"{name}, as {login} on {urlparse(server).hostname}"


def _asks_for_login(server: str) -> bool:
    """A server that lets in everybody looks at no password: what name came with it says nothing."""
    address = f"{without_login(server).rstrip('/')}/api/2.0/mlflow/registered-models/search"
    try:
        with urlopen(f"{address}?max_results=1", timeout=5):
            return False
    except HTTPError as error:
        return error.code in (401, 403)
    except OSError:
        return False
