"""What was measured of drafts: each table, the mean and the worst, and how sure they are."""

from dataclasses import dataclass, field

import numpy as np
from rich.console import Console
from rich.table import Table

MOST_ON_AVERAGE, MOST_OF_ONE = {"roc_auc": 0.005}, {"roc_auc": 0.02}
SHARE_ON_AVERAGE, SHARE_OF_ONE = 0.01, 0.02  # of the value of any other metric


@dataclass
class Compared:
    """One table. ``by_hand``, ``drafted`` and ``alike`` hold the test metric of each split;
    ``alike`` is that by hand without the columns that the draft ``kept_back``; the draft is trained
    without those ``known_afterwards``. ``not_blind`` says why it may have been made for this table.
    """

    table: str
    rows: int
    columns: int
    metric: str
    higher_is_better: bool
    draft_seconds: float
    by_hand: list[float]
    drafted: list[float]
    alike: list[float]
    not_blind: str = ""
    kept_back: list[str] = field(default_factory=list)
    known_afterwards: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    accused: list[str] = field(default_factory=list)

    @property
    def is_share(self) -> bool:
        """Whether a loss is a share of the metric by hand, since the metric has a unit."""
        return self.metric not in MOST_ON_AVERAGE

    @property
    def losses(self) -> np.ndarray:
        """How much worse the draft is in each split, beside a model which may use the same."""
        difference = np.array(self.alike) - np.array(self.drafted)
        difference = difference if self.higher_is_better else -difference
        return difference / np.mean(self.alike) if self.is_share else difference

    @property
    def loss(self) -> float:
        return float(self.losses.mean())

    @property
    def standard_error(self) -> float | None:
        """Of the loss, paired by split. Splits share rows, so that it is a little too small."""
        many = len(self.losses)
        return float(self.losses.std(ddof=1) / many**0.5) if many > 1 else None

    def shown(self, loss: float | None) -> str:
        return "" if loss is None else f"{loss:+.2%}" if self.is_share else f"{loss:+.4f}"

    @property
    def summary(self) -> str:
        return f"{self.table}: loss {self.shown(self.loss)} of {self.metric}"


def show(results: list[Compared], console: Console) -> None:
    table = Table(title="Drafted without a correction, beside a careful declaration by hand")
    names = ("table", "rows", "columns", "draft s", "splits", "metric", "by hand", "drafted")
    for name in (*names, "alike", "loss", "error", "blind", "kept back or accused"):
        table.add_column(name, justify="left" if name in ("table", "metric") else "right")
    for one in results:
        values = (f"{np.mean(v):,.4f}" for v in (one.by_hand, one.drafted, one.alike))
        table.add_row(
            one.table, f"{one.rows:,}", str(one.columns), f"{one.draft_seconds:.1f}",
            str(len(one.losses)), one.metric, *values, one.shown(one.loss),
            (one.shown(one.standard_error) or "-").lstrip("+"), "no" if one.not_blind else "yes",
            ", ".join(dict.fromkeys([*one.kept_back, *one.accused])),
        )  # fmt: skip
    console.print(table)
    console.print(
        "alike: by hand without what the draft keeps back; loss: alike to drafted, positive where "
        "the draft is worse; error: standard error of the loss, paired by split."
    )
    for is_share in (False, True):
        for blind, of in ((True, "blind tables"), (False, "all tables")):
            alike = [
                one for one in results
                if one.is_share == is_share and not (blind and one.not_blind)
            ]  # fmt: skip
            if alike:
                console.print(_total(alike, of))
    for one in results:
        if one.known_afterwards:
            names = ", ".join(one.known_afterwards)
            console.print(f"{one.table}: drafted without {names}, which is known only afterwards")
        if one.not_blind:
            console.print(f"{one.table}: not blind: {one.not_blind}")


def _total(results: list[Compared], of: str) -> str:
    """The mean and the largest loss, beside what is allowed."""
    metrics = ", ".join(dict.fromkeys(one.metric for one in results))
    shown, metric = results[0].shown, results[0].metric
    worst = max(results, key=lambda one: one.loss)
    losses = [one.loss for one in results]
    error = np.std(losses, ddof=1) / len(losses) ** 0.5 if len(losses) > 1 else None
    sure = f" with a standard error of {shown(error).lstrip('+')}" if error else ""
    return (
        f"{metrics}, {len(results)} {of}: mean loss {shown(np.mean(losses))}{sure} (at most "
        f"{shown(MOST_ON_AVERAGE.get(metric, SHARE_ON_AVERAGE))}), largest {shown(worst.loss)} in "
        f"{worst.table} (at most {shown(MOST_OF_ONE.get(metric, SHARE_OF_ONE))})"
    )
