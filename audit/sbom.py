"""The bill of materials as CycloneDX JSON: ``python -m audit.sbom LOCK FILE``.

Written without a tool, since it is a simple list: the tools need fifty more packages and a minute.
It contains no time and no path, so the same lock gives the same file.
"""

import json
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from audit.licences import NOT_INSTALLED, PackageLicence, licences_of, locked_packages


def bill_of_materials(found: list[PackageLicence]) -> dict[str, Any]:
    """All packages as components, with their licences and what each depends on."""
    known = {canonicalize_name(package.package): _address(package) for package in found}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": _project()},
        "components": [_component(package) for package in found],
        "dependencies": [
            {"ref": _address(package), "dependsOn": sorted(_needs(package.package, known))}
            for package in found
        ],
    }


def _project() -> dict[str, Any]:
    return {
        "type": "application",
        "name": "finance-flows",
        "version": version("finance-flows"),
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }


def _component(package: PackageLicence) -> dict[str, Any]:
    address = _address(package)
    component = {"type": "library", "bom-ref": address, "name": package.package, "purl": address}
    component["version"] = package.version
    if package.licence == NOT_INSTALLED:
        return component
    # By name, since "BSD" is no valid SPDX expression.
    return {**component, "licenses": [{"license": {"name": package.licence}}]}


def _address(package: PackageLicence) -> str:
    return f"pkg:pypi/{canonicalize_name(package.package)}@{package.version}"


def _needs(package: str, known: dict[Any, str]) -> set[str]:
    try:
        needed = [Requirement(text) for text in requires(package) or ()]
    except PackageNotFoundError:
        return set()
    without_extras = [
        requirement
        for requirement in needed
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    ]
    names = {canonicalize_name(requirement.name) for requirement in without_extras}
    return {known[name] for name in names if name in known}


def main(lock: Path, file: Path) -> None:
    """Write the file, and print a summary."""
    content = bill_of_materials(licences_of(locked_packages(lock.read_text(encoding="utf-8"))))
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"SBOM             CycloneDX 1.6, {len(content['components'])} packages: {file}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
