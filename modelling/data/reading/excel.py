"""A sheet of an Excel file."""

from collections.abc import Iterable
from typing import IO, Any

import pandas as pd

from modelling.data.reading.header_lines import LOOKED_AT, refuse_title, refuse_units
from modelling.data.reading.raw_tables import ColumnSelection, RawTable, batch_of
from modelling.refusals import DataRefused, UsageError
from modelling.scorer.cells import label_text

_Range = tuple[tuple[int, int], tuple[int, int]]  # row and column, from 0, of its first and last


def open_excel(stream: IO[bytes], wanted: ColumnSelection) -> RawTable:
    """The declared sheet, or the only one that names all declared columns."""
    book = pd.ExcelFile(stream, engine="calamine")
    sheets = pd.read_excel(
        book, sheet_name=None, header=None, dtype=object, keep_default_na=False, na_values=[""]
    )
    sheet = _chosen(sheets, wanted)
    cells = _with_cells(sheets[sheet], wanted)
    merged = book.book.get_sheet_by_name(sheet).merged_cell_ranges or ()  # .ods tells none
    cells = _filled(cells, merged)
    top = cells.head(LOOKED_AT).itertuples()
    rows = [(label + 1, [*map(_text, row)]) for label, *row in top]
    if wanted.source.header_line is None:
        refuse_title(rows, wanted.shown)
    refuse_units(rows, wanted.source.missing, wanted.shown)
    _refuse_several_tables(cells.notna(), wanted.shown)
    names = [wanted.name(c if isinstance(c, str) else _text(c)) for c in cells.iloc[0]]
    taken, found = wanted.columns(names)
    columns = {name: cells.iloc[1:, place].tolist() for place, name in taken.items()}
    settings = {} if len(sheets) == 1 or wanted.source.sheet else {"sheet": sheet}
    batches = iter([batch_of(columns, wanted)])
    return RawTable(list(columns), batches, found._replace(settings=settings), is_text=True)


def _filled(cells: Any, merged: Iterable[_Range]) -> pd.DataFrame:
    """What is written once below the header, in cells that are merged over several rows, holds in
    each of them."""
    for (first, column), (last, last_column) in merged:
        below = first in cells.index[1:]
        if below and first < last and column == last_column:
            cells.loc[first:last, column] = cells.at[first, column]
    return cells


def _refuse_several_tables(filled: pd.DataFrame, shown: str) -> None:
    """Raise DataRefused where columns without a cell part a sheet into tables that end in other
    rows; ``filled`` says which cells hold something. Remarks beside a table have gaps."""
    groups = (~filled.any()).cumsum()[filled.any()]
    rows = [filled[list(names)].any(axis=1) for names in groups.groupby(groups).groups.values()]
    whole = [int(one.sum()) - 1 for one in rows if one.is_monotonic_decreasing]
    if len(whole) == len(rows) and max(whole) > min(whole) + 1:  # a row of totals is no table
        raise DataRefused(
            f"{shown}: {len(rows)} tables stand side by side, with {' and '.join(map(str, whole))} "
            "rows: give each a sheet of its own"
        )


def _text(cell: object) -> str:
    return label_text(cell) or ""


def _chosen(sheets: dict[str, pd.DataFrame], wanted: ColumnSelection) -> str:
    declared = wanted.source.sheet
    if declared is not None and declared not in sheets:
        raise UsageError(f"{wanted.shown} has no sheet '{declared}'; it has {', '.join(sheets)}")
    full = {name: rows for name, cells in sheets.items() if len(rows := _with_cells(cells, wanted))}
    fitting = [n for n, cells in full.items() if wanted.declared <= set(map(str, cells.iloc[0]))]
    chosen = [declared] if declared in full else fitting if len(fitting) == 1 else list(full)
    if len(chosen) != 1:
        raise DataRefused(
            f"{wanted.shown} has {len(full)} sheets with cells: add sheet='...' to the source "
            "(finflows score: --source sheet=...)",
            settings={"sheet": None},
        )
    return chosen[0]


def _with_cells(cells: pd.DataFrame, wanted: ColumnSelection) -> pd.DataFrame:
    """The rows that are not empty, from the line that is declared to name the columns."""
    return cells.iloc[(wanted.source.header_line or 1) - 1 :].dropna(how="all")
