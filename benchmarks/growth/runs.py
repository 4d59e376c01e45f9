"""What people type, over a store of ten trainings and over one of ten thousand: CPU seconds."""

import resource
import shutil
import subprocess
import sys
from pathlib import Path

from rich.progress import track
from rich.table import Table

from benchmarks.growth.grown_store import grow
from benchmarks.measuring import REPOSITORY, store_environment

USE_CASE = "credit_scoring"
FEW, MANY, QUICK_MANY = (10, 10), (10_000, 1_200), (1_000, 120)  # trainings, versions
MORE_SECONDS_TARGET = 3.0
FIRST = ("train", USE_CASE, "--set", "training.epochs=2")
QUICK = ("compare", "champion", "promote --version 1")
REASON = ("--reason", "the store has grown")
COMMANDS = {
    "compare": ("compare",),
    "champion": ("champion", USE_CASE),
    "doctor": ("doctor",),
    "promote --version 1": ("promote", USE_CASE, "--version", "1", *REASON),
    "score": ("score", USE_CASE, "{rows}", "{answers}"),
    "train, two epochs": FIRST,
}


def cpu_seconds(arguments: tuple[str, ...], store: Path) -> float:
    """Of one command and of the processes that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "flows.command_line", *arguments]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=store_environment(store), capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(folder: Path, rows: Path, quick: bool) -> dict[str, list[float]]:
    """By command the CPU seconds over few trainings, and over many."""
    stores = [folder / "few", folder / "many"]
    stores[0].mkdir()
    cpu_seconds(FIRST, stores[0])
    shutil.copytree(stores[0], stores[1])
    for store, size in zip(stores, (FEW, QUICK_MANY if quick else MANY), strict=True):
        grow(store / "mlflow.db", *size)
    files = {"rows": rows, "answers": folder / "answers.csv"}
    found: dict[str, list[float]] = {}
    for name in track(QUICK if quick else COMMANDS, "runs", transient=True):
        arguments = tuple(word.format(**files) for word in COMMANDS[name])
        found[name] = [cpu_seconds(arguments, store) for store in stores]
    return found


def table_of(found: dict[str, list[float]], quick: bool) -> Table:
    sizes = (FEW, QUICK_MANY if quick else MANY)
    table = Table(title="CPU seconds of commands by what the store holds", title_justify="left")
    table.add_column("finflows")
    for trainings, versions in sizes:
        heading = f"{trainings:,} trainings\n{4 * trainings:,} runs\n{versions:,} versions"
        table.add_column(heading, justify="right")
    table.add_column(f"more (target {MORE_SECONDS_TARGET:.0f})", justify="right")
    for name, (few, many) in found.items():
        table.add_row(name, f"{few:.1f}", f"{many:.1f}", f"{many - few:.1f}")
    return table
