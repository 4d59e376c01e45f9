"""Which line names the columns: exports often put a title and a date above it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice

from modelling.refusals import DataRefused
from modelling.scorer.cells import number_of

LOOKED_AT = 50


def refuse_title(rows: Iterable[tuple[int, Sequence[str]]], shown: str) -> None:
    """Raise DataRefused where the first of the numbered ``rows`` is a title rather than names.

    It names at most half as many columns as most rows have cells, and one of the following rows
    has that many, all of them different words.
    """
    looked_at = [
        (number, [cell.strip() for cell in cells]) for number, cells in islice(rows, LOOKED_AT)
    ]
    if not looked_at:
        return
    wide = Counter(len(cells) for _, cells in looked_at).most_common(1)[0][0]
    named = sum(map(bool, looked_at[0][1]))
    if named > wide / 2:
        return
    for number, cells in looked_at[1:]:
        if len(cells) == wide and _are_names(cells):
            raise DataRefused(
                f"{shown}: its first line names {named} of {wide} columns: if line {number} names "
                f"them, add header_line={number} to the source (finflows score, draft: --source)"
            )


def _are_names(cells: Sequence[str]) -> bool:
    return len({*cells}) == len(cells) and all(cell and number_of(cell) is None for cell in cells)
