"""Load a model and score rows in a new process, which has nothing of the training in memory.

The process is started while the training runs, so that nobody waits for its imports. Its code is
the text below: it uses nothing of this project.
"""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import IO, cast

import pandas as pd

from modelling.refusals import UsageError

SCORING_CODE = """
import gc, os, pickle, sys
gc.disable()
answer = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
import mlflow.pyfunc, numpy, onnxruntime, pandas
try:
    folder, rows = pickle.load(sys.stdin.buffer)
except EOFError:
    sys.exit()
answers = mlflow.pyfunc.load_model(folder).predict(rows)
foreign = {"tensorflow", "keras", "sklearn", "modelling", "tasks", "flows", "finflows"}
foreign &= set(sys.modules)
pickle.dump((answers, sorted(foreign)), answer)
answer.flush()
"""
_idle: list[subprocess.Popen[bytes]] = []


def start_fresh_process() -> None:
    """Start a process that imports MLflow and ONNX while this one does other work."""
    if not _idle:
        _idle.append(_start_process())


def score_in_fresh_process(model_folder: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """The answers of the model in ``model_folder`` to raw ``rows``, from a new process.

    The rows are sent through a pipe, never written to disk. Raises UsageError where the model does
    not load, or imports what it must not need: TensorFlow or this project.
    """
    process = _idle.pop() if _idle else _start_process()
    try:
        pickle.dump((str(model_folder), rows), cast(IO[bytes], process.stdin))
        cast(IO[bytes], process.stdin).flush()
        answers, forbidden = pickle.load(cast(IO[bytes], process.stdout))
    except (EOFError, BrokenPipeError):
        raise UsageError("not registered: the model does not load in a new process") from None
    finally:
        process.kill()
        process.wait()
    if forbidden:
        raise UsageError(f"not registered: the model imports {', '.join(forbidden)}")
    return answers


def _start_process() -> subprocess.Popen[bytes]:
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.Popen(
        [sys.executable, "-P", "-c", SCORING_CODE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C goes to the flow only
        cwd=Path(sys.prefix),  # not the checkout, where Python would find the project
        env={**settings, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
    )
