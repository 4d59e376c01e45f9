"""Which line names the columns: exports often put a title above it, and units below."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import islice

from modelling.refusals import DataRefused
from modelling.scorer.cells import number_of

LOOKED_AT = 50
FEWEST_LINES = 5
FEWEST_COLUMNS = 3


def refuse_title(rows: Iterable[tuple[int, Sequence[str]]], shown: str) -> None:
    """Raise DataRefused where the first of the numbered ``rows`` is a title rather than names.

    One of the following rows has as many cells as most rows, all of them different words. The first
    one has words in at most half as many; or not in all, and one of the other's stands above
    numbers.
    """
    looked_at = _within_bars(
        [(number, [cell.strip() for cell in cells]) for number, cells in islice(rows, LOOKED_AT)]
    )
    if not looked_at:
        return
    wide = _width(looked_at)
    first = looked_at[0][1]
    named = sum(map(bool, first))
    if len(first) >= wide and all(map(_is_word, first)):
        return
    for position, (number, cells) in enumerate(looked_at[1:], 1):
        if len(cells) != wide or not _are_names(cells):
            continue
        below = [row for _, row in looked_at[position + 1 :] if len(row) == wide]
        if named <= wide / 2 or _heads_numbers(cells, below):
            raise DataRefused(
                f"{shown}: its first line names {named} of {wide} columns: if line {number} names "
                f"them, add header_line={number} to the source (finflows score, draft: --source)",
                settings={"header_line": number},
            )
    if wide > FEWEST_COLUMNS and named <= wide / FEWEST_COLUMNS:
        raise DataRefused(
            f"{shown}: its first line names {named} of {wide} columns, and no other line names "
            "them all: write all names into one line, and where another stands above it, add "
            "header_line to the source"
        )


def _width(rows: Sequence[tuple[int, Sequence[str]]]) -> int:
    return Counter(len(cells) for _, cells in rows).most_common(1)[0][0]


def _within_bars(rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """The rows without the empty cells at both ends that lists of SAP have, |as|here|."""
    wide = _width(rows) if rows else 0
    barred = [cells for _, cells in rows if len(cells) == wide]
    if wide < 3 or any(cells[0] or cells[-1] for cells in barred):
        return rows
    return [(n, cells[1:-1] if len(cells) == wide else cells) for n, cells in rows]


def refuse_units(
    rows: Iterable[tuple[int, Sequence[str]]], missing: Collection[str], shown: str
) -> None:
    """Raise DataRefused where the line below the header is no row: it has words, such as units,
    over half of the columns of numbers and dates or more, and nothing over the others. ``missing``
    are words for a missing number."""
    looked_at = list(islice(rows, LOOKED_AT))
    if len(looked_at) < FEWEST_LINES:
        return
    number, units = looked_at[1]
    below = [cells for _, cells in looked_at[2:] if len(cells) == len(units)]
    over = [
        cell.strip()
        for cell, column in zip(units, zip(*below, strict=True), strict=False)
        if any(column) and all(re.search(r"\d", cell) for cell in column if cell.strip())
    ]
    words = [cell for cell in over if _is_word(cell) and cell not in missing]
    if len(words) >= max(2, len(over) / 2) and not any(re.search(r"\d", cell) for cell in over):
        raise DataRefused(
            f"{shown}: line {number} has words, such as units, over {len(words)} columns of "
            "numbers: remove that line from the file"
        )


def _are_names(cells: Sequence[str]) -> bool:
    return len({*cells}) == len(cells) and all(map(_is_word, cells))


def _is_word(cell: str) -> bool:
    return bool(cell) and number_of(cell) is None


def _heads_numbers(names: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether there is a word in ``names`` below which nothing but numbers or dates stands."""
    columns = zip(names, zip(*below, strict=True), strict=True) if below else ()
    return any(
        not re.search(r"\d", name) and all(re.search(r"\d", cell) for cell in cells)
        for name, cells in columns
    )
