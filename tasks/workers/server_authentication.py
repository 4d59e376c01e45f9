"""Authentication for the Prefect servers that this program starts.

Otherwise everybody who can connect to such a server could start flows with settings of their own: a
page in a browser, or another user of the machine. So each server requires a random string, rejects
pages of other servers (CORS) and requires Prefect's CSRF token. Our own processes get the string
from their environment, which only their owner can read.
"""

import os
import secrets
import stat
import tempfile
from pathlib import Path

AUTH_STRING = "PREFECT_API_AUTH_STRING"
API_URL, UI_URL = "PREFECT_API_URL", "PREFECT_UI_URL"


def new_auth_string() -> str:
    """A random string in the form that Prefect requires: user and password."""
    return f"finflows:{secrets.token_urlsafe(32)}"


def authenticated_server_settings(auth_string: str, port: int) -> dict[str, str]:
    """The environment of a server on 127.0.0.1 that requires ``auth_string``."""
    address = f"http://127.0.0.1:{port}"
    return {
        "PREFECT_SERVER_API_AUTH_STRING": auth_string,
        "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": f"{address},http://localhost:{port}",
        # The page in the browser sends its requests to this address.
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_UI_API_URL": f"{address}/api",
        # No form that sends an e-mail address to others, and no advertisement.
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    }


def use_auth_string(auth_string: str) -> None:
    """Make Prefect's clients in this process and its children send ``auth_string``."""
    from prefect.context import refresh_global_settings_context

    os.environ[AUTH_STRING] = auth_string
    refresh_global_settings_context()


def use_server(url: str, auth_string: str) -> None:
    """Make Prefect's clients in this process send their requests, with ``auth_string``, to ``url``.

    It has no pages, so Prefect is told to print no links to them. Commands that this process starts
    do not know it: for them, it is no configured server.
    """
    given = {name: os.environ.get(name) for name in (API_URL, UI_URL)}
    os.environ.update({API_URL: url, UI_URL: given[UI_URL] or ""})
    use_auth_string(auth_string)
    for name, value in given.items():
        del os.environ[name]
        os.environ.update({} if value is None else {name: value})


def stored_auth_string(file: Path, url: str) -> str:
    """The authentication string of the server at ``url``, stored in ``file`` for its owner only.

    It is reused, since a browser remembers it, unless others could have read the file. A shell can
    read the file, for ``prefect`` in another terminal.
    """
    auth_string = _read_string(file) or new_auth_string()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Only its owner can read a file of mkstemp.
    descriptor, partial = tempfile.mkstemp(dir=file.parent, prefix=file.name)
    with open(descriptor, "w") as written:
        written.write(f"{API_URL}={url}\n{AUTH_STRING}={auth_string}\n")
    os.replace(partial, file)
    return auth_string


def _read_string(file: Path) -> str:
    try:
        status = file.lstat()
        private = stat.S_ISREG(status.st_mode) and not status.st_mode & 0o077
        if not private or status.st_uid != os.getuid():
            return ""
        return file.read_text(errors="replace").partition(f"{AUTH_STRING}=")[2].strip()
    except OSError:
        return ""
