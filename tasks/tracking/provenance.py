"""The provenance of a run: enough to repeat it, and to see later whether its process died."""

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mlflow.artifacts import load_text
from mlflow.entities import Run

from modelling.checkout import CODE, IS_CHECKOUT
from modelling.declaration import UseCase
from modelling.declaration.overrides import override
from modelling.declaration.use_case_files import find_use_case, use_case_names
from modelling.refusals import UsageError
from tasks.workers.processes import process_tag

DECLARATION = "declaration.json"
DECLARED_IN, IN_PYTHON = "declared_in", "Python"  # the tag of a run whose declaration no file holds


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
    flat["features"] = str(len(use_case.features))
    for name in ("derived", "split", "preprocessing", "network", "training", "decision", "costs"):
        declared = getattr(use_case, name)
        settings = declared.model_dump(mode="json") if declared is not None else {}
        flat |= {f"{name}.{setting}": str(value)[:6000] for setting, value in settings.items()}
    return flat


def refuse_another_declaration(run: Run, parameters: Mapping[str, Any], wanted: str) -> None:
    """Raises UsageError where the run's declaration was given in Python and no file says the same:
    one of the same name would be trained in its place. Where the table is, it need not say: another
    one is noticed."""
    if run.data.tags.get(DECLARED_IN) != IN_PYTHON:
        return
    name, found = parameters["use_case_name"], "no file holds it"
    if name in use_case_names():
        then = json.loads(load_text(f"{run.info.artifact_uri}/{DECLARATION}"))
        in_file = override(find_use_case(name), parameters.get("overrides") or {})
        now = json.loads(in_file.model_dump_json())
        differing = [field for field in now if now[field] != then.get(field)]
        if not {*differing} - {"source"}:
            return
        found = f"use_cases/{name}.py differs from it in {', '.join(differing)}"
    raise UsageError(
        f"run {run.info.run_id} can't be {wanted}: its declaration was given in Python, and "
        f"{found}: save it as use_cases/{name}.py, or train it again from Python"
    )
