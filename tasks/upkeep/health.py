"""Checks for the usual problems of this stack; each says what it found."""

import shutil
import socket
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse
from urllib.request import urlopen
from uuid import UUID

from httpx import HTTPStatusError
from packaging.requirements import Requirement
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import filters
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import DeploymentResponse

from modelling.checkout import CODE, IS_CHECKOUT
from modelling.refusals import UsageError
from modelling.secrets import hide_secrets, without_login
from tasks.prefect_pages import UNANSWERED, why_unanswered
from tasks.registry.champions import broken_histories
from tasks.registry.model_files import versions_in_use
from tasks.tracking.addresses import is_file_store, is_server, local_folder, tracking_uri
from tasks.tracking.pages import all_pages
from tasks.tracking.reaping import newest_start
from tasks.tracking.store import connect
from tasks.workers.temporary_server import configured_server

MAXIMUM_CLOCK_DIFFERENCE_SECONDS = 30


class Check(NamedTuple):
    """The result of a check: whether it passed, and what was found or what to do."""

    name: str
    passed: bool
    finding: str


def run_checks() -> list[Check]:
    """Run all checks."""
    found = [
        check()
        for check in (
            check_versions,
            check_file_store,
            check_tracking,
            check_models,
            check_history,
            check_prefect,
            check_gpu,
            check_clock,
            check_disk,
        )
    ]
    return [check._replace(finding=hide_secrets(check.finding)) for check in found]


def check_versions(declared: Path = CODE / "pyproject.toml") -> Check:
    """The installed packages are within the bounds that this project declares."""
    broken = []
    for requirement in _requirements(declared):
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            broken.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            broken.append(f"{requirement.name} {installed} is not {requirement.specifier}")
    todo = "run make setup" if IS_CHECKOUT else "install what is asked for"
    finding = f"{'; '.join(broken)}: {todo}" if broken else "as declared"
    return Check("versions", not broken, finding)


