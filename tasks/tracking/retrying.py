"""Which failures of a task are worth another try: those that pass by themselves."""

from typing import Any

from mlflow.exceptions import MlflowException
from prefect import State, Task
from prefect.client.schemas.objects import TaskRun

from tasks.workers.training_workers import WorkerDiedError

# MLflow's codes of a locked database, and of a server that answers with an error of its own.
PASSING = ("TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR")


def can_pass(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Prefect's ``retry_condition_fn``: a killed process, a locked database, a server or disk that
    does not answer. Bad data and bad settings stay as they are."""
    try:
        state.result()
    except (WorkerDiedError, OSError):
        return True
    except MlflowException as error:
        return error.error_code in PASSING
    except Exception:
        return False
    return False
