"""Compare a challenger with the champion on the same test rows, and promote it if it is better."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from modelling.data.splits.split import RowSplit
from modelling.judgement.evaluation import RequirementResult
from modelling.judgement.judging import Judgement
from modelling.judgement.packaging import Package
from modelling.judgement.promotion import (
    Comparison,
    Promotion,
    compare,
    decide,
    doubts_tag,
    saved_by,
)
from modelling.learning_curve.attempt import Attempt
from modelling.refusals import UsageError
from tasks.prefect_pages import show_in_prefect
from tasks.registry.approvals import make_champion
from tasks.registry.champions import alias_lock, champion_of, history
from tasks.registry.model_files import load_version
from tasks.tracking.descriptions import describe_version, escape_markdown
from tasks.tracking.record import TrackedRun

log = logging.getLogger("finflows")


@task(name="promote", cache_policy=NO_CACHE, persist_result=False)
def judge_challenger(
    run: TrackedRun,
    package: Package,
    version: str,
    trained: Attempt,
    judgement: Judgement,
    fitness: Sequence[RequirementResult],
) -> Promotion:
    """Compare the registered ``version`` with the champion; a better one becomes champion.

    It stays challenger where it misses a requirement of ``fitness`` (``promotion_requirements``) or
    a second person must approve. The aliases are locked from the comparison to the promotion: if
    two flows register at once, the second is compared with the first.
    """
    use_case, name = judgement.use_case, package.name
    promote_command = f'finflows promote {name} --version {version} --reason "..."'
    with alias_lock(name):
        champion = champion_of(run.client, name)
        holder, comparison, changed, promoted = None, None, None, None
        if champion is not None:
            holder = str(champion.version)
            own_tags = run.client.get_model_version(name, version).tags
            comparison, changed = _compare_with_champion(run, champion, own_tags, judgement)
        decision = decide(judgement.gate, fitness, holder, comparison, changed, promote_command)
        if holder == version:  # a resumed run, which was killed after it had promoted
            decision = Promotion(True, _reason_for_champion(run.client, name, version), {})
        elif decision.promoted:
            promoted = make_champion(run.client, name, version, decision.reason, "compared")
    if promoted is not None and promoted.until:
        asked = promoted.with_form(name, version).text(name, version)
        decision = decision._replace(promoted=False, reason=f"{decision.reason}; {asked}")
    curve = trained.diagnosis.verdict
    description = describe_version(use_case, judgement.gate, curve, run.address, decision.reason)
    run.client.update_model_version(name, version, description)
    _record(run, name, version, decision, fitness)
    return decision


def _reason_for_champion(client: MlflowClient, name: str, version: str) -> str:
    """The reason for which ``version`` became champion; it stands in descriptions and reports, as
    text where a person typed it."""
    became = [change for change in history(client, name) if change.changes_champion]
    of_version = [change for change in became if change.version == version]
    if not of_version:
        return "it is champion already"
    last = of_version[-1]
    return last.reason if last.how == "compared" else escape_markdown(last.reason)


def _compare_with_champion(
    run: TrackedRun,
    champion: ModelVersion,
    own_tags: dict[str, str],
    judgement: Judgement,
) -> tuple[Comparison | None, str | None]:
    """The comparison on the challenger's test rows, and what has changed since the champion."""
    if champion.tags.get("schema") != own_tags["schema"]:
        return None, "columns, target or classes changed"
    use_case, test = judgement.use_case, judgement.rows
    columns = [column.name for column in use_case.features]
    try:
        model = load_version(champion.name, str(champion.version))
    except UsageError as error:
        return None, str(error)
    answers = model.predict(test[columns])
    if refused := int(answers.iloc[:, 0].isna().sum()):
        return None, f"its input contract refuses {refused} of the new test rows"
    same_rows = champion.tags.get("test_rows") == own_tags["test_rows"]
    changed = None if same_rows else _scored_again(run, champion, use_case.split)
    own, decided = judgement.predictions
    comparison = compare(own, outputs_in(answers), test, use_case, judgement.resampled)
    if use_case.costs is not None:
        by_champion = (answers["decision"] == use_case.classes[1]).to_numpy()
        saved = saved_by(decided, by_champion, test, use_case)
        comparison = comparison._replace(saved=saved, currency=use_case.costs.unit)
    return comparison, changed


def _scored_again(run: TrackedRun, champion: ModelVersion, split: RowSplit) -> str:
    """That the champion was scored on new test rows, and whether they are new to it: those of a
    random split, or of one that was cut elsewhere, may have been among its training rows."""
    said = "the test rows changed, so it was scored again on the new ones"
    own, of_champion = (_split_of(run.client, each) for each in (run.run_id, str(champion.run_id)))
    if split.tests_on_later_rows and own == of_champion:
        return said
    return f"{said}, of which it may have learnt some, which favours it"


def _split_of(client: MlflowClient, run_id: str) -> dict[str, str]:
    """The settings of the split that a run recorded; none where it was removed for good."""
    try:
        settings = client.get_run(run_id).data.params
    except MlflowException:
        return {}
    return {name: value for name, value in settings.items() if name.startswith("split.")}


def outputs_in(answers: pd.DataFrame) -> np.ndarray:
    """The forecasts or probabilities (n,), or class probabilities (n, classes), in a model's
    answers (one row each); NaN for refused rows."""
    class_probabilities = answers.filter(regex="^probability_")
    if len(class_probabilities.columns):
        return class_probabilities.to_numpy(dtype=np.float64)
    return answers.iloc[:, 0].to_numpy(dtype=np.float64)


def _record(
    run: TrackedRun,
    name: str,
    version: str,
    decision: Promotion,
    fitness: Sequence[RequirementResult],
) -> None:
    """Record decision, numbers and reason as tags of version and run, and as a report in MLflow and
    Prefect."""
    verdict = "promoted" if decision.promoted else "kept the champion"
    decided = {"promotion": verdict, "promotion_reason": decision.reason}
    numbers = {f"promotion_{key}": f"{value:.6g}" for key, value in decision.numbers.items()}
    for key, value in (decided | numbers).items():
        run.client.set_model_version_tag(name, version, key, value)
    run.log_tags(decided | doubts_tag(fitness))
    lines = [f"# {name} version {version}: {verdict}", "", decision.reason + ".", ""]
    if decision.numbers:
        lines += ["| on the test rows | value |", "|---|---:|"]
        lines += [f"| {key} | {value:.5g} |" for key, value in decision.numbers.items()]
    lines += ["", "| requirement | met |", "|---|---|"]
    lines += [f"| {result.reason} | {'yes' if result.passed else 'no'} |" for result in fitness]
    markdown = "\n".join(lines) + "\n"
    run.log_text(markdown, "promotion.md")
    key = f"{name.replace('_', '-')}-promotion"
    show_in_prefect(create_markdown_artifact, key=key, markdown=markdown)
    log.info("%-11s %s", "champion" if decision.promoted else "challenger", decision.reason)
