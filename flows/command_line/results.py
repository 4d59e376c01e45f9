"""The last lines of a command: what came out, and what to do next."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flows.command_line.stages import seconds_by_stage
from modelling.checkout import command
from modelling.declaration.overrides import override
from modelling.declaration.use_case_files import find_use_case
from tasks.tracking.addresses import how_to_open

if TYPE_CHECKING:
    from flows.search import SearchResult
    from flows.training_result import TrainingResult
    from flows.watch import WatchResult
    from tasks.upkeep.health import Check


def show_result(
    result: "TrainingResult", overrides: Mapping[str, Any], as_json: bool, searched: bool = False
) -> None:
    """Print the last lines of a training: how good it is against what, what its curve says, and
    what to do next; then the other test metrics."""
    if as_json:
        print(json.dumps(result.model_dump()))
        return
    curve = result.learning_curve
    print()
    print(f"Result:       {result.compared}")
    print(f"Gate:         {result.gate_in_words}")
    print(f"Curve:        {curve['verdict']}, {curve['evidence']}")
    if curve["leak_suspected"]:
        print(f"              leak suspected: {curve['leak_suspected']}")
    if todo := _next_command(result, overrides, searched):
        print(f"Try next:     {todo}")
    print(f"In MLflow:    {how_to_open(result.paths['ui'])}")
    print()
    shown = _metrics_for_people(result, overrides)
    for first in range(0, len(shown), 5):
        print(f"  {'' if first else 'test rows':11} {'  '.join(shown[first : first + 5])}")
    print(f"  {'seconds':11} {seconds_by_stage()}")
    print(f"  {'run':11} {result.run_id}")


def _next_command(
    result: "TrainingResult", overrides: Mapping[str, Any], searched: bool
) -> str | None:
    """What the curve asks for; a search where it asks for nothing, unless that was done."""
    remedy = result.learning_curve["remedy"]
    if searched and not remedy:
        return None
    settings = {**overrides, **remedy}
    flags = [f"--set {shlex.quote(f'{k}={json.dumps(v)}')}" for k, v in settings.items()]
    return command("train" if remedy else "search", result.use_case, *flags)


def _metrics_for_people(result: "TrainingResult", overrides: Mapping[str, Any]) -> list[str]:
    """Each test metric with its value, money in the unit of the declared costs."""
    from modelling.judgement.metrics.catalogue import find_metric

    use_case = override(find_use_case(result.use_case), overrides)
    currency = use_case.costs.unit if use_case.costs else ""
    shown = []
    for name, value in result.metrics.items():
        metric = find_metric(name, use_case.problem)
        shown.append(f"{name} {metric.formatted(value, currency)}")
    return shown


def show_checks(checks: "Sequence[Check]", reaped: Sequence[str]) -> None:
    """Print one line for each check, and for each repair."""
    for check in checks:
        print(f"{'ok' if check.passed else 'FAILED':8}{check.name:12}{check.finding}")
    for line in reaped or ["nothing: no dead run, misplaced model or leftover file was found"]:
        print(f"{'repaired':20}{line}")


def show_search(result: "SearchResult", overrides: Mapping[str, Any], as_json: bool) -> None:
    """Print the last lines of a search: the chosen settings, and their test metrics."""
    if as_json:
        print(json.dumps(result.model_dump()))
        return
    show_result(result.trained, {**overrides, **result.settings}, as_json, searched=True)
    from modelling.learning_curve.history import format_loss

    counts = ", ".join(f"{count} {state}" for state, count in sorted(result.trials.items()))
    chosen = f"the chosen settings had val_loss {format_loss(result.best_val_loss)}"
    print(f"Searched:     {counts}; {chosen}")
    print(f"Chosen:       {result.choice}")
    for name, value in result.settings.items():
        print(f"  {name}={json.dumps(value)}")
    print(f"All trials:   {how_to_open(result.paths['ui'])}")


def show_watch(result: "WatchResult", as_json: bool) -> None:
    """Print the last lines of a watch: what somebody should look at, and where the page is."""
    if as_json:
        print(json.dumps(result.model_dump()))
        return
    print()
    alarms = result.alarms or ["none"]
    for place, alarm in enumerate(alarms):
        print(f"{'' if place else 'Alarms:':13} {alarm}")
    print(f"{'Page:':13} {how_to_open(result.address)}")
