"""Repeat a finished training, and report what differs."""

import logging

from pydantic import BaseModel

from flows.train import train
from tasks.registry.reproduction import Reproduction, compare_runs, what_changed
from tasks.tracking.resuming import parameters_of

log = logging.getLogger("finflows")


class Reproduced(BaseModel):
    """The run, its repetition, and each difference, causes before effects."""

    run_id: str
    repeated_as: str
    compared: int
    differences: list[tuple[str, str, str]]

    @property
    def first_difference(self) -> str | None:
        return self.differences[0][0] if self.differences else None

    def text(self) -> str:
        """A few lines to read."""
        if not self.differences:
            return f"identical: {self.compared} facts and metrics of run {self.run_id}"
        lines = [f"  {name:40} {was} -> {now}" for name, was, now in self.differences]
        return "\n".join([f"differs first in {self.first_difference}:", *lines])


def reproduce_run(run_id: str) -> Reproduced:
    """Train again with the parameters of a finished run, in a new run that registers nothing.

    The results are identical only with the same commit, lock and data: what has changed is logged
    first. Raises UsageError where the run is not a finished training.
    """
    parameters = parameters_of(run_id, finished=True)
    for name, was, now in what_changed(run_id):
        log.info("%-11s %s: %s then, %s now", "changed", name, was, now)
    repeated = train(**{**parameters, "to_registry": False})
    outcome: Reproduction = compare_runs(run_id, repeated.run_id)
    return Reproduced(run_id=run_id, repeated_as=repeated.run_id, **outcome._asdict())
