"""The provenance of a run: enough to repeat it, and to see later whether its process died."""

import hashlib
import os
import subprocess
from importlib.metadata import PackageNotFoundError, version

from modelling.checkout import CODE, IS_CHECKOUT
from modelling.declaration import UseCase
from modelling.shown_text import shortened
from tasks.workers.processes import process_tag

APPROVAL_DAYS = "approval_days"  # a parameter where the declaration asks for a second person


def provenance(use_case: UseCase) -> dict[str, str]:
    """Tags with the version, the git commit, whether the code was changed, the hash of the lock,
    the seed, and the training process."""
    code = code_and_lock()
    commit = code["git_commit"].replace("none", "")
    return {
        "use_case": use_case.name,
        "finflows_version": installed_version(),
        **code,
        "seed": str(use_case.training.seed),
        "process": process_tag(os.getpid()),
        "mlflow.source.name": "flows/train.py",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": commit,
    }


def installed_version() -> str:
    """The version in pyproject.toml, as it was when this environment was set up."""
    try:
        return version("finance-flows")
    except PackageNotFoundError:  # a checkout on PYTHONPATH, in an environment of others
        return "unknown"


def code_and_lock() -> dict[str, str]:
    """The commit of this checkout, whether its code has changed since (other files don't count),
    and the hash of the lock."""
    lock = CODE / "requirements.lock"
    lock_hash = hashlib.sha256(lock.read_bytes()).hexdigest()[:16] if lock.exists() else "none"
    commit = _git("rev-parse", "HEAD")
    changed = bool(_git("status", "--porcelain", "--", "*.py"))
    return {
        "git_commit": commit or "none",
        "git_dirty": str(changed).lower() if commit else "unknown",
        "lock_hash": lock_hash,
    }


def _git(*arguments: str) -> str:
    if not IS_CHECKOUT:  # git would answer for whatever repository the environment lies in
        return ""
    try:
        command = ["git", "-C", str(CODE), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def flat_parameters(use_case: UseCase) -> dict[str, str]:
    """The settings of a declaration by dotted name, as text, without columns and rules."""
    flat: dict[str, str] = {"problem": use_case.problem, "target": use_case.target}
    flat["duplicates"] = use_case.duplicates
    if use_case.unlabelled != "refuse":
        flat["unlabelled"] = use_case.unlabelled
    if use_case.approval == "second_person":
        flat[APPROVAL_DAYS] = str(use_case.approval_days)
    flat["features"] = str(len(use_case.features))
    for name in ("derived", "split", "preprocessing", "network", "training", "decision", "costs"):
        declared = getattr(use_case, name)
        settings = declared.model_dump(mode="json") if declared is not None else {}
        flat |= {
            f"{name}.{setting}": shortened(str(value), 6000) for setting, value in settings.items()
        }
    return flat
