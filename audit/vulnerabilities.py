"""Known vulnerabilities of the locked packages: ``python -m audit.vulnerabilities PIP_AUDIT LOCK``;
without arguments, a check that the database can be reached.

pip-audit sends names and versions, and nothing else, to OSV, the open database of vulnerabilities.
Where that does not answer, as in a closed network, the audit says so and does not fail. A mirror
can be set in PIP_AUDIT_OSV_URL.
"""

import json
import os
import subprocess
import sys
from urllib.error import HTTPError
from urllib.request import urlopen

OSV = "https://api.osv.dev/v1/query"


SERVICE = os.environ.get("PIP_AUDIT_OSV_URL", OSV)


def run_audit(pip_audit: str, lock: str) -> int:
    """Print the known vulnerabilities; 1 where there are any."""
    command = [pip_audit, "--requirement", lock, "--disable-pip", "--vulnerability-service", "osv"]
    command += ["--osv-url", SERVICE, "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"vulnerabilities  not run: {reason}")
        return 0
    vulnerabilities = [
        (package, vulnerability)
        for package in packages
        for vulnerability in package.get("vulns", ())
    ]
    for package, vulnerability in vulnerabilities:
        fixed_in = ", ".join(vulnerability["fix_versions"]) or "no version yet"
        print(f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed_in}")
    print(f"vulnerabilities  {len(packages)} packages, {len(vulnerabilities)} known")
    return 1 if vulnerabilities else 0


def check_service() -> int:
    """0 where the database answers; otherwise print that the audit was not run."""
    if is_reachable(SERVICE):
        return 0
    print("vulnerabilities  not run: the database of vulnerabilities can't be reached")
    return 1


def is_reachable(service: str) -> bool:
    """Whether the service answers, even if with an error for a request without a body."""
    try:
        with urlopen(service, timeout=10):
            return True
    except HTTPError as error:
        return error.code < 500
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(run_audit(sys.argv[1], sys.argv[2]) if len(sys.argv) > 1 else check_service())
