"""The one flow: from a declared use case to a trained, judged and registered model."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from prefect import flow

from flows.parameters import Overrides, Resume, UseCaseName, dated_name, described
from flows.training_result import TrainingResult
from modelling.declaration import UseCase
from modelling.declaration.overrides import judgement_overrides, override
from modelling.declaration.references import reference_secrets
from modelling.declaration.use_case_files import as_in_file, find_use_case
from modelling.features.preprocessing import Preprocessed, preprocess
from modelling.judgement.fitness import promotion_requirements
from modelling.judgement.groups.group_judging import judge_groups
from modelling.judgement.judging import Judgement, judge
from modelling.judgement.packaging import Package, package_model
from modelling.judgement.promotion import comparison_tags, doubts_tag
from modelling.learning_curve.attempt import Attempt, next_remedy
from modelling.watching.profile import keep_profile
from tasks.baselines import fit_baselines
from tasks.directions import prove_directions
from tasks.preparation import PreparedData, prepare_data
from tasks.registry.dossier.dossiers import record_dossier
from tasks.registry.promotion import judge_challenger
from tasks.registry.registration import register_model
from tasks.reporting import publish, record_data, record_importance, record_judgement
from tasks.stored_parameters import without_secrets
from tasks.tracking.record import TrackedRun
from tasks.tracking.resuming import parameters_of
from tasks.tracking.runs import nested_run, tracked_run
from tasks.training import (
    choose_attempt,
    name_suspects,
    refuse_diverged,
    say_remedy,
    train_and_read,
)

Remedies = Annotated[
    int,
    described("How often to train again while the learning curve is not healthy.", ge=0),
]
ToRegistry = Annotated[bool, described("Whether the model is registered.")]


@without_secrets
@flow(name="train", flow_run_name=dated_name, persist_result=False)
def train(
    use_case_name: UseCaseName,
    overrides: Overrides = None,
    remedies: Remedies = 0,
    to_registry: ToRegistry = True,
    resume: Resume = None,
) -> TrainingResult:
    """Train, judge and register one declared use case.

    ``overrides`` change the declaration for this run by dotted name, as ``--set`` does on the
    command line: ``{"training.epochs": 5}``. While the learning curve is not healthy, training is
    repeated with the remedy that the curve suggests, at most ``remedies`` times. The registry stays
    as it is without ``to_registry``. ``resume`` is the id of a killed MLflow run to go on with.
    """
    return run_training(use_case_name, overrides, remedies, to_registry, resume)


def run_training(
    use_case_name: str,
    overrides: dict[str, Any] | None = None,
    remedies: int = 0,
    to_registry: bool = True,
    resume: str | None = None,
    data: PreparedData | None = None,
    declared: UseCase | None = None,
) -> TrainingResult:
    """The body of ``train``; ``data`` is the table of the use case where it is prepared already,
    ``declared`` its declaration where that is in no file."""
    overrides = reference_secrets(overrides or {})  # from here on there are references only
    parameters = {"use_case_name": use_case_name, "overrides": overrides}
    parameters |= {"remedies": remedies, "to_registry": to_registry}
    from_file = declared is None
    declared = declared or find_use_case(use_case_name)
    use_case = override(declared, overrides)
    with tracked_run(use_case, parameters, resume, from_file) as run, run.scratch() as scratch:
        data = data or prepare_data(use_case)
        record_data(run, data)
        parts = data.parts
        features = preprocess(parts, use_case)
        fitting = fit_baselines.submit(data.table, parts, features, use_case)  # meanwhile
        trained = train_with_remedies(features, use_case, run, scratch, remedies)
        network, folder = trained.network_folder, scratch / "scorer"
        package = package_model(network, features, parts, use_case, folder, data.units)
        del features  # the largest of all, and of no more use
        prove_directions(run, package, parts, use_case)
        trained = name_suspects(run, trained, package, parts)
        judgement = judge(package, parts, use_case, fitting.result())
        judgement = judge_groups(judgement, parts)
        keep_profile(package, judgement)  # what rows of later days are compared with
        record_judgement(run, judgement)
        record_importance(run, package, parts.validation, use_case)
        publish(run, trained, data.report, judgement)  # registered is only what is whole
        model = {"promotion": "not registered"}
        if to_registry:
            in_file = as_in_file(declared)
            model = register_and_promote(run, package, trained, judgement, data, in_file)
    return TrainingResult.of(run, trained, judgement, model)


def train_on(
    data: PreparedData | None = None, declared: UseCase | None = None
) -> Callable[..., TrainingResult]:
    """The flow ``train`` over a table that is prepared already, or of a declaration that is in no
    file. Neither is a parameter of it: Prefect stores parameters."""

    @without_secrets
    @flow(name="train", flow_run_name=dated_name, persist_result=False)
    def train_given(
        use_case_name: str,
        overrides: dict[str, Any],
        remedies: int = 0,
        to_registry: bool = True,
    ) -> TrainingResult:
        return run_training(
            use_case_name, overrides, remedies, to_registry, data=data, declared=declared
        )

    return train_given


def register_and_promote(
    run: TrackedRun,
    package: Package,
    trained: Attempt,
    judgement: Judgement,
    data: PreparedData,
    declared: UseCase,
) -> dict[str, str]:
    """The registered version by name, number and address, and whether it became champion: one that
    was not judged as is ``declared`` can't."""
    use_case, rows = judgement.use_case, data.parts.validation
    otherwise = judgement_overrides(declared, use_case)
    fitness = promotion_requirements(judgement, trained.diagnosis, otherwise)
    tags = {**comparison_tags(use_case, data.data_hash), **doubts_tag(fitness)}
    version = register_model(run, package, judgement.gate, trained, rows, tags)
    record_dossier(run, package.name, version, fitness)
    decision = judge_challenger(run, package, version, trained, judgement, fitness)
    return {**package.address(version), "promotion": decision.reason}


def train_with_remedies(
    features: Preprocessed, use_case: UseCase, run: TrackedRun, scratch: Path, remedies: int
) -> Attempt:
    """Train; while the curve is not healthy and remedies are left, apply its remedy and repeat.

    Each attempt is a nested run; the choice between them is made on validation rows only.
    """
    if not remedies:
        return refuse_diverged(train_and_read(features, use_case, run, scratch))
    attempts: list[Attempt] = []
    applied: dict[str, Any] = {}
    for number in range(1, remedies + 2):
        with nested_run(run, "attempt", str(number), use_case, applied) as nested:
            attempt = train_and_read(features, use_case, nested, scratch)
        attempts.append(replace(attempt, applied=applied))
        remedy = next_remedy(attempts)
        if remedy is None or number > remedies:
            break
        say_remedy(number, remedies, remedy)
        applied = {**applied, **remedy}
        use_case = override(use_case, remedy)
    return refuse_diverged(choose_attempt(run, attempts))


def resume_run(run_id: str) -> TrainingResult:
    """Go on with a killed or failed run, in the same MLflow run. Raises UsageError if it can't."""
    return train(**parameters_of(run_id), resume=run_id)
