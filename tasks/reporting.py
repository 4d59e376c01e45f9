"""Record data and judgement of a training, and publish its report in MLflow and in Prefect."""

import logging
from pathlib import Path

import pandas as pd
from prefect.artifacts import create_link_artifact, create_markdown_artifact

from modelling.declaration import UseCase
from modelling.judgement.groups.description import findings
from modelling.judgement.importance import partial_dependence, permutation_importance
from modelling.judgement.judging import Judgement
from modelling.judgement.metrics.metric import format_value
from modelling.judgement.packaging import Package
from modelling.learning_curve.attempt import Attempt
from modelling.scorer.scoring import Scorer
from tasks.prefect_pages import show_in_prefect, show_picture_in_prefect
from tasks.preparation import PreparedData
from tasks.report import compared_with_baseline, report_in_markdown, with_pictures
from tasks.tracking.addresses import ui_address
from tasks.tracking.record import (
    LEARNING_CURVE_PNG,
    REPORT,
    REPORT_WITH_PICTURES,
    TrackedRun,
)
from tasks.tracking.runs import nested_run
from tasks.validation import ValidationReport

log = logging.getLogger("finflows")
SHOWN_IN_PREFECT = (LEARNING_CURVE_PNG, "judgement/advantages.png")  # MLflow has all pictures


def record_data(run: TrackedRun, data: PreparedData) -> None:
    """Record in the run which data it has, and what their validation found. Raises DataRefused
    where a resumed run had others."""
    report = data.report
    run.log_data(data.parts, report.markdown(), data.data_hash, data.origin, report.unlabelled)


def record_judgement(run: TrackedRun, judgement: Judgement) -> None:
    """Record the judgement in the run, each baseline as a nested run, and the result in the log."""
    from modelling.figures.groups import draw_groups
    from modelling.figures.judgement import draw_judgement

    run.log_judgement(judgement, draw_judgement(judgement) | draw_groups(judgement))
    run.log_groups(judgement)
    for name, metrics in judgement.baseline_metrics.items():
        with nested_run(run, "baseline", name, judgement.use_case) as nested:
            nested.log_test(metrics)
    metric = judgement.use_case.headline[0]
    log.info("%-11s %s %s", "judged", metric, judgement.intervals[metric])
    for name in judgement.baseline_predictions:
        log.info("%-11s %s", "", compared_with_baseline(judgement, metric, name))
    for finding in findings(judgement):
        log.info("%-11s %s", "", finding)


def record_importance(
    run: TrackedRun, package: Package, validation: pd.DataFrame, use_case: UseCase
) -> None:
    """Record what the model rests on: a table and two pictures, of raw validation rows."""
    from modelling.figures.importance import PANELS, draw_importance, draw_partial_dependence

    scorer = Scorer(package.folder)
    importance = permutation_importance(scorer, validation, use_case)
    table = pd.DataFrame.from_dict(importance, orient="index", columns=["rise", "low", "high"])
    run.log_text(table.to_csv(index_label="column"), "judgement/importance.csv")
    run.log_picture(draw_importance(importance, use_case), "judgement/importance.png")
    curves = partial_dependence(scorer, validation, [*importance][:PANELS], use_case)
    if curves:
        figure = draw_partial_dependence(curves, use_case)
        run.log_picture(figure, "judgement/partial_dependence.png")


def compared_with_strongest(judgement: Judgement) -> str:
    """The first headline metric with its interval, beside the baseline that comes closest to the
    network or beats it by most."""
    metric = judgement.use_case.headline[0]
    value = f"{metric} {judgement.intervals[metric]}"
    baselines = judgement.baseline_predictions
    if not baselines:
        return value
    strongest = min(baselines, key=lambda name: judgement.advantages[metric, name].value)
    return f"{value}, {compared_with_baseline(judgement, metric, strongest)}"


def publish(
    run: TrackedRun,
    trained: Attempt,
    report: ValidationReport,
    judgement: Judgement,
) -> None:
    """The report beside the run in MLflow, and in Prefect with a link to the run."""
    use_case = judgement.use_case
    metric = use_case.headline[0]
    headline = f"{metric} {format_value(judgement.metrics[metric])}"
    note = f"{use_case.title}: test {headline}, learning curve "
    run.log_tags({"mlflow.note.content": note + trained.diagnosis.verdict})
    markdown = report_in_markdown(trained, report, judgement)
    run.log_text(markdown, REPORT)
    run.log_text(with_pictures(markdown, run.pictures), REPORT_WITH_PICTURES)
    key = use_case.name.replace("_", "-")
    show_in_prefect(
        create_markdown_artifact,
        key=f"{key}-report",
        markdown=markdown,
        description=use_case.title,
    )
    for file in SHOWN_IN_PREFECT:
        if picture := run.pictures.get(file):
            stem = Path(file).stem.replace("_", "-")
            show_picture_in_prefect(picture, key=f"{key}-{stem}")
    show_in_prefect(
        create_link_artifact,
        key=f"{key}-mlflow-run",
        link=ui_address() + run.address,
        link_text="the run in MLflow",
        description=f"MLflow run {run.run_id}; for the local store, run `finflows ui` first",
    )
