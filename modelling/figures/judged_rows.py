"""What the pictures read of a judgement: who is compared, on what, in the words of its use case."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from modelling.features.microaggregation import microaggregate
from modelling.figures.palette import NETWORK, OTHERS
from modelling.judgement.baselines.catalogue import all_baselines
from modelling.judgement.decisions.decision_rule import decision_rule
from modelling.judgement.judging import Judgement

DASHES = ("--", "-.", ":")
NO_BREAK = "\N{NO-BREAK SPACE}"  # a title is not wrapped in the middle of a name


class Compared(NamedTuple):
    """A model beside others: its title, outputs (n,) or (n, classes), metrics, and its line."""

    title: str
    outputs: np.ndarray
    metrics: dict[str, float]
    line: dict[str, Any]


def compared_models(judgement: Judgement) -> Iterator[Compared]:
    """The network, and the baselines that a figure shows beside it."""
    line: dict[str, Any] = {"color": NETWORK, "linewidth": 2.4, "zorder": 3}
    yield Compared("network", judgement.predictions.outputs, judgement.metrics, line)
    shown = [name for name in judgement.baseline_predictions if all_baselines()[name].in_curves]
    for number, name in enumerate(shown):
        line = {"color": OTHERS[number % len(OTHERS)], "linewidth": 1.5}
        line["linestyle"] = DASHES[number % len(DASHES)]
        outputs, metrics = judgement.baseline_predictions[name].outputs, judgement.baseline_metrics
        yield Compared(all_baselines()[name].title, outputs, metrics[name], line)


def target_of(judgement: Judgement) -> np.ndarray:
    """The class codes or values of the test rows: (n,)."""
    return judgement.rows[judgement.use_case.target].to_numpy()


def class_name(judgement: Judgement, code: int) -> str:
    """The declared label; with the name of the target where it is a bare number."""
    label = judgement.use_case.classes[code]
    if isinstance(label, str):
        return label
    return f"{judgement.use_case.target} = {label}".replace(" ", NO_BREAK)


def note_of(judgement: Judgement, shown: str = "") -> str:
    """The line below a picture: what it shows, and of what."""
    rows = f"{judgement.use_case.title}, {len(judgement.rows):,} test rows."
    return f"{shown} {rows}".strip()


def probability_cut_offs(judgement: Judgement) -> tuple[float, float]:
    """From where to where (10 % and 90 % of the rows) lies the probability from which a row is
    refused: one value, unless it depends on the row's amount."""
    use_case = judgement.use_case
    assert judgement.cut_off is not None
    refused_from = decision_rule(use_case).refused_from(judgement.cut_off, judgement.rows, use_case)
    grouped = microaggregate(refused_from[:, None], use_case.minimum_rows_per_value)
    low, high = np.quantile(grouped, [0.1, 0.9])
    return float(low), float(high)
