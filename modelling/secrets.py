"""Take secrets out of a text before anybody sees or stores it.

A secret stands in one of a few places: behind the user of an address, in the query of an address,
after a keyword (``PWD=``), or as a string literal that a function of SQL decrypts with. What stands
there is a secret whatever the scheme is, unless it is a reference to a variable (``$NAME``).
"""

import os
import re
from collections.abc import Callable
from urllib.parse import unquote

HIDDEN = "***"
REFERENCE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
SHORT = 8  # a shorter value is also part of innocent words; where it stands alone it is hidden
# What tells a driver how to connect, and opens no door.
HARMLESS = (
    "application_name|catalog|charset|connect_timeout|driver|encrypt|http_path|mode|role|schema|"
    "service_name|ssl|sslmode|timeout|trustservercertificate|trusted_connection|uri|warehouse"
)
KEYWORDS = (
    "pass(?:word|wd|phrase)|pwd|secret|(?:access|auth|id|sas)_?token|"
    "(?:access|account|api|private|shared|storage)_?key"  # but not customer_key, which joins tables
)
PLACES = [
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
        rf"[?&#](?!(?:{HARMLESS})=)[\w.~%+$-]+=(?P<secret>[^\s&#'\"<>]*[^\s&#'\"<>:,.])",
        # PWD={SECRET};  password='SECRET'  sslpassword=SECRET
        rf"(?:{KEYWORDS})\w*\s*=\s*(?P<secret>\{{[^}}]*\}}|'[^']*'|\"[^\"]*\"|[^\s;&,)'\"]+)",
        r"IDENTIFIED\s+BY\s+(?P<secret>\"[^\"]*\"|'[^']*'|[^\s;]+)",
        # pgp_sym_decrypt(column, 'SECRET')
        r"crypt\w*\s*\([^)']*'(?P<secret>[^']*)'",
    )
]
_met: set[str] = set()


def hide_secrets(text: str) -> str:
    """``text`` as it may be shown and stored: ``***`` for each secret; references stay."""
    shown = replace_secrets(text, lambda _: HIDDEN)
    for secret in sorted(_met, key=len, reverse=True):
        shown = shown.replace(secret, HIDDEN)
    return shown


def replace_secrets(text: str, by: Callable[[str], str]) -> str:
    """``text`` with each secret as ``by`` puts it."""

    def replaced(match: re.Match[str]) -> str:
        secret = match["secret"]
        if not secret.strip("'\"{}") or is_reference(secret):
            return match[0]
        before, after = match.start("secret") - match.start(), match.end("secret") - match.start()
        return match[0][:before] + by(secret) + match[0][after:]

    for place in PLACES:
        text = place.sub(replaced, text)
    return text


def is_reference(secret: str) -> bool:
    """Whether it is but the names of environment variables: in capitals, or set here."""
    names = variables_in(secret)
    bare = REFERENCE.sub("", secret).strip("'\"{}")
    known = all(name.isupper() or name in os.environ for name in names)
    return secret == HIDDEN or (bool(names) and not bare and known)


def without_login(url: str) -> str:
    """``url`` as everybody may open it: without user and password."""
    return re.sub(r"(?<=://)[^/?#]*@", "", url)


def variables_in(text: str) -> list[str]:
    """The names of the environment variables that ``text`` refers to."""
    return [one or other for one, other in REFERENCE.findall(text)]


def remember_secret(secret: str) -> None:
    """Hide ``secret`` from now on wherever it turns up: a library may quote it."""
    bare = secret.strip("'\"{}")
    _met.update(one for one in (bare, unquote(bare)) if len(one) >= SHORT)
