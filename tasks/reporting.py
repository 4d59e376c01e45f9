"""What people read after a run: a Markdown report, in MLflow and in Prefect."""

import logging

from prefect.artifacts import create_link_artifact, create_markdown_artifact

from modelling.judgement.evaluation import gate_state
from modelling.judgement.figures import draw_judgement
from modelling.judgement.groups.description import findings, groups_in_markdown
from modelling.judgement.groups.group_figures import draw_groups
from modelling.judgement.judging import Judgement
from modelling.judgement.metrics.catalogue import find_metric
from modelling.judgement.metrics.metric import format_value
from modelling.learning_curve.attempt import Attempt
from tasks.tracking.prefect_pages import show_in_prefect
from tasks.tracking.record import REPORT, TrackedRun
from tasks.tracking.runs import nested_run
from tasks.tracking.store import ui_address
from tasks.validation import ValidationReport

log = logging.getLogger("finflows")


def record_judgement(run: TrackedRun, judgement: Judgement) -> None:
    """Record the judgement in the run, each baseline as a nested run, and the result in the log."""
    run.log_judgement(judgement, draw_judgement(judgement) | draw_groups(judgement))
    run.log_groups(judgement)
    for name, metrics in judgement.baseline_metrics.items():
        with nested_run(run, "baseline", name, judgement.use_case) as nested:
            nested.log_test(metrics)
    metric = judgement.use_case.headline[0]
    log.info("%-11s %s %s", "judged", metric, judgement.intervals[metric])
    for name in judgement.baseline_predictions:
        log.info("%-11s %s", "", _compared(judgement, metric, name))
    for finding in findings(judgement):
        log.info("%-11s %s", "", finding)


def _compared(judgement: Judgement, metric: str, baseline: str) -> str:
    advantage = judgement.advantages[metric, baseline]
    result = "no worse and no better than"
    if advantage.excludes_zero:
        result = "better than" if advantage.low > 0 else "WORSE than"
    value = judgement.baseline_metrics[baseline][metric]
    return f"{result} {baseline} ({format_value(value)}) by {advantage}"


def compared_with_strongest(judgement: Judgement) -> str:
    """The first headline metric with its interval, beside the baseline that comes closest to the
    network or beats it by most."""
    metric = judgement.use_case.headline[0]
    value = f"{metric} {judgement.intervals[metric]}"
    baselines = judgement.baseline_predictions
    if not baselines:
        return value
    strongest = min(baselines, key=lambda name: judgement.advantages[metric, name].value)
    return f"{value}, {_compared(judgement, metric, strongest)}"


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
    markdown = _markdown(trained, report, judgement)
    run.log_text(markdown, REPORT)
    key = use_case.name.replace("_", "-")
    show_in_prefect(
        create_markdown_artifact,
        key=f"{key}-report",
        markdown=markdown,
        description=use_case.title,
    )
    show_in_prefect(
        create_link_artifact,
        key=f"{key}-mlflow-run",
        link=ui_address() + run.address,
        link_text="the run in MLflow",
        description=f"MLflow run {run.run_id}; for the local store, run `make ui` first",
    )


def _markdown(trained: Attempt, report: ValidationReport, judgement: Judgement) -> str:
    use_case, history, diagnosis = trained.use_case, trained.history, trained.diagnosis
    network, training, gate = use_case.network, use_case.training, judgement.gate
    units = "-".join(map(str, network.hidden_units)) or "none (a linear model)"
    return f"""# {use_case.title}

**{use_case.name}**. Gate {gate_state(gate)}: {gate.reason}.

{_judged(judgement)}
- Network: hidden units {units}, {network.activation}, dropout {network.dropout:g}
- Training: {training.optimizer} at {training.learning_rate:g}, batch size {training.batch_size},
  {len(history.metrics["loss"])} epochs; best epoch {history.best_epoch + 1} with val_loss
  {history.best_val_loss:.5g}
- Learning curve: {diagnosis.verdict}. {diagnosis.evidence}

{_metrics_table(judgement)}

{groups_in_markdown(judgement)}## Validation of the data

{report.markdown()}"""


def _judged(judgement: Judgement) -> str:
    """The headline metrics with their intervals, and the comparison with each baseline."""
    lines = [f"- {name}: {interval}" for name, interval in judgement.intervals.items()]
    if judgement.skill is not None:
        naive = judgement.use_case.baselines[0]
        lines.append(f"- skill over {naive}: {judgement.skill}")
    lines += [
        f"- by {metric} {_compared(judgement, metric, name)}"
        for metric, name in judgement.advantages
    ]
    return "\n".join(lines)


def _metrics_table(judgement: Judgement) -> str:
    models = {"network": judgement.metrics, **judgement.baseline_metrics}
    lines = [
        f"| metric on the test rows | what it is | {' | '.join(models)} |",
        f"|---|---|{'---:|' * len(models)}",
    ]
    for name in judgement.metrics:
        values = " | ".join(f"{metrics.get(name, float('nan')):.5g}" for metrics in models.values())
        label = find_metric(name, judgement.use_case.problem).label
        lines.append(f"| {name} | {label} | {values} |")
    return "\n".join(lines)
