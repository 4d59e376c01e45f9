"""All watches of a version side by side, as a table for the page."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from modelling.judgement.metrics.metric import format_value
from modelling.shown_text import table_cell


class PastWatch(NamedTuple):
    """When a watch was, the name of its table, and its numbers as ``Watched.numbers`` has them."""

    when: datetime
    table: str
    numbers: Mapping[str, float]

    def largest(self, kind: str) -> str:
        """The largest stability index of the ``psi`` of columns, or ``psi_of_answers``."""
        found = [psi for name, psi in self.numbers.items() if name.startswith(f"{kind}/")]
        return f"{max(found):.3f}" if found else "-"


def side_by_side(watches: Sequence[PastWatch], headline: Sequence[str]) -> str:
    """A section with one row for each of the ``watches``, in their order, and the ``headline``
    metrics of those whose outcomes were known."""
    measured = [*headline, "predicted", "observed"]
    measured = [name for name in measured if any(name in watch.numbers for watch in watches)]
    head = ["watched on", "table", "rows", "alarms", "largest PSI of an answer", "of a column"]
    lines = ["", "## All watches of this version", "", _row([*head, *measured])]
    lines.append("|---|---|" + "---:|" * (len(head) - 2 + len(measured)))
    for watch in watches:
        numbers = watch.numbers
        cells = [f"{watch.when:%Y-%m-%d}", table_cell(watch.table)]
        cells += [f"{numbers.get(name, 0):,.0f}" for name in ("rows", "alarms")]
        cells += [watch.largest("psi_of_answers"), watch.largest("psi")]
        cells += [format_value(numbers[n]) if n in numbers else "-" for n in measured]
        lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
