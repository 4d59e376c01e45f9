"""What a training records in its MLflow run: epochs, data, learning curve, metrics, reports."""

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, RunTag

from modelling.data.splitting import Parts
from modelling.judgement.evaluation import RequirementResult, gate_state
from modelling.judgement.groups.description import group_metrics, group_records, slice_records
from modelling.judgement.judging import Judgement
from modelling.learning_curve.diagnosis import Diagnosis
from modelling.learning_curve.history import History
from modelling.refusals import DataRefused
from modelling.secrets import hide_secrets
from modelling.shown_text import shortened
from tasks.tracking.addresses import checkpoint_folder, run_path, scratch_folder, tracking_uri
from tasks.tracking.results import JUDGEMENT, all_results, as_json, shown_results
from tasks.tracking.unfinished_files import unfinished_folder

if TYPE_CHECKING:  # drawing comes last
    from matplotlib.figure import Figure

log = logging.getLogger("finflows")
LONGEST_TAG = 8000  # characters that servers take
LEARNING_CURVE_PNG, LEARNING_CURVE_CSV = "learning_curve.png", "learning_curve.csv"
REPORT, REPORT_WITH_PICTURES = "report.md", "report.html"
REMEDY_SETTINGS = "remedy_settings"  # a tag: what remedies changed, since parameters can't be


def gate_tags(gate: RequirementResult) -> dict[str, str]:
    """The result of the gate as tags of a run or a version."""
    return {"gate": gate_state(gate), "gate_reason": gate.reason}


class Picture(NamedTuple):
    """A picture that the run has: its title, and the bytes of its PNG file."""

    finding: str
    png: bytes


