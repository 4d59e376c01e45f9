"""The report that people read after a run: Markdown, and a page of HTML with its pictures."""

from collections.abc import Mapping

import numpy as np

from modelling.figures.self_contained_page import self_contained_page
from modelling.judgement.decisions.costs import costs_by_decision
from modelling.judgement.decisions.decision_rule import decision_rule
from modelling.judgement.evaluation import gate_state
from modelling.judgement.groups.description import groups_in_markdown
from modelling.judgement.judging import Judgement
from modelling.judgement.metrics.catalogue import find_metric
from modelling.judgement.metrics.metric import format_value
from modelling.learning_curve.attempt import Attempt
from modelling.learning_curve.history import format_loss
from modelling.shown_text import table_cell
from tasks.tracking.record import Picture
from tasks.validation import ValidationReport


def report_in_markdown(trained: Attempt, report: ValidationReport, judgement: Judgement) -> str:
    """The report without pictures, which Prefect shows, too."""
    use_case, history, diagnosis = trained.use_case, trained.history, trained.diagnosis
    network, training, gate = use_case.network, use_case.training, judgement.gate
    units = "-".join(map(str, network.hidden_units)) or "none (a linear model)"
    return f"""# {use_case.title}

**{use_case.name}**. Gate {gate_state(gate)}: {gate.reason}.

{_judged(judgement)}

- Network: hidden units {units}, {network.activation}, dropout {network.dropout:g}
- Training: {training.optimizer} at {training.learning_rate:g}, batch size {training.batch_size},
  {len(history.metrics["loss"])} epochs; best epoch {history.best_epoch + 1} with val_loss
  {format_loss(history.best_val_loss)}
- Learning curve: {diagnosis.verdict}. {diagnosis.evidence}

{_decision(judgement)}## Metrics

{_metrics_table(judgement)}

## Columns

{_columns_table(judgement)}

{groups_in_markdown(judgement)}## Validation of the data

{report.markdown()}"""


def compared_with_baseline(judgement: Judgement, metric: str, baseline: str) -> str:
    """Whether the network is better than a baseline, by how much and how surely, in words."""
    value = judgement.baseline_metrics[baseline][metric]
    return judgement.advantages[metric, baseline].beside(baseline, value)


def _judged(judgement: Judgement) -> str:
    """The headline metrics with their intervals, and the comparison with each baseline."""
    lines = ["| on the test rows | network | beside the baselines |", "|---|---|---|"]
    for metric, interval in judgement.intervals.items():
        compared = [
            compared_with_baseline(judgement, metric, baseline)
            for of_metric, baseline in judgement.advantages
            if of_metric == metric
        ]
        first, *others = compared or [""]
        lines += [f"| {metric} | {interval} | {first} |", *(f"| | | {other} |" for other in others)]
    if judgement.skill is not None:
        lines.append(f"| skill | {judgement.skill} | over {judgement.use_case.baselines[0]} |")
    return "\n".join(lines)


def _metrics_table(judgement: Judgement) -> str:
    costs = judgement.use_case.costs
    currency = costs.unit if costs else ""
    models = {"network": judgement.metrics, **judgement.baseline_metrics}
    lines = [
        f"| metric on the test rows | what it is | {' | '.join(models)} |",
        f"|---|---|{'---:|' * len(models)}",
    ]
    for name in judgement.metrics:
        metric = find_metric(name, judgement.use_case.problem)
        values = " | ".join(
            metric.formatted(metrics[name], currency) if name in metrics else "-"
            for metrics in models.values()
        )
        lines.append(f"| {name} | {metric.title} | {values} |")
    return "\n".join(lines)


def _decision(judgement: Judgement) -> str:
    """The cut-off with what it refuses and, where costs are declared, what that costs."""
    if judgement.cut_off is None:
        return ""
    use_case, refused = judgement.use_case, float(np.mean(judgement.predictions.decided == 1))
    rule = decision_rule(use_case)
    text = f"""## Decision

- Cut-off: {judgement.cut_off:.4g} ({rule.compared_title}), by {use_case.decision.method};
  {refused:.1%} of the test rows are refused
"""
    if use_case.costs is not None:
        unit = use_case.costs.unit
        accept, refuse = (
            format_value(float(costs.sum()), unit)
            for costs in costs_by_decision(judgement.rows, use_case)
        )
        decided = format_value(judgement.metrics["cost"], unit)
        text += f"- Cost of the wrong decisions: {decided}; to accept everybody {accept}, to "
        text += f"refuse everybody {refuse}\n"
    return text + "\n"


def _columns_table(judgement: Judgement) -> str:
    lines = ["| column | kind | role | unit | missing in the test rows |", "|---|---|---|---|---:|"]
    for column in judgement.use_case.columns:
        missing = f"{judgement.rows[column.name].isna().mean():.1%}"
        cells = (table_cell(column.name), column.kind, column.role, column.unit or "", missing)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def with_pictures(markdown: str, pictures: Mapping[str, Picture]) -> str:
    """The report as a page with its pictures, which follow the first lines; its first heading is
    the title of the page."""
    shown = [f"![{picture.finding}]({file})" for file, picture in pictures.items()]
    head, heading, rest = markdown.partition("\n## ")
    text = "\n\n".join([head, "## Pictures", *shown, heading + rest])
    title = markdown.partition("\n")[0].removeprefix("# ")
    return self_contained_page(text, title, {file: png for file, (_, png) in pictures.items()})
