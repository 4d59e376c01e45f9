"""Load a model and score rows in a process that knows nothing of the training.

The process is started while the training runs, so that nobody waits for its imports. What it runs
stands below the line: it shares no code with this project.
"""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import IO, cast

import pandas as pd

from modelling.refusals import UsageError

CODE = """
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
foreign = {"tensorflow", "keras", "sklearn", "modelling", "tasks", "flows"} & set(sys.modules)
pickle.dump((answers, sorted(foreign)), answer)
answer.flush()
"""
_idle: list[subprocess.Popen[bytes]] = []


def start_fresh_process() -> None:
    """Have one import MLflow and ONNX while this process has other things to do."""
    if not _idle:
        _idle.append(_started())


def answers_elsewhere(model_folder: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """What the model saved in ``model_folder`` answers to raw ``rows`` in a new process.

    The rows go through a pipe and touch no disk. Raises UsageError where the model doesn't load
    there, or loads what it must not need: TensorFlow or this project.
    """
    process = _idle.pop() if _idle else _started()
    try:
        pickle.dump((str(model_folder), rows), cast(IO[bytes], process.stdin))
        cast(IO[bytes], process.stdin).flush()
        answers, foreign = pickle.load(cast(IO[bytes], process.stdout))
    except (EOFError, BrokenPipeError):
        raise UsageError("not registered: the model does not load in a new process") from None
    finally:
        process.kill()
        process.wait()
    if foreign:
        raise UsageError(f"not registered: the model imports {', '.join(foreign)}")
    return answers


def _started() -> subprocess.Popen[bytes]:
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.Popen(
        [sys.executable, "-P", "-c", CODE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C goes to the flow, which decides
        cwd=Path(sys.prefix),  # not the checkout, where the project would be found
        env={**settings, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
    )