@dataclass
class TrackedRun:
    """The MLflow run of a training; MLflow's active run, which is thread-local, is not used."""

    client: MlflowClient
    run_id: str
    experiment_id: str
    artifact_uri: str
    resumed: bool = False
    logged: set[tuple[str, int]] = field(default_factory=set)
    pending: list[Metric] = field(default_factory=list)
    flushed_at: float = field(default_factory=time.monotonic)
    pictures: dict[str, Picture] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.resumed:  # the epochs that the killed process had logged
            names = self.client.get_run(self.run_id).data.metrics
            for name in names:
                history = self.client.get_metric_history(self.run_id, name)
                self.logged |= {(name, metric.step) for metric in history}

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Log each metric at ``step=epoch``, once; sent about once a second.

        The losses come first: MLflow's pages of a run list metrics as they came.
        """
        now = int(time.time() * 1000)
        losses_first = sorted(metrics, key=lambda name: name.removeprefix("val_") != "loss")
        for name in losses_first:
            if (name, epoch) not in self.logged:
                self.logged.add((name, epoch))
                self.pending.append(Metric(name, metrics[name], now, epoch))
        if time.monotonic() - self.flushed_at > 1:
            self.flush()

    def flush(self) -> None:
        """Send the pending metrics; where that fails, they are sent with the next ones."""
        while batch := self.pending[:1000]:
            self.client.log_batch(self.run_id, metrics=batch)
            del self.pending[:1000]
        self.flushed_at = time.monotonic()

    def log_data(
        self,
        parts: Parts,
        report_markdown: str,
        data_hash: str,
        source: str,
        unlabelled: int = 0,
    ) -> None:
        """Log which data these are, first; then the three parts as dataset inputs with different
        contexts, the report, and how many rows were left out since they were ``unlabelled``.

        Raises DataRefused where a resumed run had other data.
        """
        run = self.client.get_run(self.run_id)
        seen = run.data.tags.get("data_hash")
        if seen not in (None, data_hash):
            raise DataRefused("the data have changed since this run started: start a new training")
        if self.resumed and seen is None:
            log.info("%-11s it had not recorded its data: these may be other rows", "resumed")
        self.log_tags({"data_hash": data_hash})
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
        if run.inputs is None or not run.inputs.dataset_inputs:
            self.client.log_inputs(self.run_id, inputs)
        self.log_text(report_markdown, "validation_report.md")
        if unlabelled:
            self.log_metrics({"rows_without_label": unlabelled})

    def log_curve(self, history: History, diagnosis: Diagnosis, figure: "Figure") -> None:
        """Log the learning curve as figure and numbers, its diagnosis, and the speed."""
        self.flush()
        metrics = {
            "best_epoch": history.best_epoch + 1,  # from 1, as everywhere for people
            "best_val_loss": history.best_val_loss,
            "constant_val_loss": history.constant_val_loss,
            "group_lasso": history.group_lasso,
            "rows_per_second": history.rows_per_second,
            "training_seconds": history.seconds,
        }
        self.log_metrics({name: value for name, value in metrics.items() if value is not None})
        self.log_tags(
            {
                "learning_curve": diagnosis.verdict,
                "learning_curve_evidence": diagnosis.evidence,
                "leak_suspected": diagnosis.leak_suspected or "no",
                "compiled": f"no: {history.not_compiled}" if history.not_compiled else "yes",
            }
        )
        by_epoch = pd.DataFrame(history.metrics)
        by_epoch.index += 1
        self.log_text(by_epoch.to_csv(index_label="epoch"), LEARNING_CURVE_CSV)
        self.log_picture(figure, LEARNING_CURVE_PNG)

    def log_test(self, metrics: Mapping[str, float]) -> None:
        """Log the metrics of the test rows as ``test_*``."""
        self.log_metrics({f"test_{name}": value for name, value in metrics.items()})

    def log_judgement(self, judgement: Judgement, figures: "Mapping[str, Figure]") -> None:
        """Log the results that people compare runs by as metrics, and all of them in a file; the
        gate; and the figures."""
        self.log_metrics(shown_results(judgement))
        self.log_text(as_json(all_results(judgement)), JUDGEMENT)
        lost = ", ".join(judgement.lost_to) or "none"
        self.log_tags({**gate_tags(judgement.gate), "lost_to": lost})
        unknown = json.dumps(judgement.unknown)
        self.log_tags({"headline": judgement.use_case.headline[0], "unknown_labels": unknown})
        for name, figure in figures.items():
            self.log_picture(figure, f"judgement/{name}.png")

    def log_picture(self, figure: "Figure", file: str) -> None:
        """Draw and log a picture, and keep it for the report."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        path = Path(file)
        with TemporaryDirectory() as folder:
            drawn = Path(folder) / path.name
            # savefig would draw twice, for its layout
            FigureCanvasAgg(figure).print_png(drawn)  # type: ignore[no-untyped-call]
            self.client.log_artifact(self.run_id, str(drawn), str(path.parent).strip("."))
            finding = figure.get_suptitle().replace("\n", " ")
            self.pictures[file] = Picture(finding, drawn.read_bytes())

    def log_groups(self, judgement: Judgement) -> None:
        """Log what is known of groups and segments as ``groups/*``, and as JSON for programs."""
        self.log_metrics(group_metrics(judgement))
        records = {"groups": group_records(judgement), "slices": slice_records(judgement)}
        for name, found in records.items():
            if found:
                self.log_text(json.dumps(found, indent=2), f"judgement/{name}.json")

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        now = int(time.time() * 1000)
        batch = [Metric(name, float(value), now, 0) for name, value in metrics.items()]
        self.client.log_batch(self.run_id, metrics=batch)

    def log_tags(self, tags: Mapping[str, Any]) -> None:
        batch = [RunTag(name, shortened(str(value), LONGEST_TAG)) for name, value in tags.items()]
        self.client.log_batch(self.run_id, tags=batch)

    def log_text(self, text: str, file: str) -> None:
        self.client.log_text(self.run_id, text, file)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder of this machine for the duration of the run; only its owner can read it."""
        # The process that trains would make it for its own account alone.
        self.checkpoint_folder.parent.mkdir(parents=True, exist_ok=True)
        with unfinished_folder(scratch_folder(self.run_id)) as folder:
            yield folder

    @property
    def checkpoint_folder(self) -> Path:
        """The folder of the run's checkpoints on this machine; removed when the run is finished."""
        return checkpoint_folder(self.run_id)

    @property
    def paths(self) -> dict[str, str]:
        """The addresses of the run and its files, for people and scripts."""
        return {
            "tracking_uri": hide_secrets(tracking_uri()),
            "artifacts": self.artifact_uri,
            "learning_curve": f"{self.artifact_uri}/{LEARNING_CURVE_PNG}",
            "report": f"{self.artifact_uri}/{REPORT}",
            "ui": self.address,
        }

    @property
    def address(self) -> str:
        """The path of the run in MLflow's UI, after the address of the UI."""
        return run_path(self.experiment_id, self.run_id)
