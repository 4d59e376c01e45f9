"""The one flow: from a declared use case to a trained, judged and registered model."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from prefect import flow
from pydantic import BaseModel, Field

from modelling.data.derived_columns import derive_columns
from modelling.data.splitting import split_table
from modelling.declaration import UseCase
from modelling.declaration.overrides import judgement_overrides, override
from modelling.declaration.references import reference_secrets
from modelling.declaration.use_case_files import find_use_case
from modelling.features.preprocessing import Preprocessed, preprocess
from modelling.judgement.judging import judge
from modelling.judgement.packaging import package_model
from modelling.judgement.promotion import comparison_tags
from modelling.learning_curve.attempt import Attempt, next_remedy
from tasks.baselines import fit_baselines
from tasks.loading import load_table
from tasks.registry.promotion import judge_challenger
from tasks.registry.registration import register_model
from tasks.reporting import publish, record_judgement
from tasks.stored_parameters import without_secrets
from tasks.tracking.record import TrackedRun
from tasks.tracking.runs import nested_run, parameters_of, tracked_run
from tasks.training import choose_attempt, refuse_diverged, train_and_read
from tasks.validation import validate_table


class TrainingResult(BaseModel):
    """What a training leaves behind, by name and address; metrics are those of the test rows."""

    run_id: str
    use_case: str
    metrics: dict[str, float]
    learning_curve: dict[str, Any]
    gate: dict[str, bool | str]
    model: dict[str, str]
    paths: dict[str, str]


@without_secrets
@flow(name="train", flow_run_name="{use_case_name}", persist_result=False)
def train(
    use_case_name: str,
    overrides: dict[str, Any] | None = None,
    remedies: Annotated[int, Field(ge=0)] = 0,
    to_registry: bool = True,
    resume: str | None = None,
) -> TrainingResult:
    """Train, judge and register one declared use case.

    ``overrides`` change the declaration for this run by dotted name, as ``--set`` does on the
    command line: ``{"training.epochs": 5}``. While the learning curve is not healthy, training is
    repeated with the remedy that the curve suggests, at most ``remedies`` times. The registry stays
    as it is without ``to_registry``. ``resume`` is the id of a killed MLflow run to go on with.
    """
    overrides = reference_secrets(overrides or {})  # from here on there are references only
    parameters = {
        "use_case_name": use_case_name,
        "overrides": overrides,
        "remedies": remedies,
        "to_registry": to_registry,
    }
    declared = find_use_case(use_case_name)
    use_case = override(declared, overrides)
    with tracked_run(use_case, parameters, resume) as run, run.scratch() as scratch:
        table, data_hash, origin = load_table(use_case)
        table = derive_columns(table, use_case)
        table, report = validate_table(table, use_case)
        parts = split_table(table, use_case)
        run.log_data(parts, report.markdown(), data_hash, origin)

        features = preprocess(parts, use_case)
        fitting = fit_baselines.submit(table, parts, features, use_case)  # meanwhile
        trained = train_with_remedies(features, use_case, run, scratch, remedies)
        baselines = fitting.result()

        folder = scratch / "scorer"
        package = package_model(trained.network_folder, features, parts, use_case, folder)
        judgement = judge(package, parts, use_case, baselines)
        record_judgement(run, judgement)
        publish(run, trained, report, judgement)  # registered is only what is whole
        version, promotion = None, "not registered"
        if to_registry:
            frozen, rows = comparison_tags(use_case, data_hash), parts.validation
            version = register_model(run, package, judgement.gate, trained, rows, frozen)
            otherwise = judgement_overrides(declared, use_case)
            decision = judge_challenger(run, package, version, trained, judgement, otherwise)
            promotion = decision.reason
    return TrainingResult(
        run_id=run.run_id,
        use_case=use_case.name,
        metrics=judgement.metrics,
        learning_curve=trained.summary(),
        gate={**judgement.gate._asdict(), "declared": use_case.gate is not None},
        model={**package.address(version), "promotion": promotion},
        paths=run.paths,
    )


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
        with nested_run(run, "attempt", str(number), use_case) as nested:
            attempt = train_and_read(features, use_case, nested, scratch)
        attempts.append(replace(attempt, applied=applied))
        remedy = next_remedy(attempts)
        if remedy is None:
            break
        applied = {**applied, **remedy}
        use_case = override(use_case, remedy)
    return refuse_diverged(choose_attempt(run, attempts))


def resume_run(run_id: str) -> TrainingResult:
    """Go on with a killed or failed run, in the same MLflow run. Raises UsageError if it can't."""
    return train(**parameters_of(run_id), resume=run_id)
