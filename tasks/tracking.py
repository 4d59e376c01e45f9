"""The one module that talks to MLflow: the store, the run of a training, the registry."""

import hashlib
import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import mlflow
import pandas as pd
import psutil
from filelock import FileLock
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from prefect import task
from prefect.cache_policies import NO_CACHE

from modelling.declaration import UseCase
from modelling.evaluation import Verdict
from modelling.history import History
from modelling.packaging import Package
from modelling.refusals import DataRefused, UsageError
from modelling.splitting import Parts

if TYPE_CHECKING:
    import keras

log = logging.getLogger("finflows")
ROOT = Path(__file__).resolve().parents[1]
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
LEARNING_CURVE_PNG, LEARNING_CURVE_CSV = "learning_curve.png", "learning_curve.csv"
REPORT = "report.md"
TRAVELLING_MODEL = Path(__file__).with_name("registered_model.py")


def tracking_uri() -> str:
    """``MLFLOW_TRACKING_URI`` where it is set, else the SQLite store under ``mlruns/``."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{ROOT / 'mlruns' / 'mlflow.db'}"


@cache
def connect() -> MlflowClient:
    """A client of the store, which is created if it is new. Raises UsageError if out of reach."""
    uri = tracking_uri()
    scheme = urlparse(uri).scheme.partition("+")[0]
    if scheme in ("", "file"):
        raise UsageError(
            f"MLFLOW_TRACKING_URI={uri} is a file store, which MLflow 3 no longer writes: run "
            "'mlflow migrate-filestore' once, then name the sqlite:/// address"
        )
    mlflow.set_tracking_uri(uri)
    try:
        _refuse_deaf_server(uri)
        client = MlflowClient(uri, registry_uri=os.environ.get("MLFLOW_REGISTRY_URI", uri))
        if scheme == "sqlite":
            _create_database(client, uri)
        client.search_experiments(max_results=1)
    except Exception as error:
        shown = uri.rpartition("@")[2] if "@" in uri else uri
        reason = str(error) if isinstance(error, ImportError) else type(error).__name__
        raise UsageError(
            f"the tracking server {shown} can't be reached ({reason}): start it, or "
            "unset MLFLOW_TRACKING_URI to use the local store"
        ) from None
    return client


def _refuse_deaf_server(uri: str) -> None:
    """MLflow itself would try for minutes."""
    address = urlparse(uri)
    ports = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
    port = address.port or ports.get(address.scheme.partition("+")[0])
    if address.hostname and port:
        socket.create_connection((address.hostname, port), timeout=5).close()


def _create_database(client: MlflowClient, uri: str) -> None:
    """One process at a time: started together on a fresh file, they fail in its migrations."""
    path = Path(uri.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock", timeout=120):
        client.search_experiments(max_results=1)


def _experiment_id(client: MlflowClient, name: str) -> str:
    if (experiment := client.get_experiment_by_name(name)) is not None:
        return experiment.experiment_id
    uri, location = tracking_uri(), None
    if uri.startswith("sqlite:///"):
        location = (Path(uri.removeprefix("sqlite:///")).resolve().parent / "artifacts").as_uri()
    elif uri.startswith(DATABASES):
        location = (ROOT / "mlruns" / "artifacts").as_uri()
    try:
        return client.create_experiment(name, artifact_location=location)
    except MlflowException:  # another process was first
        experiment = client.get_experiment_by_name(name)
        assert experiment is not None
        return experiment.experiment_id


def _gate_tags(gate: Verdict) -> dict[str, str]:
    return {"gate": "passed" if gate.passed else "failed", "gate_reason": gate.reason}


@dataclass
class TrackedRun:
    """One training in MLflow. Nothing here depends on MLflow's thread-local active run."""

    client: MlflowClient
    run_id: str
    experiment_id: str
    artifact_uri: str
    pending: list[Metric] = field(default_factory=list)
    flushed_at: float = field(default_factory=time.monotonic)

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Each metric at ``step=epoch``; written about once a second, however short the epochs."""
        now = int(time.time() * 1000)
        self.pending += [Metric(name, value, now, epoch) for name, value in metrics.items()]
        if time.monotonic() - self.flushed_at > 1:
            self.flush()

    def flush(self) -> None:
        pending, self.pending = self.pending, []
        for first in range(0, len(pending), 1000):
            self.client.log_batch(self.run_id, metrics=pending[first : first + 1000])
        self.flushed_at = time.monotonic()

    def log_data(self, parts: Parts, report_markdown: str, data_hash: str, source: str) -> None:
        """The three parts as dataset inputs told apart by their context, and the report."""
        inputs = [
            DatasetInput(
                Dataset(
                    name=part,
                    digest=hashlib.sha256(f"{data_hash} {part}".encode()).hexdigest()[:36],
                    source_type="finance-flows",
                    source=json.dumps({"uri": source}),
                    profile=json.dumps({"num_rows": len(rows)}),
                ),
                [InputTag("mlflow.data.context", part)],
            )
            for part, rows in parts._asdict().items()
        ]
        self.client.log_inputs(self.run_id, inputs)
        self.log_text(report_markdown, "validation_report.md")
        self.log_tags({"data_hash": data_hash})

    def log_training(self, history: History, network: "keras.Model", figure: Figure) -> None:
        """What training showed: best epoch, speed, the learning curve as picture and numbers."""
        self.flush()
        self.log_metrics(
            {
                "best_epoch": history.best_epoch,
                "best_val_loss": history.best_val_loss,
                "rows_per_second": history.rows_per_second,
                "training_seconds": history.seconds,
            }
        )
        summary: list[str] = []
        network.summary(print_fn=summary.append, line_length=88)
        self.log_text("\n".join(summary), "model_summary.txt")
        self.log_text(pd.DataFrame(history.metrics).to_csv(index_label="epoch"), LEARNING_CURVE_CSV)
        save = {"dpi": 120}
        self.client.log_figure(self.run_id, figure, LEARNING_CURVE_PNG, save_kwargs=save)

    def log_test(self, metrics: Mapping[str, float], gate: Verdict) -> None:
        """The metrics of the test rows as ``test_*``, and what the gate says of them."""
        self.log_metrics({f"test_{name}": value for name, value in metrics.items()})
        self.log_tags(_gate_tags(gate))

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        now = int(time.time() * 1000)
        batch = [Metric(name, float(value), now, 0) for name, value in metrics.items()]
        self.client.log_batch(self.run_id, metrics=batch)

    def log_tags(self, tags: Mapping[str, Any]) -> None:
        batch = [RunTag(name, str(value)[:8000]) for name, value in tags.items()]
        self.client.log_batch(self.run_id, tags=batch)

    def log_text(self, text: str, file: str) -> None:
        self.client.log_text(self.run_id, text, file)

    @property
    def paths(self) -> dict[str, str]:
        """Where the run's things are, for people and scripts."""
        return {
            "tracking_uri": tracking_uri(),
            "artifacts": self.artifact_uri,
            "learning_curve": f"{self.artifact_uri}/{LEARNING_CURVE_PNG}",
            "report": f"{self.artifact_uri}/{REPORT}",
            "ui": self.address,
        }

    @property
    def address(self) -> str:
        """Where MLflow's UI shows the run, behind the UI's own address."""
        return f"/#/experiments/{self.experiment_id}/runs/{self.run_id}"


