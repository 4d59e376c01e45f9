"""A training with its CPU seconds and its memory by stage, over all of its processes."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.cpu_by_part import ENDING, MeasuredTraining


class GrownTraining(MeasuredTraining):
    """``memory`` is by stage the largest sum of what the processes hold at one moment, in GiB.

    Of pages that processes share, each counts its part (Linux's PSS): sums of resident sizes would
    count libraries and sent files once for each process.
    """

    def __init__(self, use_case: str, environment: dict[str, str], *options: str) -> None:
        self.by_stage: dict[int, float] = defaultdict(float)
        super().__init__(use_case, environment, *options)

    def _sample(self) -> bool:
        running = super()._sample()
        held = sum(proportional_size(process.pid) for process in self.counted) / 2**30
        self.by_stage[len(self.ended)] = max(self.by_stage[len(self.ended)], held)
        return running

    @property
    def memory(self) -> dict[str, float]:
        stages = [*(stage for stage, _ in self.ended), ENDING]
        return {stage: self.by_stage[number] for number, stage in enumerate(stages)}

    @property
    def seconds(self) -> dict[str, float]:
        """CPU seconds by stage, all processes together."""
        return {stage: sum(by_process.values()) for stage, by_process in self.cpu.items()}


def proportional_size(pid: int) -> int:
    """The PSS of a process in bytes; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The slope by least squares of the logarithms: 1 is in proportion to the size."""
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(values, 1e-9)), 1)[0])
