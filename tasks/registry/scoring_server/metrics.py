"""Counts for Prometheus: requests and their seconds, rows and refused rows."""

import os
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)


class Metrics:
    """The counts of this process; ``page`` has those of all processes of the server, which share
    the folder ``PROMETHEUS_MULTIPROC_DIR`` where there are several."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "finflows_requests", "Answered requests for scores.", ["status"], registry=registry
        )
        self.seconds = Histogram(
            "finflows_request_seconds",
            "From the head of a request to its answer.",
            buckets=SECONDS,
            registry=registry,
        )
        self.rows, self.broken = (
            Counter(f"finflows_rows{name}", said, ["model_version"], registry=registry)
            for name, said in (
                ("", "Rows that were answered."),
                ("_with_broken_rules", "Of them, those that break a rule of the contract."),
            )
        )

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
