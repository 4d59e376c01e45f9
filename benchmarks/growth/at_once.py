"""Several trainings of one use case, started together and one after the other."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from rich.table import Table

from benchmarks.cpu_by_part import MeasuredTraining

USE_CASE, TRAININGS, QUICK_TRAININGS = "credit_scoring", 4, 2
Run = Callable[[int], MeasuredTraining]


class Taken(NamedTuple):
    """Seconds of the clock until the last training had ended, and CPU seconds of all of them."""

    seconds: float
    cpu_seconds: float


def measure(environment: dict[str, str], quick: bool) -> dict[str, Taken]:
    """After a first training, which creates databases and the champion, and is not counted."""

    def train(seed: int) -> MeasuredTraining:
        return MeasuredTraining(USE_CASE, environment, "--set", f"training.seed={seed}")

    train(0)
    seeds = range(1, 1 + (QUICK_TRAININGS if quick else TRAININGS))
    with ThreadPoolExecutor(len(seeds)) as together:
        return {
            "one after the other": _taken(map(train, seeds)),
            "at once": _taken(together.map(train, seeds)),
        }


def _taken(trainings: Iterator[MeasuredTraining]) -> Taken:
    started = time.perf_counter()
    cpu = [sum(stage.values()) for training in trainings for stage in training.cpu.values()]
    return Taken(time.perf_counter() - started, sum(cpu))


def table_of(found: dict[str, Taken]) -> Table:
    table = Table(title="Trainings of one use case on this machine", title_justify="left")
    for heading in ("", "seconds", "CPU seconds"):
        table.add_column(heading, justify="right" if heading else "left")
    for order, taken in found.items():
        table.add_row(order, f"{taken.seconds:.1f}", f"{taken.cpu_seconds:.1f}")
    return table
