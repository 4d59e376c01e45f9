"""Run the compared programs one at a time, each in a process, and evaluate what they print."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from flows.command_line.terminal import SETTINGS

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Peer:
    """One way to train. ``targets``: how many times faster this project should be, by batch size.

    ``epochs`` by batch size: enough for a stable median, in about 15 seconds.
    """

    module: str
    title: str
    epochs: dict[int, int]
    targets: dict[int, float] = field(default_factory=dict)
    needs: str = "keras"

    @property
    def is_installed(self) -> bool:
        return find_spec(self.needs) is not None


@dataclass(frozen=True)
class Speed:
    """The times of one process: a later epoch, the extra time of the first one (``once_seconds``),
    rows per second, and the seconds of twenty epochs; and the ``val_loss`` of the last epoch."""

    epoch_seconds: float
    once_seconds: float
    rows_per_second: float
    twenty_epochs: float
    val_loss: float


PEERS = (
    Peer("textbook", "Keras fit", {32: 4, 512: 12}, {32: 70, 512: 11}),
    Peer("steps50", "Keras fit, 50 steps at once", {32: 6, 512: 20}),
    Peer("sklearn_mlp", "scikit-learn", {32: 6, 512: 20}, {32: 10}, needs="sklearn"),
    Peer("torch_loop", "PyTorch", {32: 5, 512: 20}, {32: 20}, needs="torch"),
    Peer("jax_scan", "JAX, shuffled by NumPy", {32: 41, 512: 41}, {32: 1, 512: 2}, needs="jax"),
    Peer("jax_shuffled", "JAX, shuffled by JAX", {32: 20, 512: 20}, needs="jax"),
    Peer("ours", "ours", {32: 41, 512: 41}),
)


def cpu_environment() -> dict[str, str]:
    """An environment in which all libraries use the CPU and log little, with the settings of the
    command: a first start of Prefect's server may take longer than Prefect waits for it."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    return {**os.environ, **SETTINGS, **quiet}


def store_environment(folder: Path) -> dict[str, str]:
    """An environment with a store of its own in ``folder``, and without a Prefect server."""
    own = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "PREFECT_API_URL": ""}
    return {**os.environ, **own, "PREFECT_HOME": str(folder / "prefect")}


def run(*command: str, cwd: Path = REPOSITORY, **environment: str) -> tuple[dict, float]:
    """The JSON object in the last line that ``python command`` prints, and its wall time."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**cpu_environment(), "PYTHONPATH": str(REPOSITORY), **environment},
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1]), seconds


def measure(peer: Peer, batch_size: int, data: Path, quick: bool) -> Speed:
    """Train ``peer`` in a fresh process."""
    epochs = 2 if quick else peer.epochs[batch_size]
    printed, _ = run(
        "-m", f"benchmarks.peers.{peer.module}", "--data", str(data),
        "--batch-size", str(batch_size), "--epochs", str(epochs),
    )  # fmt: skip
    first, *later = printed["seconds"]
    epoch = median(later)
    return Speed(
        epoch_seconds=epoch,
        once_seconds=first - epoch,
        rows_per_second=printed["rows"] / epoch,
        twenty_epochs=first + 19 * epoch,
        val_loss=printed["val_loss"],
    )


def summary(speeds: list[Speed], ours: list[Speed]) -> dict[str, float]:
    """Medians over the rounds. Ratios are taken within a round, since the machine's speed may
    change between rounds."""
    rounds = [asdict(speed) for speed in speeds]
    medians = {name: median(values[name] for values in rounds) for name in rounds[0]}
    pairs = list(zip(speeds, ours, strict=True))
    steady = median(peer.epoch_seconds / our.epoch_seconds for peer, our in pairs)
    whole = median(peer.twenty_epochs / our.twenty_epochs for peer, our in pairs)
    return {**medians, "ratio": steady, "ratio_twenty_epochs": whole}
