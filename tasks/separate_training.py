"""Train one use case in a process of its own, with the command line.

A training that fails, hangs in native code or is killed does not affect the others, and each
training has TensorFlow for itself.
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
from prefect.settings import PREFECT_UI_URL

from modelling.declaration.references import reference_secrets
from modelling.secrets import hide_secrets
from tasks.tracking.retrying import is_transient
from tasks.workers.training_workers import WorkerDiedError

log = logging.getLogger("finflows")
_running: set["subprocess.Popen[str]"] = set()


class TrainingFailedError(RuntimeError):
    """The training of a use case ended without a model; the message says why, in one line."""


class TrainingKilledError(TrainingFailedError, WorkerDiedError):
    """The training process was killed from outside."""


@task(
    name="train-apart",
    task_run_name="{use_case_name}",
    retries=2,
    retry_condition_fn=is_transient,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def train_in_own_process(
    use_case_name: str, settings: list[str], environment: dict[str, str]
) -> dict[str, Any]:
    """The result of ``finflows train USE_CASE --json``; ``environment`` holds its share of the
    cores and GPUs.

    Raises TrainingFailedError with the last line that the training printed.
    """
    process = subprocess.Popen(
        # -P: a folder "flows" where this was started is not this program's.
        [sys.executable, "-P", "-m", "flows.command_line", *arguments(use_case_name, settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment_with_server(environment),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    _running.add(process)
    last_line: deque[str] = deque(["no reason given"], maxlen=1)
    try:
        for line in process.stderr:
            if message := hide_secrets(line.strip()):
                if message.startswith("finflows: ") or not last_line[0].startswith("finflows: "):
                    last_line.append(message)  # a table may follow the line with the reason
                log.info("%-20s %s", use_case_name, message)
        output = process.stdout.read()
        process.wait()
    finally:
        _running.discard(process)
        process.terminate()
    if process.returncode < 0:
        raise TrainingKilledError(f"killed by signal {-process.returncode}")
    if process.returncode:
        raise TrainingFailedError(last_line[0].removeprefix("finflows: "))
    return json.loads(output.strip().splitlines()[-1])


def arguments(use_case_name: str, settings: list[str]) -> list[str]:
    """The arguments of ``finflows`` for one training. After ``--`` the name of a use case, which a
    deployment may choose, can't be an option."""
    # Everybody on the machine can read a command line: it must not contain secrets.
    overrides = [f"--set={setting}" for setting in reference_secrets(settings)]
    return ["train", "--json", *overrides, "--", use_case_name]


def end_trainings() -> None:
    """Terminate all trainings, because the flow was interrupted."""
    for process in list(_running):
        process.terminate()


def environment_with_server(environment: dict[str, str]) -> dict[str, str]:
    """The environment of this process, with ``environment`` and the addresses of its Prefect
    server: a temporary one has no pages, and no training is to print links to them."""
    with get_client(sync_client=True) as client:
        server = {"PREFECT_API_URL": str(client.api_url)}
    server["PREFECT_UI_URL"] = PREFECT_UI_URL.value() or ""
    return {**os.environ, **environment, **server, "PYTHONUNBUFFERED": "1"}
