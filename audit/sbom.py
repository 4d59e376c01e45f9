"""The bill of materials in CycloneDX's JSON: ``python -m audit.sbom LOCK FILE``.

Written here, since it is a list: the tools for it take a minute and fifty packages more. It holds
no time and no path, so that the same lock gives the same file.
"""

import json
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from audit.licences import ELSEWHERE, Licensed, licences_of, locked


def bill(found: list[Licensed]) -> dict[str, Any]:
    """All packages as components, with their licences and what each depends on."""
    known = {canonicalize_name(one.package): _address(one) for one in found}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": _project()},
        "components": [_component(one) for one in found],
        "dependencies": [
            {"ref": _address(one), "dependsOn": sorted(_needs(one.package, known))} for one in found
        ],
    }


def _project() -> dict[str, Any]:
    return {
        "type": "application",
        "name": "finance-flows",
        "version": version("finance-flows"),
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }


def _component(one: Licensed) -> dict[str, Any]:
    address = _address(one)
    component = {"type": "library", "bom-ref": address, "name": one.package, "purl": address}
    component["version"] = one.version
    if one.licence == ELSEWHERE:
        return component
    # By name: of "BSD" nobody has said which, and such an expression would be none.
    return {**component, "licenses": [{"license": {"name": one.licence}}]}


def _address(one: Licensed) -> str:
    return f"pkg:pypi/{canonicalize_name(one.package)}@{one.version}"


def _needs(package: str, known: dict[Any, str]) -> set[str]:
    try:
        needed = [Requirement(text) for text in requires(package) or ()]
    except PackageNotFoundError:
        return set()
    here = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return {known[name] for one in here if (name := canonicalize_name(one.name)) in known}


def main(lock: Path, file: Path) -> None:
    """Write the file, and say so."""
    whole = bill(licences_of(locked(lock.read_text(encoding="utf-8"))))
    file.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    print(f"SBOM             CycloneDX 1.6, {len(whole['components'])} packages: {file}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
