"""Search the declared space for better settings: many trainings, and the winner trained anew."""

from typing import Annotated, Any

from prefect import flow
from pydantic import BaseModel

from flows.parameters import Overrides, Resume, UseCaseName, dated_name, described
from flows.train import train_on
from flows.training_result import TrainingResult
from modelling.declaration.overrides import override
from modelling.declaration.references import reference_secrets
from modelling.declaration.search_space import Sampler, refuse_search
from modelling.declaration.use_case_files import find_use_case
from modelling.schema import Seed
from tasks.preparation import prepare_data
from tasks.reporting import record_data
from tasks.search.choice import choose_trial
from tasks.search.folds import prepare_folds
from tasks.search.study import open_study
from tasks.search.trials import conclude_search, run_trials
from tasks.stored_parameters import without_secrets
from tasks.tracking.resuming import parameters_of
from tasks.tracking.runs import tracked_run
from tasks.workers.executors import open_executor


class SearchResult(BaseModel):
    """What a search leaves behind; ``best_trial`` is the one whose settings are used, ``choice``
    says why. ``best_val_loss`` is over the validation rows of all folds, ``trained`` is what the
    settings came to when they were trained as any other declaration."""

    run_id: str
    use_case: str
    trials: dict[str, int]
    best_trial: int
    best_val_loss: float
    settings: dict[str, Any]
    choice: str
    trained: TrainingResult
    paths: dict[str, str]


@without_secrets
@flow(name="search", flow_run_name=dated_name, persist_result=False)
def search(
    use_case_name: UseCaseName,
    trials: Annotated[int, described("How many settings to try.", ge=1)] = 20,
    workers: Annotated[int, described("How many trials run side by side.", ge=1)] = 1,
    sampler: Annotated[Sampler, described("How settings are proposed.")] = "tpe",
    dask: Annotated[
        str | None, described("The address of a Dask cluster on which to train.")
    ] = None,
    pool: Annotated[str | None, described("A Prefect work pool on whose workers to train.")] = None,
    overrides: Overrides = None,
    seed: Annotated[Seed, described("The same seed tries the same settings.")] = 42,
    resume: Resume = None,
) -> SearchResult:
    """Try ``trials`` settings of the declared search space, and train the best once more.

    Trials run in ``workers`` processes of this machine, on the Dask cluster at ``dask`` (an
    address, or ``local``), or on the workers of the Prefect work pool ``pool``. Settings are judged
    by their validation loss, on few rows over several folds, and the declared ones are kept where
    none is better by a standard error; test rows are used once, by the training at the end.
    ``overrides`` change the declaration as in a training; ``resume`` is the id of an interrupted
    search's run.
    """
    overrides = reference_secrets(overrides or {})  # from here on there are references only
    parameters = {"use_case_name": use_case_name, "trials": trials, "workers": workers}
    parameters |= {"sampler": sampler, "dask": dask, "pool": pool, "seed": seed}
    parameters |= {"overrides": overrides}
    refuse_search(trials, workers, sampler, dask, pool)
    use_case = override(find_use_case(use_case_name), overrides)
    with tracked_run(use_case, parameters, resume) as run, run.scratch() as scratch:
        data = prepare_data(use_case)
        record_data(run, data)
        folds = prepare_folds(data.parts, use_case, run)

        with open_executor(workers, dask, pool, scratch) as executor:
            study = open_study(run, use_case, trials, sampler, seed, executor.slots, len(folds))
            run_trials(study, folds, run, executor)
        chosen = choose_trial(study, run, folds)
        trained = train_on(data)(use_case_name, {**overrides, **study.settings(chosen.number)})
        found = conclude_search(study, run, chosen, trained.run_id)
    return SearchResult(
        run_id=run.run_id, use_case=use_case.name, trained=trained, paths=run.paths, **found
    )


def resume_search(run_id: str) -> SearchResult:
    """Go on with an interrupted search where it was. Raises UsageError if it can't."""
    return search(**parameters_of(run_id), resume=run_id)
