"""The usual traps of this stack, each as a check that says what it found."""

import shutil
import socket
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.parse import urlparse
from urllib.request import urlopen
from uuid import UUID

from httpx import HTTPStatusError
from packaging.requirements import Requirement
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import filters
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import PREFECT_API_URL

from modelling.refusals import UsageError
from modelling.secrets import hide_secrets, without_login
from tasks.registry.champions import broken_histories
from tasks.registry.model_files import versions_in_use
from tasks.tracking.leaderboard import newest_start
from tasks.tracking.pages import all_pages
from tasks.tracking.store import ROOT, connect, is_file_store, local_folder, tracking_uri

SECONDS_APART = 30


class Check(NamedTuple):
    """One check: whether all is well, and what was found or what to do."""

    name: str
    passed: bool
    finding: str


def examine() -> list[Check]:
    """All checks, in the order in which one would look."""
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
    return [one._replace(finding=hide_secrets(one.finding)) for one in found]


def check_versions(declared: Path = ROOT / "pyproject.toml") -> Check:
    """Installed packages against the bounds that this project declares, each for a reason."""
    project = tomllib.loads(declared.read_text(encoding="utf-8"))["project"]
    broken = []
    for requirement in map(Requirement, project["dependencies"]):
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            broken.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            broken.append(f"{requirement.name} {installed}, wanted {requirement.specifier}")
    finding = "; ".join(broken) + ": run make setup" if broken else "as declared"
    return Check("versions", not broken, finding)


def check_file_store() -> Check:
    """A store of plain files, which MLflow 3 no longer reads."""
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
        return Check("models", True, "not looked at: the store does not answer")
    if in_use.unusable:
        return Check("models", False, "; ".join(in_use.unusable))
    found = f"{in_use.versions} in use, all with their files"
    if in_use.unhashed:
        found += f" ({in_use.unhashed} registered without hashes: can't be checked)"
    return Check("models", True, found)


def check_history() -> Check:
    """No entry of who was champion, when and why, was removed or changed."""
    try:
        broken = broken_histories(connect())
    except UsageError:
        return Check("history", True, "not looked at: the store does not answer")
    return Check("history", not broken, "; ".join(broken) or "of all champions, without gaps")


def check_prefect() -> Check:
    """The Prefect server answers, and its scheduler plans ahead."""
    if not (url := PREFECT_API_URL.value()):
        return Check("prefect", True, "no server configured: each flow starts one for its time")
    try:
        with urlopen(f"{without_login(url)}/health", timeout=5):
            pass
        with get_client(sync_client=True) as client:
            planned = [one for one in client.read_deployments() if _is_scheduled(one)]
            idle = [one.name for one in planned if not _plans(client, one.id)]
    except (URLError, OSError, ValueError) as error:
        return Check("prefect", False, f"{url} does not answer ({type(error).__name__})")
    except HTTPStatusError as error:
        code = error.response.status_code
        found = "does not know this user: export PREFECT_API_AUTH_STRING=..."
        return Check("prefect", False, f"{url} {found if code == 401 else f'answers {code}'}")
    if idle:
        found = f"{', '.join(idle)}: scheduled, but no run is planned; the scheduler is dead "
        return Check("prefect", False, found + "(SQLAlchemy 2.1 does that) or has just begun")
    return Check("prefect", True, f"answers, {len(planned)} scheduled deployments")


def _is_scheduled(deployment: DeploymentResponse) -> bool:
    return not deployment.paused and any(one.active for one in deployment.schedules)


def _plans(client: SyncPrefectClient, deployment_id: UUID) -> bool:
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
    """Where the machine has NVIDIA GPUs, TensorFlow sees them too; soft placement hides it."""
    present = _gpus_of_the_machine()
    if not present:
        return Check("gpu", True, "none here: trainings run on the CPU")
    code = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    seen = int(done.stdout.strip() or 0)
    if seen:
        return Check("gpu", True, f"TensorFlow sees {seen} of {present}")
    found = f"the machine has {present}, TensorFlow sees none: pip install 'finance-flows[gpu]', "
    return Check("gpu", False, found + "and look at CUDA_VISIBLE_DEVICES")


def _gpus_of_the_machine() -> int:
    if not shutil.which("nvidia-smi"):
        return 0
    done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    return len([line for line in done.stdout.splitlines() if line.startswith("GPU ")])


def check_clock() -> Check:
    """This clock against the servers' clocks, and against the newest run: it must not be ahead."""
    now = datetime.now(UTC)
    others = {}
    for url in (tracking_uri(), PREFECT_API_URL.value() or ""):
        if url.startswith(("http:", "https:")) and (said := _date_of(url)):
            others[urlparse(url).hostname or url] = abs((said - now).total_seconds())
    late = [f"{host} by {apart:.0f} s" for host, apart in others.items() if apart > SECONDS_APART]
    try:
        newest = newest_start(connect())
    except UsageError:
        newest = None
    if newest and (newest - now).total_seconds() > SECONDS_APART:
        late.append(f"the newest run, which began at {newest:%Y-%m-%d %H:%M}")
    found = (
        f"differs from {'; '.join(late)}: set it by NTP" if late else f"{now:%Y-%m-%d %H:%M} UTC"
    )
    return Check("clock", not late, found)


def _date_of(url: str) -> datetime | None:
    try:
        with urlopen(f"{without_login(url).rstrip('/')}/health", timeout=5) as answer:
            return parsedate_to_datetime(answer.headers["Date"])
    except (URLError, OSError, TypeError, ValueError):
        return None


def check_disk(at_least_gib: float = 2) -> Check:
    """Room for checkpoints, artifacts and databases."""
    folder = local_folder()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 2**30
    found = f"{free:.1f} GiB free on {socket.gethostname()}"
    wanted = "" if free >= at_least_gib else f", at least {at_least_gib} wanted"
    return Check("disk", not wanted, found + wanted)
