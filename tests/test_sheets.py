"""Sheets of Excel files: which one holds the table, and where its cells are."""

import pandas as pd
import pytest
from openpyxl import load_workbook
from written_tables import NAMES, USE_CASE, same, table, typed

from flows.score_table import as_trained
from modelling.data.loading import read_source
from modelling.data.typed_columns import type_columns
from modelling.declaration import Source
from modelling.refusals import DataRefused, UsageError


def test_excel_files_the_sheet_that_names_the_columns(tmp_path):
    path = tmp_path / "a.xlsx"
    with pd.ExcelWriter(path) as book:
        pd.DataFrame({"made by": ["hand"]}).to_excel(book, sheet_name="notes", index=False)
        table().to_excel(book, sheet_name="loans", index=False)
    read, found = typed(path)
    same(read)
    assert found.settings == {"sheet": "loans"}
    with pytest.raises(UsageError, match="no sheet 'x'; it has notes, loans"):
        typed(path, sheet="x")
    same(typed(path, sheet="loans")[0])
    with pd.ExcelWriter(path) as file:
        for sheet in ("May", "June"):
            table().to_excel(file, sheet_name=sheet, index=False)
    with pytest.raises(DataRefused, match="has 2 sheets with cells") as refused:
        typed(path)
    same(typed(path, sheet="June")[0])
    layout = {"sheet": "June", "encoding": "cp1252"}
    told = [
        as_trained(Source(uri="x", encoding="utf-8"), layout, refused.value),
        as_trained(Source(uri="x"), layout, DataRefused("", settings={"encoding": "latin-1"})),
    ]
    assert [(one.sheet, one.encoding) for one in told] == [("June", "utf-8"), ("June", "cp1252")]
    for given in (Source(uri="x", sheet="May"), Source(uri="x", encoding="utf-8", sheet="May")):
        with pytest.raises(DataRefused, match="has 2 sheets"):
            as_trained(given, layout, refused.value)


def test_tables_side_by_side_on_a_sheet_are_not_read_as_one(tmp_path):
    path = tmp_path / "a.xlsx"

    def write(beside, at):
        with pd.ExcelWriter(path) as book:
            table().to_excel(book, index=False)
            beside.to_excel(book, index=False, startcol=at)

    codes = pd.DataFrame({"code": ["a", "b", "c"], "meaning": ["x", "y", "z"]})
    write(codes, at=len(NAMES) + 1)
    with pytest.raises(DataRefused, match="2 tables stand side by side, with 60 and 3 rows: give"):
        typed(path)
    remarks = pd.DataFrame({"remark": [None, "late", None, "late"]})
    for beside in (remarks, codes.iloc[[0] * 60], codes.iloc[[0] * 61]):
        write(beside, at=len(NAMES) + 1)  # an empty column, and a row of totals, part no tables
        assert len(typed(path)[0]) >= len(table())


def test_cells_that_are_merged_over_rows_hold_in_each_of_them(tmp_path):
    rows = table().sort_values("branch").reset_index(drop=True)
    rows.to_excel(tmp_path / "a.xlsx", index=False)
    book = load_workbook(tmp_path / "a.xlsx")
    sheet, branch = book.active, rows.columns.get_loc("branch") + 1
    sheet.insert_rows(2)
    for column in range(1, 7):  # a header of two lines stays one
        sheet.merge_cells(start_row=1, end_row=2, start_column=column, end_column=column)
    for places in rows.groupby("branch").indices.values():
        first, last = int(places.min()) + 3, int(places.max()) + 3
        sheet.merge_cells(start_row=first, end_row=last, start_column=branch, end_column=branch)
    assert sheet.cell(4, branch).value is None, "only the first of them is written"
    book.save(tmp_path / "a.xlsx")
    expected = type_columns(rows, USE_CASE).table[NAMES]
    pd.testing.assert_frame_equal(typed(tmp_path / "a.xlsx")[0], expected, check_dtype=False)


def test_a_web_page_that_is_called_a_sheet_is_named_as_such(tmp_path):
    table().to_html(tmp_path / "a.xls", index=False)
    for read in (typed, read_source):
        with pytest.raises(DataRefused, match=r"a\.xls is a web page or XML"):
            read(tmp_path / "a.xls") if read is typed else read(Source(uri=str(tmp_path / "a.xls")))
