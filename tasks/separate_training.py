"""Train one use case in a process of its own, as somebody at the command line would.

A use case that fails, hangs in native code or is killed takes nobody else along; and TensorFlow
never shares a process with another training.
"""

import json
import logging
import os
import subprocess
import sys
from collections import deque
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client

from modelling.declaration.references import reference_secrets
from modelling.secrets import hide_secrets
from tasks.tracking.retrying import can_pass
from tasks.workers.training_workers import WorkerDiedError

log = logging.getLogger("finflows")
_running: set["subprocess.Popen[str]"] = set()


class TrainingFailedError(RuntimeError):
    """The training of one use case ended without a model; the message says why, in one line."""


class TrainingKilledError(TrainingFailedError, WorkerDiedError):
    """The process that trained was killed from outside."""


@task(
    name="train-apart",
    task_run_name="{use_case_name}",
    retries=2,
    retry_condition_fn=can_pass,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def train_apart(
    use_case_name: str, settings: list[str], environment: dict[str, str]
) -> dict[str, Any]:
    """The result of ``finflows train USE_CASE --json``; ``environment`` tells it its share of the
    cores and GPUs.

    Raises TrainingFailedError with the last line that the training said.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.command_line", *arguments(use_case_name, settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=_with_server(environment),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    _running.add(process)
    last_words: deque[str] = deque(["no reason given"], maxlen=1)
    try:
        for line in process.stderr:
            if said := hide_secrets(line.strip()):
                if said.startswith("finflows: ") or not last_words[0].startswith("finflows: "):
                    last_words.append(said)  # below a refusal stands a table
                log.info("%-20s %s", use_case_name, said)
        answer = process.stdout.read()
        process.wait()
    finally:
        _running.discard(process)
        process.terminate()
    if process.returncode < 0:
        raise TrainingKilledError(f"killed by signal {-process.returncode}")
    if process.returncode:
        raise TrainingFailedError(last_words[0].removeprefix("finflows: "))
    return json.loads(answer.strip().splitlines()[-1])


def arguments(use_case_name: str, settings: list[str]) -> list[str]:
    """Of ``finflows``, for one training. What a deployment gives as a name can be no option."""
    overrides = [
        f"--set={setting}" for setting in reference_secrets(settings)
    ]  # anybody may read them
    return ["train", "--json", *overrides, "--", use_case_name]


def end_trainings() -> None:
    """Ask all trainings to end: whoever waited for them has been interrupted."""
    for process in list(_running):
        process.terminate()


def _with_server(environment: dict[str, str]) -> dict[str, str]:
    """This process's own, with ``environment`` and the Prefect server that it talks to."""
    with get_client(sync_client=True) as client:
        server = str(client.api_url)
    return {**os.environ, **environment, "PREFECT_API_URL": server, "PYTHONUNBUFFERED": "1"}