@contextmanager
def tracked_run(use_case: UseCase, flow_run_id: str | None) -> Iterator[TrackedRun]:
    """A run of the use case's experiment, which ends FINISHED, FAILED or KILLED with the reason."""
    client = connect()
    experiment_id = _experiment_id(client, use_case.name)
    _close_dead_runs(client, experiment_id)
    tags = {**_provenance(use_case), "prefect_flow_run": flow_run_id or "none"}
    run = client.create_run(experiment_id, tags=tags)
    tracked = TrackedRun(client, run.info.run_id, experiment_id, run.info.artifact_uri)
    parameters = flat_parameters(use_case)
    client.log_batch(tracked.run_id, params=[Param(k, v) for k, v in parameters.items()])
    tracked.log_text(use_case.model_dump_json(indent=2), "declaration.json")
    try:
        yield tracked
        tracked.flush()
    except BaseException as error:
        _close(tracked, error)
        raise
    client.set_terminated(tracked.run_id, "FINISHED")


def _close(tracked: TrackedRun, error: BaseException) -> None:
    tracked.flush()
    reason = str(error).partition("\n")[0] or type(error).__name__
    if not isinstance(error, DataRefused | UsageError):
        # The text of an unexpected error may quote cells; its kind does not.
        reason = type(error).__name__
    tracked.log_tags({"failure": reason, "mlflow.note.content": f"Failed: {reason}"})
    if isinstance(error, DataRefused) and error.broken:
        lines = [f"- {one.column}: {one.rule} ({one.rows} rows)" for one in error.broken]
        tracked.log_text("\n".join([reason, "", *lines, ""]), "validation_report.md")
    status = "FAILED" if isinstance(error, Exception) else "KILLED"
    tracked.client.set_terminated(tracked.run_id, status)


