"""Counts for Prometheus: requests and their seconds, rows and refused rows, and which version of
the model answers since when."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)


class Metrics:
    """The counts of this process; ``page`` has those of all processes of the server, which share
    the folder ``PROMETHEUS_MULTIPROC_DIR`` where there are several."""

    def __init__(self) -> None:
        _forget_dead_processes()
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "finflows_requests", "Requests for scores, and refused logins.", ["status"],
            registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "finflows_request_seconds",
            "From the head of a request to its answer.",
            buckets=SECONDS,
            registry=registry,
        )
        self.in_progress = Gauge(
            "finflows_answers_in_progress",
            "Tables that are being scored, also for requests that were answered with 504.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.rows, self.broken = (
            Counter(f"finflows_rows{name}", said, ["model_version"], registry=registry)
            for name, said in (
                ("", "Rows that were answered."),
                ("_with_broken_rules", "Of them, those that break a rule of the contract."),
            )
        )
        self._of_versions()

    def _of_versions(self) -> None:
        """What is told of the versions of the model. Times are seconds since 1970, the latest of
        all processes."""
        self.processes = Gauge(
            "finflows_model_processes",
            "Processes that answer with this version.",
            ["model_version"],
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.since, self.refused, self.checked = (
            Gauge(
                f"finflows_{name}_timestamp_seconds",
                said,
                [label],
                registry=self.registry,
                multiprocess_mode="max",
            )
            for name, label, said in (
                ("model_since", "model_version", "When this version began to answer."),
                ("champion_refused", "model_version", "When this champion could not take over."),
                ("champion_checked", "alias", "When the registry last said who is champion."),
            )
        )

    def answers_with(self, version: str, before: str | None = None) -> None:
        """This process answers with ``version`` from now on, no longer with ``before``."""
        if before is not None:
            self.processes.labels(before).set(0)
        self.processes.labels(version).set(1)
        self.since.labels(version).set(time.time())

    def champion_checked(self, when: float, refused: Mapping[str, float]) -> None:
        """When the champion was last looked up, and when which versions could not take over."""
        self.checked.labels("champion").set(when)
        for version, refused_at in refused.items():
            self.refused.labels(version).set(refused_at)

    def refuse_login(self) -> None:
        self.requests.labels("401").inc()

    def observe(self, status: int, seconds: float) -> None:
        self.requests.labels(str(status)).inc()
        self.seconds.observe(seconds)

    def count(self, version: str, answers: list[dict[str, Any]]) -> None:
        self.rows.labels(version).inc(len(answers))
        self.broken.labels(version).inc(sum(bool(row["broken_rules"]) for row in answers))

    def page(self) -> tuple[bytes, str]:
        """The page that Prometheus reads, and its content type."""
        registry = self.registry
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST


def _forget_dead_processes() -> None:
    """What processes of this server were doing when they were killed, they do no longer."""
    for file in Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", os.devnull)).glob("gauge_live*.db"):
        number = int(file.stem.rpartition("_")[2])
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            mark_process_dead(number)  # type: ignore[no-untyped-call]
