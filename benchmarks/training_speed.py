"""``make bench``: compare our training with Keras, scikit-learn, PyTorch and JAX on this machine.

All numbers of the report come from one run. Each program trains in a process of its own, one at a
time; the rounds are interleaved (A B C, A B C) and ratios taken within a round, so that the ratios
do not change if the machine slows down.
"""

import argparse
import os
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from rich.table import Table

from benchmarks.data import write_arrays, write_table
from benchmarks.measuring import PEERS, Speed, measure, run, summary
from benchmarks.reporting import met_or_missed, open_console, write_results

QUICK_ROWS = 20_000
TO_LOSS_TARGET, SCRIPT_TARGET, REGISTRATION_SECONDS = 20, 3, 2
console = open_console(120)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training_speed", description=__doc__
    )
    parser.add_argument("--quick", action="store_true", help="does it run: few rows, one round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch-sizes", type=int, nargs="+", choices=[32, 512])
    arguments = parser.parse_args()
    rounds = 1 if arguments.quick else arguments.rounds
    batch_sizes = arguments.batch_sizes or ([512] if arguments.quick else [32, 512])
    results: dict = {"cores": os.cpu_count(), "rounds": rounds}
    with TemporaryDirectory() as scratch:
        arrays = Path(scratch) / "rows.npz"
        write_arrays(arrays, rows=QUICK_ROWS if arguments.quick else None)
        for batch_size in batch_sizes:
            speeds = compare_peers(batch_size, arrays, rounds, arguments.quick)
            results[f"batch_size_{batch_size}"] = speeds
            show_peers(batch_size, speeds)
            write_results("training_speed", results, console)
        if not arguments.quick:
            results["whole"] = compare_complete_runs(Path(scratch), rounds)
            show_complete_runs(results["whole"])
            write_results("training_speed", results, console)


def compare_peers(batch_size: int, arrays: Path, rounds: int, quick: bool) -> dict[str, dict]:
    """The summary of each installed peer."""
    speeds: dict[str, list[Speed]] = {peer.module: [] for peer in PEERS if peer.is_installed}
    for number in range(1, rounds + 1):
        for peer in PEERS:
            if peer.is_installed:
                with console.status(f"batch size {batch_size}, round {number}: {peer.title}"):
                    speeds[peer.module].append(measure(peer, batch_size, arrays, quick))
    return {module: summary(rounds, speeds["ours"]) for module, rounds in speeds.items()}


def show_peers(batch_size: int, speeds: dict[str, dict]) -> None:
    table = Table(title=f"Batch size {batch_size}", title_justify="left")
    table.add_column("")
    for name in ("rows/s", "epoch s", "once s", "20 epochs s", "val_loss"):
        table.add_column(name, justify="right")
    for name in ("ours is", "target", "over 20 epochs"):
        table.add_column(name, justify="right")
    for peer in PEERS:
        if peer.module not in speeds:
            table.add_row(peer.title, f"not installed: pip install {peer.needs}")
            continue
        speed = speeds[peer.module]
        numbers = (
            f"{speed['rows_per_second']:,.0f}",
            f"{speed['epoch_seconds']:.3f}",
            f"{speed['once_seconds']:.2f}",
            f"{speed['twenty_epochs']:.2f}",
            f"{speed['val_loss']:.4f}",
        )
        table.add_row(peer.title, *numbers, *_ratios(peer.module, speed, peer.targets, batch_size))
    console.print(table)
    console.print("once: the extra time of the first epoch, mostly compiling\n")


def _ratios(
    module: str, speed: dict, targets: dict[int, float], batch_size: int
) -> tuple[str, ...]:
    if module == "ours":
        return "", "", ""
    target = targets.get(batch_size)
    return (
        f"{speed['ratio']:.2f}x",
        "" if target is None else _beside(speed["ratio"], target),
        f"{speed['ratio_twenty_epochs']:.2f}x",
    )


def _beside(ratio: float, target: float) -> str:
    return f"{target:g}x {met_or_missed(ratio >= target)}"


def compare_complete_runs(scratch: Path, rounds: int) -> dict[str, float]:
    """The time to the textbook's loss, and the complete command compared with the complete textbook
    script."""
    table = scratch / "table.csv"
    write_table(table)
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{scratch}/mlflow.db"}
    command = ("-m", "flows.command_line", "train", "credit_scoring", "--json")
    with console.status("finflows train, for the first time"):
        run(*command, cwd=scratch, **store)
    measured = []
    for number in range(1, rounds + 1):
        with console.status(f"textbook script, defaults, finflows train; round {number}"):
            textbook, script_seconds = run("benchmarks/textbook_script.py", str(table))
            defaults, _ = run("-m", "benchmarks.project_defaults")
            trained, command_seconds = run(*command, cwd=scratch, **store)
        same = ("validation_rows", "validation_events")
        if [textbook[name] for name in same] != [defaults[name] for name in same]:
            raise SystemExit("the textbook script and the use case validate on different rows")
        ours = _seconds_to(textbook["val_loss"], defaults["reached"])
        measured.append(
            {
                "textbook_val_loss": textbook["val_loss"],
                "textbook_best_val_loss": textbook["best_val_loss"],
                "textbook_fit_seconds": textbook["fit_seconds"],
                "our_seconds_to_it": ours,
                "to_loss_ratio": textbook["fit_seconds"] / ours,
                "script_seconds": script_seconds,
                "command_seconds": command_seconds,
                "script_ratio": script_seconds / command_seconds,
                "registration_seconds": _registration_seconds(trained["run_id"], **store),
            }
        )
    return {name: median(values[name] for values in measured) for name in measured[0]}


def _seconds_to(loss: float, reached: list[list[float]]) -> float:
    """The time until the validation loss was at most ``loss``; infinite if it never was."""
    return min((seconds for seconds, val_loss in reached if val_loss <= loss), default=float("inf"))


def _registration_seconds(run_id: str, **store: str) -> float:
    client = MlflowClient(store["MLFLOW_TRACKING_URI"])
    return client.get_run(run_id).data.metrics["registration_seconds"]


def show_complete_runs(whole: dict[str, float]) -> None:
    table = Table("", title="Whole trainings", title_justify="left")
    for name in ("textbook s", "ours s", "ours is", "target"):
        table.add_column(name, justify="right")
    rows = (
        (f"to the textbook's val_loss {whole['textbook_val_loss']:.4f}, compiling included",
         "textbook_fit_seconds", "our_seconds_to_it", "to_loss_ratio", TO_LOSS_TARGET),
        ("textbook script and finflows train, as processes",
         "script_seconds", "command_seconds", "script_ratio", SCRIPT_TARGET),
    )  # fmt: skip
    for title, textbook, ours, ratio, target in rows:
        seconds = (f"{whole[textbook]:.1f}", f"{whole[ours]:.1f}")
        ratios = (f"{whole[ratio]:.1f}x", _beside(whole[ratio], target))
        table.add_row(title, *seconds, *ratios)
    console.print(table)
    took = whole["registration_seconds"]
    verdict = met_or_missed(took < REGISTRATION_SECONDS)
    console.print(f"registration: {took:.2f} s, under {REGISTRATION_SECONDS} s {verdict}")


if __name__ == "__main__":
    main()