def _provenance(use_case: UseCase) -> dict[str, str]:
    """Where a run comes from: enough to repeat it, and to see later whether its process died."""
    lock = ROOT / "requirements.lock"
    lock_hash = hashlib.sha256(lock.read_bytes()).hexdigest()[:16] if lock.exists() else "none"
    changed = _git("status", "--porcelain")
    commit = _git("rev-parse", "HEAD")
    return {
        "use_case": use_case.name,
        "git_commit": commit or "none",
        "git_dirty": str(bool(changed)).lower() if commit else "unknown",
        "lock_hash": lock_hash,
        "seed": str(use_case.training.seed),
        "process": _process(os.getpid()),
        "mlflow.source.name": "flows/train.py",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": commit,
    }


def _git(*arguments: str) -> str:
    try:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _process(pid: int) -> str:
    """A process of this machine beyond reuse of its number: host, pid and when it started."""
    try:
        return f"{socket.gethostname()} {pid} {psutil.Process(pid).create_time():.0f}"
    except psutil.NoSuchProcess:
        return f"{socket.gethostname()} {pid} gone"


def _close_dead_runs(client: MlflowClient, experiment_id: str) -> None:
    """Runs of this machine that say RUNNING but whose process was killed become KILLED."""
    running = client.search_runs([experiment_id], "attributes.status = 'RUNNING'")
    for run in running:
        host, _, rest = run.data.tags.get("process", "").partition(" ")
        pid = rest.partition(" ")[0]
        if host == socket.gethostname() and run.data.tags["process"] != _process(int(pid)):
            reason = f"process {pid} was killed"
            client.set_tag(run.info.run_id, "failure", reason)
            client.set_tag(run.info.run_id, "mlflow.note.content", f"Failed: {reason}")
            client.set_terminated(run.info.run_id, "KILLED")


def flat_parameters(use_case: UseCase) -> dict[str, str]:
    """The settings of a declaration by dotted name, as text; columns and rules are left out."""
    flat: dict[str, str] = {"problem": use_case.problem, "target": use_case.target}
    flat |= {"duplicates": use_case.duplicates, "cut_off": str(use_case.cut_off)}
    flat["features"] = str(len(use_case.features))
    for name in ("split", "preprocessing", "network", "training"):
        settings = getattr(use_case, name).model_dump(mode="json")
        flat |= {f"{name}.{setting}": str(value)[:6000] for setting, value in settings.items()}
    return flat


def is_passing(_task, _run, state) -> bool:
    """Retry what can pass by itself: a locked database, a server that does not answer."""
    try:
        state.result()
    except (MlflowException, ConnectionError, OSError) as error:
        return not isinstance(error, UsageError)
    except Exception:
        return False
    return False


@task(
    name="register",
    retries=3,
    retry_delay_seconds=[1, 5, 15],
    retry_condition_fn=is_passing,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def register_model(run: TrackedRun, package: Package, gate: Verdict) -> str:
    """Log the packaged model to the run, register it, call it ``challenger``; its version."""
    from mlflow.models.signature import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType

    # With type double MLflow would refuse a whole number, and quote the row: the scorer converts.
    inputs: list = [ColSpec(AnyType(), name) for name in package.inputs]
    answers = {"float64": DataType.double, "int64": DataType.long, "str": DataType.string}
    outputs: list = [ColSpec(answers[kind], name) for name, kind in package.outputs.items()]
    logged = Model.log(
        artifact_path=None,
        name="model",
        flavor=mlflow.pyfunc,
        run_id=run.run_id,
        python_model=str(TRAVELLING_MODEL),
        artifacts={"scorer": str(package.folder)},
        signature=ModelSignature(Schema(inputs), Schema(outputs)),
        input_example=package.example,
        pip_requirements=list(package.requirements),
    )
    try:
        run.client.create_registered_model(package.name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    registered = run.client.create_model_version(
        package.name, logged.model_uri, run.run_id, model_id=logged.model_id
    )
    version = str(registered.version)
    for name, value in _gate_tags(gate).items():
        run.client.set_model_version_tag(package.name, version, name, value)
    run.client.set_registered_model_alias(package.name, "challenger", version)
    log.info("%-11s %s version %s, alias challenger", "registered", package.name, version)
    return version


def serve_ui(port: int) -> None:
    """MLflow's own UI over the store, on 127.0.0.1, until it is interrupted."""
    connect()
    command = [sys.executable, "-m", "mlflow", "ui", "--host", "127.0.0.1", "--port", str(port)]
    subprocess.run([*command, "--backend-store-uri", tracking_uri()], check=False)