def _requirements(declared: Path) -> list[Requirement]:
    """What the project needs: as the checkout declares it, or as the installed package does."""
    if not declared.exists():
        needed = map(Requirement, requires("finance-flows") or [])
        return [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    project = tomllib.loads(declared.read_text(encoding="utf-8"))["project"]
    return [Requirement(text) for text in project["dependencies"]]


def check_file_store() -> Check:
    """There is no store of plain files, which MLflow 3 no longer reads."""
    folder = local_folder()
    old = [path.parent.parent for path in folder.glob("*/meta.yaml")] if folder.exists() else []
    if is_file_store(tracking_uri()) or old:
        where = old[0] if old else tracking_uri()
        found = f"{where} is a store of files, which MLflow 3 does not read: "
        return Check("file store", False, found + "run 'mlflow migrate-filestore' once")
    return Check("file store", True, "none")


def check_tracking() -> Check:
    """The tracking database or server answers."""
    try:
        client = connect()
        experiments = len(all_pages(client.search_experiments))
    except UsageError as error:
        return Check("tracking", False, str(error))
    kind = urlparse(tracking_uri()).scheme.partition("+")[0]
    return Check("tracking", True, f"{kind} answers, {experiments} experiments")


def check_models() -> Check:
    """Champions and challengers still have the files that were registered."""
    try:
        in_use = versions_in_use(connect())
    except UsageError:
        return Check("models", True, "not checked: the store does not answer")
    if in_use.unusable:
        return Check("models", False, "; ".join(in_use.unusable))
    found = f"{in_use.versions} in use, all with their files"
    if in_use.unhashed:
        found += f" ({in_use.unhashed} registered without hashes: can't be checked)"
    return Check("models", True, found)


def check_history() -> Check:
    """No entry in the history of a champion was removed or changed."""
    try:
        broken = broken_histories(connect())
    except UsageError:
        return Check("history", True, "not checked: the store does not answer")
    return Check("history", not broken, "; ".join(broken) or "of all champions, without gaps")


def check_prefect() -> Check:
    """The Prefect server answers, and its scheduler plans runs."""
    if not (url := configured_server()):
        return Check("prefect", True, "no server configured: each flow starts a temporary one")
    url = without_login(url)
    try:
        with urlopen(f"{url}/health", timeout=5):
            pass
        with get_client(sync_client=True) as client:
            deployments = client.read_deployments()
            planned = [deployment for deployment in deployments if _is_scheduled(deployment)]
            idle = [each.name for each in planned if not _has_planned_run(client, each.id)]
    except HTTPStatusError as error:
        code = error.response.status_code
        found = "does not know this user: export PREFECT_API_AUTH_STRING=..."
        return Check("prefect", False, f"{url} {found if code == 401 else f'answers {code}'}")
    except UNANSWERED as error:
        return Check("prefect", False, f"{url} does not answer ({why_unanswered(error)})")
    if idle:
        found = f"{', '.join(idle)}: scheduled, but no run is planned: the scheduler does not work "
        return Check("prefect", False, found + "(as with SQLAlchemy 2.1) or has just started")
    return Check("prefect", True, f"answers, {len(planned)} scheduled deployments")


def _is_scheduled(deployment: DeploymentResponse) -> bool:
    return not deployment.paused and any(schedule.active for schedule in deployment.schedules)


def _has_planned_run(client: SyncPrefectClient, deployment_id: UUID) -> bool:
    state = filters.FlowRunFilterState(
        type=filters.FlowRunFilterStateType(
            any_=[StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING]
        )
    )
    return bool(
        client.read_flow_runs(
            deployment_filter=filters.DeploymentFilter(
                id=filters.DeploymentFilterId(any_=[deployment_id])
            ),
            flow_run_filter=filters.FlowRunFilter(state=state),
            limit=1,
        )
    )


def check_gpu() -> Check:
    """TensorFlow can use the machine's NVIDIA GPUs; otherwise it silently uses the CPU."""
    present = _gpus_of_the_machine()
    if not present:
        return Check("gpu", True, "none: trainings run on the CPU")
    code = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    visible = int(done.stdout.strip() or 0)
    if visible:
        return Check("gpu", True, f"TensorFlow sees {visible} of {present}")
    found = f"the machine has {present}, TensorFlow sees none: pip install 'finance-flows[gpu]', "
    return Check("gpu", False, found + "and check CUDA_VISIBLE_DEVICES")


def _gpus_of_the_machine() -> int:
    if not shutil.which("nvidia-smi"):
        return 0
    done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    return len([line for line in done.stdout.splitlines() if line.startswith("GPU ")])


def check_clock() -> Check:
    """The clock of this machine agrees with those of the servers, and is not behind any run."""
    now = datetime.now(UTC)
    clock_differences = {}
    for url in (tracking_uri(), configured_server() or ""):
        if is_server(url) and (server_time := _server_time(url)):
            clock_differences[urlparse(url).hostname or url] = abs(
                (server_time - now).total_seconds()
            )
    differences = [
        f"{host} by {seconds:.0f} s"
        for host, seconds in clock_differences.items()
        if seconds > MAXIMUM_CLOCK_DIFFERENCE_SECONDS
    ]
    try:
        newest = newest_start(connect())
    except UsageError:
        newest = None
    if newest and (newest - now).total_seconds() > MAXIMUM_CLOCK_DIFFERENCE_SECONDS:
        differences.append(f"the newest run, which started at {newest:%Y-%m-%d %H:%M}")
    found = (
        f"differs from {'; '.join(differences)}: set it by NTP"
        if differences
        else f"{now:%Y-%m-%d %H:%M} UTC"
    )
    return Check("clock", not differences, found)


def _server_time(url: str) -> datetime | None:
    try:
        with urlopen(f"{without_login(url).rstrip('/')}/health", timeout=5) as answer:
            return parsedate_to_datetime(answer.headers["Date"])
    except (OSError, TypeError, ValueError):
        return None


def check_disk(at_least_gib: float = 2) -> Check:
    """There is disk space for checkpoints, artifacts and databases."""
    folder = local_folder()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 2**30
    found = f"{free:.1f} GiB free on {socket.gethostname()}"
    too_little = "" if free >= at_least_gib else f", at least {at_least_gib} needed"
    return Check("disk", not too_little, found + too_little)
