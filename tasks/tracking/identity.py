"""Who runs this program: the user of the operating system, and of a tracking server with login."""

import os
import pwd
from urllib.error import HTTPError
from urllib.parse import urlparse
from urllib.request import urlopen

from mlflow.utils.credentials import read_mlflow_creds

from modelling.secrets import without_login
from tasks.tracking.store import tracking_uri


def current_user() -> str:
    """The user of the operating system (LOGNAME is ignored; ``uid-N`` where the user has no name,
    as in a container), and the user name on the tracking server where that requires a login."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid-{os.getuid()}"
    server = tracking_uri()
    login = read_mlflow_creds().username
    if not login or not server.startswith(("http:", "https:")) or not _requires_login(server):
        return name
    return f"{name}, as {login} on {urlparse(server).hostname}"


def same_person(one: str, other: str) -> bool:
    """Whether two answers of ``current_user`` may be of one person. Where both gave a password to
    the same server, its user names decide: an account of the operating system may be shared."""
    (account, _, login), (other_account, _, other_login) = (
        user.partition(", as ") for user in (one, other)
    )
    if login and other_login and login.partition(" on ")[2] == other_login.partition(" on ")[2]:
        return login == other_login
    return account == other_account


def _requires_login(server: str) -> bool:
    """Whether the server checks passwords: otherwise the user name proves nothing."""
    address = f"{without_login(server).rstrip('/')}/api/2.0/mlflow/registered-models/search"
    try:
        with urlopen(f"{address}?max_results=1", timeout=5):
            return False
    except HTTPError as error:
        return error.code in (401, 403)
    except OSError:
        return False
