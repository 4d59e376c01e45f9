"""What was measured of drafts: each table, the mean and the worst, and how sure they are."""

from collections.abc import Iterator
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
    headings = ("table", "rows", "columns", "draft s", "splits", "metric", "by hand", "drafted")
    for name in (*headings, "alike", "loss", "error", "blind", "kept back or accused"):
        table.add_column(name, justify="left" if name in ("table", "metric") else "right")
    for one in results:
        table.add_row(*_cells(one))
    console.print(table)
    console.print(
        "alike: by hand without what the draft keeps back; loss: alike to drafted, positive where "
        "the draft is worse; error: standard error of the loss, paired by split."
    )
    for line in [*_totals(results), *(said for one in results for said in _notes(one))]:
        console.print(line)


def _cells(one: Compared) -> tuple[str, ...]:
    means = (float(np.mean(v)) for v in (one.by_hand, one.drafted, one.alike))
    return (
        one.table, f"{one.rows:,}", str(one.columns), f"{one.draft_seconds:.1f}",
        str(len(one.losses)), one.metric,
        *(f"{mean:,.1f}" if mean >= 10 else f"{mean:.4f}" for mean in means), one.shown(one.loss),
        (one.shown(one.standard_error) or "-").lstrip("+"), "no" if one.not_blind else "yes",
        ", ".join(dict.fromkeys([*one.kept_back, *one.accused])),
    )  # fmt: skip


def _notes(one: Compared) -> Iterator[str]:
    if one.known_afterwards:
        names = ", ".join(one.known_afterwards)
        yield f"{one.table}: drafted without {names}, which is known only afterwards"
    if one.not_blind:
        yield f"{one.table}: not blind: {one.not_blind}"


def _totals(results: list[Compared]) -> Iterator[str]:
    for is_share in (False, True):
        of_kind = [one for one in results if one.is_share == is_share]
        blind = [one for one in of_kind if not one.not_blind]
        yield from (_total(some, of) for some, of in ((blind, "blind"), (of_kind, "all")) if some)


def _total(results: list[Compared], of: str) -> str:
    """The mean and the largest loss, beside what is allowed."""
    metrics = ", ".join(dict.fromkeys(one.metric for one in results))
    shown, metric = results[0].shown, results[0].metric
    worst = max(results, key=lambda one: one.loss)
    losses = [one.loss for one in results]
    error = float(np.std(losses, ddof=1)) / len(losses) ** 0.5 if len(losses) > 1 else None
    sure = f" with a standard error of {shown(error).lstrip('+')}" if error else ""
    mean = shown(float(np.mean(losses)))
    return (
        f"{metrics}, {of} ({len(results)} tables): mean loss {mean}{sure} (at most "
        f"{shown(MOST_ON_AVERAGE.get(metric, SHARE_ON_AVERAGE))}), largest {shown(worst.loss)} in "
        f"{worst.table} (at most {shown(MOST_OF_ONE.get(metric, SHARE_OF_ONE))})"
    )
