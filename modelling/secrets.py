"""Remove secrets from a text before it is shown or stored.

A secret is in one of a few places: after the user of an address, in the query of an address, after
a keyword (``PWD=``), or a string literal that a function of SQL decrypts with. There, everything is
a secret whatever the scheme is, except a reference to a variable (``$NAME``).
"""

import os
import re
from collections.abc import Callable
from urllib.parse import unquote

HIDDEN = "***"
REFERENCE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
MINIMUM_LENGTH = 8  # shorter values also occur inside words; they are hidden in their place only
# Keywords that tell a driver how to connect, and are no secrets.
HARMLESS_KEYWORDS = (
    "application_name|catalog|charset|connect_timeout|driver|encrypt|http_path|mode|role|schema|"
    "service_name|ssl|sslmode|timeout|trustservercertificate|trusted_connection|uri|warehouse"
)
KEYWORDS = (
    "pass(?:word|wd|phrase)|pwd|secret|(?:access|auth|id|sas)_?token|"
    "(?:access|account|api|private|shared|storage)_?key"  # but not customer_key, which joins tables
)
SECRET_PATTERNS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # scheme://user:SECRET@host: up to the last @ of the word, as people forget to encode theirs
        r"(?<=://)[^\s:/?#@]*:(?P<secret>\S*)@",
        # ... and where the text begins with the address, blanks too, which SQLAlchemy accepts
        r"^[\w+.-]+://[^\s:/?#@]*:(?!\d+(?:[/:\s]|$))(?P<secret>[^@]*)@",
        # https://TOKEN@host
        r"(?:https?|ftps?)://(?P<secret>[^\s:/?#@]+)@",
        # scheme://host/file?SECRET
        r"(?<=://)[^\s?#]*\?(?P<secret>[^\s=&#'\"<>]+={0,2})(?=$|[\s#'\"])",
        # ?name=SECRET, &name=SECRET, #name=SECRET
        rf"[?&#](?!(?:{HARMLESS_KEYWORDS})=)[\w.~%+$-]+=(?P<secret>[^\s&#'\"<>]*[^\s&#'\"<>:,.])",
        # PWD={SECRET};  password='SECRET'  sslpassword=SECRET
        rf"(?:{KEYWORDS})\w*\s*=\s*(?P<secret>\{{[^}}]*\}}|'[^']*'|\"[^\"]*\"|[^\s;&,)'\"]+)",
        r"IDENTIFIED\s+BY\s+(?P<secret>\"[^\"]*\"|'[^']*'|[^\s;]+)",
        # pgp_sym_decrypt(column, 'SECRET')
        r"crypt\w*\s*\([^)']*'(?P<secret>[^']*)'",
    )
]
_known_secrets: set[str] = set()


def hide_secrets(text: str) -> str:
    """``text`` with ``***`` for each secret, to be shown and stored; references are kept."""
    shown = replace_secrets(text, lambda _: HIDDEN)
    for secret in sorted(_known_secrets, key=len, reverse=True):
        shown = shown.replace(secret, HIDDEN)
    return shown


def replace_secrets(text: str, replacement: Callable[[str], str]) -> str:
    """``text`` with ``replacement(secret)`` for each secret."""

    def replaced(match: re.Match[str]) -> str:
        secret = match["secret"]
        if not secret.strip("'\"{}") or is_reference(secret):
            return match[0]
        before, after = match.start("secret") - match.start(), match.end("secret") - match.start()
        return match[0][:before] + replacement(secret) + match[0][after:]

    for pattern in SECRET_PATTERNS:
        text = pattern.sub(replaced, text)
    return text


def is_reference(secret: str) -> bool:
    """Whether ``secret`` consists of names of environment variables only: in capitals, or set."""
    names = variables_in(secret)
    bare = REFERENCE.sub("", secret).strip("'\"{}")
    known = all(name.isupper() or name in os.environ for name in names)
    return secret == HIDDEN or (bool(names) and not bare and known)


def without_login(url: str) -> str:
    """``url`` without user and password."""
    return re.sub(r"(?<=://)[^/?#]*@", "", url)


def variables_in(text: str) -> list[str]:
    """The names of the environment variables that ``text`` refers to."""
    return [braced or plain for braced, plain in REFERENCE.findall(text)]


def remember_secret(secret: str) -> None:
    """Hide ``secret`` from now on wherever it occurs: a library may quote it."""
    bare = secret.strip("'\"{}")
    forms = (bare, unquote(bare))
    _known_secrets.update(form for form in forms if len(form) >= MINIMUM_LENGTH)
