"""Train all declared use cases in parallel, and compare the results."""

from typing import Annotated, Any

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import BaseModel, Field

from flows.compare import compare
from flows.parameters import UseCaseName, dated_name, described
from modelling.declaration.use_case_files import use_case_names
from tasks.separate_training import TrainingFailedError, end_trainings, train_in_own_process
from tasks.stored_parameters import without_secrets
from tasks.workers.executors import share_of_machine
from tasks.workers.training_workers import usable_cores


class AllTrained(BaseModel):
    """The MLflow run of each trained use case, and why the others failed."""

    run_ids: dict[str, str]
    failures: dict[str, str]


@without_secrets
@flow(name="train-all", flow_run_name=dated_name, persist_result=False)
def train_all(
    use_cases: Annotated[
        list[UseCaseName] | None, described("What is trained; by default everything.")
    ] = None,
    workers: Annotated[
        Annotated[int, Field(ge=1)] | None,
        described("How many train side by side; by default one per core."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        described("Settings that are changed, as for --set: training.epochs=5."),
    ] = None,
) -> AllTrained:
    """Train all use cases, or those in ``use_cases``, ``workers`` at a time, each in processes of
    its own.

    Cores and GPUs are divided among the workers. A failed training does not stop the others.
    ``settings`` are written as for ``--set``; ``workers`` defaults to one per core.
    """
    names = use_cases or use_case_names()
    workers = min(workers or usable_cores(), len(names))
    trained = AllTrained(run_ids={}, failures={})
    side_by_side: ThreadPoolTaskRunner[dict[str, Any]] = ThreadPoolTaskRunner(max_workers=workers)
    with side_by_side as runner:
        waiting = {
            name: runner.submit(
                train_in_own_process,
                {
                    "use_case_name": name,
                    "settings": settings or [],
                    "environment": share_of_machine(number % workers, workers),
                },
            )
            for number, name in enumerate(names)
        }
        try:
            for name, future in waiting.items():
                try:
                    trained.run_ids[name] = future.result()["run_id"]
                except TrainingFailedError as error:
                    trained.failures[name] = str(error)
        except BaseException:
            end_trainings()
            raise
    if trained.run_ids:
        compare(run_ids=list(trained.run_ids.values()))
    return trained
