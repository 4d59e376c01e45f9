"""What is known of a registered version: what its run and the version before it recorded."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from tasks.registry.promotion_history import versions
from tasks.tracking.record import REMEDY_SETTINGS, REPORT
from tasks.tracking.resuming import DECLARATION


@dataclass(frozen=True)
class Facts:
    """A version, its run with its files in ``folder``, and the version before with its run."""

    version: ModelVersion
    run: Run
    folder: Path
    before: ModelVersion | None
    run_before: Run | None
    declaration_before: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.version.name)

    @property
    def declaration(self) -> dict[str, Any]:
        """The settings that the model was trained with."""
        return _declared(self.text(DECLARATION), self.run)

    def card(self, field: str) -> str:
        """What the declaration says in ``card``; empty where it says nothing."""
        return str(self.declaration.get("card", {}).get(field, "")).strip()

    def tag(self, name: str) -> str:
        return str(self.run.data.tags.get(name, ""))

    def text(self, file: str) -> str:
        """A text file of the run; empty where the run has none."""
        path = self.folder / file
        return path.read_text() if path.exists() else ""

    def rows(self, file: str) -> list[list[str]]:
        """The rows of a CSV file of the run, the names first; empty where the run has none."""
        return [*csv.reader(self.text(file).splitlines())]

    @property
    def report_head(self) -> str:
        """The first lines of the report: the gate and the headline metrics beside the baselines."""
        return self._report[0].partition("\n")[2].strip()

    def report_sections(self, *headings: str) -> list[str]:
        """Those sections of the report that are there, without their headings."""
        found = dict(section.split("\n", 1) for section in self._report[1:])
        return [found[heading].strip() for heading in headings if heading in found]

    @property
    def _report(self) -> list[str]:
        return self.text(REPORT).split("\n## ")

    def pictures(self, pattern: str = "**/*.png") -> dict[str, bytes]:
        """The pictures of the run that match, by their path in it."""
        found = sorted(self.folder.glob(pattern))
        return {file.relative_to(self.folder).as_posix(): file.read_bytes() for file in found}


def _declared(text: str, run: Run) -> dict[str, Any]:
    """The declaration in ``text``, with what the remedies of the run changed in it."""
    declared: dict[str, Any] = json.loads(text) if text else {}
    for name, value in json.loads(run.data.tags.get(REMEDY_SETTINGS, "{}")).items():
        room, _, setting = name.rpartition(".")
        (declared[room] if room else declared)[setting] = value
    return declared


@contextmanager
def facts_of(client: MlflowClient, name: str, version: str) -> Iterator[Facts]:
    """The facts of a version, with its run's files in a temporary folder for the block."""
    found = client.get_model_version(name, version)
    earlier = [one for one in versions(client, name) if int(one.version) < int(version)]
    before = earlier[-1] if earlier else None
    with TemporaryDirectory(prefix="finflows-dossier-") as folder:
        mlflow.artifacts.download_artifacts(run_id=found.run_id, dst_path=folder)
        run_before, declared = _run_before(client, before)
        yield Facts(
            found, client.get_run(str(found.run_id)), Path(folder), before, run_before, declared
        )


def _run_before(
    client: MlflowClient, before: ModelVersion | None
) -> tuple[Run | None, dict[str, Any]]:
    """The run of the version before with its settings; None where it has none, or was removed."""
    if before is None:
        return None, {}
    try:
        run = client.get_run(str(before.run_id))
        return run, _declared(_text_of(client, str(before.run_id)), run)
    except MlflowException:
        return None, {}


def _text_of(client: MlflowClient, run_id: str) -> str:
    if DECLARATION not in {file.path for file in client.list_artifacts(run_id)}:
        return ""
    return str(mlflow.artifacts.load_text(f"runs:/{run_id}/{DECLARATION}"))
