"""Who runs this program: the user of the operating system, and of a tracking server with login; and
who says that he answered a form."""

import os
import pwd
from base64 import b64encode
from collections.abc import Mapping
from urllib.error import HTTPError
from urllib.parse import unquote, urlparse
from urllib.request import Request, urlopen

from mlflow.utils.credentials import read_mlflow_creds

from modelling.refusals import UsageError
from modelling.secrets import without_login
from tasks.tracking.addresses import is_server, tracking_uri

TYPED = ", typed into Prefect's form"  # behind the name of a person whom nothing else proves


def current_user() -> str:
    """The user of the operating system (LOGNAME is ignored; ``uid-N`` where the user has no name,
    as in a container), and the user name on the tracking server where that requires a login."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid-{os.getuid()}"
    server = tracking_uri()
    if not is_server(server):
        return name
    login, password = _credentials(server)
    if not (login and password and _requires_login(server)):
        return name
    if not _answers(server, login, password):  # a name without its password is anybody's
        return name
    return f"{name}, as {login} on {urlparse(server).hostname}"


def _credentials(server: str) -> tuple[str, str]:
    """The user name and password that requests are sent with: those in the address come first."""
    address = urlparse(server)
    if address.username:
        return unquote(address.username), unquote(address.password or "")
    known = read_mlflow_creds()
    return known.username or "", known.password or ""


def typed_name(name: str) -> str:
    """A person of whom only a name is known, which anybody could have typed. Raises UsageError for
    what is no name, or would look like an account with a login."""
    name = " ".join(name.split())
    if not any(map(str.isalpha, name)) or not name.isprintable() or len(name) > 80 or "," in name:
        raise UsageError("name: type your name, at most 80 letters and no comma")
    return name + TYPED


def same_person(one: str, other: str) -> bool:
    """Whether two answers of ``current_user`` or ``typed_name`` may be of one person. Where both
    gave a password to the same server, its user names decide: an account of the operating system
    may be shared. Otherwise a name, account or login or typed, is that of all who have it: a server
    may be reached under several addresses. Capitals make no difference: to a directory (LDAP)
    behind a login they make none."""
    (account, login, server), (other_account, other_login, other_server) = map(_parts, (one, other))
    if login and other_login and server == other_server:
        return login == other_login
    return not {account, login}.isdisjoint({other_account, other_login} - {""})


def _parts(user: str) -> tuple[str, str, str]:
    """The account or the typed name, the login, and its server; empty where there is none."""
    account, _, login = user.removesuffix(TYPED).casefold().partition(", as ")
    name, _, server = login.partition(" on ")
    return account, name, server


def _requires_login(server: str) -> bool:
    """Whether the server checks passwords: otherwise the user name proves nothing."""
    return _status(server) in (401, 403)


def _answers(server: str, login: str, password: str) -> bool:
    """Whether the server accepts this password of this user."""
    known = b64encode(f"{login}:{password}".encode()).decode()
    return _status(server, {"Authorization": f"Basic {known}"}) == 200


def _status(server: str, headers: Mapping[str, str] | None = None) -> int:
    """The status of a small request; 0 where the server can't be reached."""
    address = f"{without_login(server).rstrip('/')}/api/2.0/mlflow/registered-models/search"
    try:
        with urlopen(Request(f"{address}?max_results=1", headers=dict(headers or {})), timeout=5):
            return 200
    except HTTPError as error:
        return error.code
    except OSError:
        return 0
