"""Known vulnerabilities of the locked packages: ``python -m audit.vulnerabilities PIP_AUDIT LOCK``;
without arguments, whether anybody could be asked.

pip-audit asks OSV, the open database of vulnerabilities, with names and versions and nothing else.
Where that does not answer, as in a closed network, the audit says so and fails nothing: whoever has
a mirror names it in PIP_AUDIT_OSV_URL.
"""

import json
import os
import subprocess
import sys
from urllib.error import HTTPError
from urllib.request import urlopen

OSV = "https://api.osv.dev/v1/query"


SERVICE = os.environ.get("PIP_AUDIT_OSV_URL", OSV)


def ask(pip_audit: str, lock: str) -> int:
    """Print what is known; 1 where something is."""
    command = [pip_audit, "--requirement", lock, "--disable-pip", "--vulnerability-service", "osv"]
    command += ["--osv-url", SERVICE, "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"vulnerabilities  not run: {reason}")
        return 0
    known = [(one, vulnerability) for one in packages for vulnerability in one.get("vulns", ())]
    for one, vulnerability in known:
        mended = ", ".join(vulnerability["fix_versions"]) or "no version yet"
        print(f"{one['name']} {one['version']}: {vulnerability['id']}, mended in {mended}")
    print(f"vulnerabilities  {len(packages)} packages, {len(known)} known")
    return 1 if known else 0


def look() -> int:
    """0 where the database can be asked; else say that it was not."""
    if answers(SERVICE):
        return 0
    print("vulnerabilities  not run: no database of vulnerabilities answers from here")
    return 1


def answers(service: str) -> bool:
    """Whether somebody is there, whatever he says to a question without a body."""
    try:
        with urlopen(service, timeout=10):
            return True
    except HTTPError as error:
        return error.code < 500
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(ask(sys.argv[1], sys.argv[2]) if len(sys.argv) > 1 else look())
