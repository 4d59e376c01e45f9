"""``python -m benchmarks.cpu_by_part``: the CPU seconds of a whole ``finflows train``, by stage and
by process.

CPU seconds, not those of the clock: they stay about the same where others use the machine. The
store is new, and the first training in it is not counted: it creates databases, caches and the
champion with which the others are compared.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import psutil
from rich.table import Table

from benchmarks.measuring import REPOSITORY, store_environment
from benchmarks.reporting import open_console, write_results

SAMPLED_EVERY_SECONDS = 0.1
CPU_TARGET, FIRST_STAGE_TARGET = 36, 5
BEGUN, ENDING = "starting", "ending"  # a line without a stage, and what follows the last stage
COMMAND, OTHERS = "command", "others"
PROCESSES = {  # by what their command line contains
    "temporary_server": "Prefect's server",
    "training_workers": "training",
    "mlflow.pyfunc": "model check",
}
COLUMNS = (COMMAND, *PROCESSES.values(), OTHERS)
console = open_console(100)
ByStage = dict[str, dict[str, float]]  # CPU seconds by stage, then by process


class MeasuredTraining:
    """One ``finflows train``; its processes are sampled until the last one has ended.

    A stage lasts from the line of the stage before to its own. What a process does after its last
    sample is not counted.
    """

    def __init__(self, use_case: str, environment: dict[str, str], *options: str) -> None:
        self.ended: list[tuple[str, float]] = []  # stages, and their seconds since the start
        self.samples: dict[tuple[int, str], float] = defaultdict(float)
        self.counted: dict[psutil.Process, float] = {}
        self.started = time.perf_counter()
        command = [sys.executable, "-m", "flows.command_line", "train", use_case, *options]
        with psutil.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True
        ) as self.command:
            reader = Thread(target=self._read_lines, daemon=True)
            reader.start()
            while self._sample():
                time.sleep(SAMPLED_EVERY_SECONDS)
            reader.join()
        if self.command.returncode:
            raise SystemExit(f"finflows train failed with exit code {self.command.returncode}")

    def _read_lines(self) -> None:
        stages = iter(self.command.stdout)
        for line in stages:
            if not line.strip():  # the result follows
                break
            stage = line[2:13].strip()
            if line.startswith("  ") and stage not in ("", BEGUN):
                self.ended.append((stage, time.perf_counter() - self.started))
        for _ in stages:  # until the command has ended
            pass

    def _sample(self) -> bool:
        """Add what each process has used since the last sample; whether one is still running."""
        with suppress(psutil.NoSuchProcess):
            for process in (self.command, *self.command.children(recursive=True)):
                self.counted.setdefault(psutil.Process(process.pid), 0.0)
        running = False
        for process, counted in self.counted.items():
            with suppress(psutil.NoSuchProcess), process.oneshot():
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                times = process.cpu_times()
                used, running = times.user + times.system, True
                self.samples[len(self.ended), self._name(process)] += used - counted
                self.counted[process] = used
        return running

    def _name(self, process: psutil.Process) -> str:
        if process.pid == self.command.pid:
            return COMMAND
        started = " ".join(process.cmdline())
        return next((name for part, name in PROCESSES.items() if part in started), OTHERS)

    @property
    def cpu(self) -> ByStage:
        """CPU seconds by stage, in their order, and by process."""
        stages = [*(stage for stage, _ in self.ended), ENDING]
        by_stage: ByStage = {stage: dict.fromkeys(COLUMNS, 0.0) for stage in stages}
        for (number, process), seconds in self.samples.items():
            by_stage[stages[number]][process] += seconds
        return by_stage

    @property
    def first_stage_seconds(self) -> float:
        return self.ended[0][1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cpu_by_part", description=__doc__)
    parser.add_argument("use_case", nargs="?", default="credit_scoring")
    parser.add_argument("--quick", action="store_true", help="does it run: count the first one")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    asked = parser.parse_args()
    with TemporaryDirectory() as folder, console.status(asked.use_case):
        environment = store_environment(Path(folder))
        trainings = [
            MeasuredTraining(asked.use_case, environment) for _ in range(1 if asked.quick else 3)
        ]
    results = [(training.cpu, training.first_stage_seconds) for training in trainings[-2:]]
    named = [{"cpu_seconds": cpu, "first_stage_seconds": first} for cpu, first in results]
    if asked.json:
        print(json.dumps(named, indent=1))
        return
    for cpu, first_stage_seconds in results:
        show(asked.use_case, cpu, first_stage_seconds)
    write_results("cpu_by_part", named, console)


def show(use_case: str, cpu_seconds: ByStage, first_stage_seconds: float) -> None:
    table = Table(title=f"CPU seconds of finflows train {use_case}", title_justify="left")
    table.add_column("until this stage is done")
    for name in (*COLUMNS, "all"):
        table.add_column(name, justify="right")
    for stage, by_process in cpu_seconds.items():
        _add_row(table, stage, by_process)
    whole = {name: sum(row[name] for row in cpu_seconds.values()) for name in COLUMNS}
    table.add_section()
    _add_row(table, "whole", whole)
    console.print(table)
    console.print(
        f"{sum(whole.values()):.1f} CPU seconds (target {CPU_TARGET}); the first stage speaks "
        f"after {first_stage_seconds:.1f} s (target {FIRST_STAGE_TARGET} s, on an idle machine)\n"
    )


def _add_row(table: Table, title: str, seconds: dict[str, float]) -> None:
    cells = [f"{seconds[name]:.1f}" if seconds[name] >= 0.05 else "" for name in COLUMNS]
    table.add_row(title, *cells, f"{sum(seconds.values()):.1f}")


if __name__ == "__main__":
    main()
