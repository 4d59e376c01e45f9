"""Which failures of a task are retried: transient ones."""

from typing import Any

from mlflow.exceptions import MlflowException
from prefect import State, Task
from prefect.client.schemas.objects import TaskRun

from tasks.workers.training_workers import WorkerDiedError

# MLflow's codes for a locked database, and for an internal error of a server.
TRANSIENT_CODES = ("TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR")


def is_transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """For Prefect's ``retry_condition_fn``: whether the cause is a killed process, a locked
    database, or a server or disk that does not answer. Wrong data and settings are not retried."""
    try:
        state.result()
    except (WorkerDiedError, OSError):
        return True
    except MlflowException as error:
        return error.error_code in TRANSIENT_CODES
    except Exception:
        return False
    return False
