"""What keeps strangers out of the Prefect servers that this program starts.

Whoever reaches such a server could start flows with settings of his own: a page in a browser, or
another user of the machine. So each asks for a random string, answers to no other server's pages,
and wants Prefect's token against forged requests. Our own processes get the string by their
environment, which only their owner can read.
"""

import os
import secrets
import stat
import tempfile
from pathlib import Path

AUTH_STRING = "PREFECT_API_AUTH_STRING"


def random_string() -> str:
    """As Prefect wants it: user and password."""
    return f"finflows:{secrets.token_urlsafe(32)}"


def closed_server(string: str, port: int) -> dict[str, str]:
    """The environment of a server on 127.0.0.1 that lets in only who knows the ``string``."""
    address = f"http://127.0.0.1:{port}"
    return {
        "PREFECT_SERVER_API_AUTH_STRING": string,
        "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": f"{address},http://localhost:{port}",
        # The page in the browser asks for the address that the server believes to have.
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_UI_API_URL": f"{address}/api",
    }


def sign_in(string: str) -> None:
    """Have Prefect's clients in this process, and in those that it starts, use the ``string``."""
    from prefect.context import refresh_global_settings_context

    os.environ[AUTH_STRING] = string
    refresh_global_settings_context()


def kept_string(file: Path, url: str) -> str:
    """The string of the server at ``url``, kept in ``file`` for its owner only.

    It is the same each time, since a browser remembers it, unless others could have read it. The
    file is written as a shell reads it, for ``prefect`` in another terminal.
    """
    string = _read_string(file) or random_string()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, aside = tempfile.mkstemp(dir=file.parent, prefix=file.name)  # its owner's only
    with open(descriptor, "w") as written:
        written.write(f"PREFECT_API_URL={url}\n{AUTH_STRING}={string}\n")
    os.replace(aside, file)
    return string


def _read_string(file: Path) -> str:
    try:
        status = file.lstat()
        alone = stat.S_ISREG(status.st_mode) and not status.st_mode & 0o077
        if not alone or status.st_uid != os.getuid():
            return ""
        return file.read_text(errors="replace").partition(f"{AUTH_STRING}=")[2].strip()
    except OSError:
        return ""
