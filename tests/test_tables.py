"""A table is read the same however its file is packed and written, or refused with the cause."""

import bz2
import gzip
import json
import lzma
import zipfile
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from openpyxl import load_workbook
from servers import postgresql
from sqlalchemy import create_engine

from flows.score_table import as_trained
from modelling.data.fingerprint import fingerprint
from modelling.data.loading import open_source, read_source, read_table
from modelling.data.reading import delimited, json_records
from modelling.data.reading.cells import read_cells
from modelling.data.reading.number_text import TextFormat
from modelling.data.sources.frames import in_memory
from modelling.data.typed_columns import kinds_of, type_columns
from modelling.declaration import Source, UseCase, amount, category, number, time
from modelling.drafting.columns.table_source import read_undeclared
from modelling.refusals import DataRefused, UsageError

USE_CASE = UseCase(
    name="loans", title="Loans", problem="binary", source=Source(uri="none"), target="default",
    columns=(number("age"), amount("income"), category("branch"), category("city"),
             time("opened_on")),
)  # fmt: skip
NAMES = ["age", "income", "branch", "city", "opened_on", "default"]


def table(rows=60):
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": generator.integers(18, 90, rows),
            "income": generator.lognormal(8, 0.5, rows).round(2),
            "branch": [f"{n:03d}" for n in generator.integers(1, 30, rows)],
            "city": generator.choice(
                ["Zürich", "NA", 'say "hi"', "two\nlines", "a;b,c", None], rows
            ),
            "opened_on": pd.date_range("2019-07-13", periods=rows, freq="D"),
            "default": generator.integers(0, 2, rows),
        }
    )


def typed(uri, **source):
    declared = Source(uri=str(uri), **source)
    use_case = USE_CASE.model_copy(update={"source": declared})
    raw, found = read_source(declared, kinds_of(use_case))
    return type_columns(raw, use_case).table[NAMES], found


def same(read):
    """That this is ``table()``, to the last digit and character, and its fingerprint too."""
    expected = type_columns(table(), USE_CASE).table[NAMES]
    pd.testing.assert_frame_equal(read, expected, check_dtype=False)
    assert fingerprint(read) == fingerprint(expected)


PACKED = {
    "plain.csv": lambda content: content,
    "CAPS.CSV": lambda content: content,
    "no_suffix": lambda content: content,
    "gzipped.csv.gz": gzip.compress,
    "gzipped_but_not_called_so.csv": gzip.compress,
    "called.zip": lambda content: content,
    "packed.xz": lzma.compress,
    "packed.bz2": bz2.compress,
    "packed.zst": zstandard.compress,
    "marked.csv": lambda content: b"\xef\xbb\xbf" + content,
    "utf16.csv": lambda content: content.decode().encode("utf-16"),
    "utf16_without_mark.csv": lambda content: content.decode().encode("utf-16-le"),
}


@pytest.mark.parametrize("name", PACKED)
def test_a_csv_file_by_its_content_and_not_by_its_name(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(PACKED[name](table().to_csv(index=False).encode()))
    read, found = typed(path)
    same(read)
    encodings = {"utf16.csv": "utf-16", "utf16_without_mark.csv": "utf-16-le"}
    assert found.settings == ({"encoding": encodings[name]} if name in encodings else {})


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_is_the_one_that_gives_the_declared_names_and_is_said(delimiter, tmp_path):
    table().to_csv(tmp_path / "a.csv", index=False, sep=delimiter)
    read, found = typed(tmp_path / "a.csv")
    same(read)
    assert found.in_words() == (f"delimiter {delimiter!r}",)


def test_marks_encodings_and_formats_that_are_declared(tmp_path):
    german = table().assign(opened_on=table()["opened_on"].dt.strftime("%d/%m/%Y"))
    german.to_csv(tmp_path / "a.csv", index=False, sep=";", decimal=",", encoding="latin-1")
    written = {"decimal": ",", "encoding": "latin-1", "date_format": "%d/%m/%Y"}
    same(typed(tmp_path / "a.csv", **written)[0])
    with pytest.raises(DataRefused, match="not UTF-8: add encoding='cp1252'"):
        typed(tmp_path / "a.csv")
    with pytest.raises(DataRefused, match=r"60 cells of income look like decimal commas"):
        typed(tmp_path / "a.csv", encoding="latin-1", date_format="%d/%m/%Y")


def test_line_ends_in_cells_over_the_borders_of_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 512)
    table().to_csv(tmp_path / "a.csv", index=False)
    same(typed(tmp_path / "a.csv")[0])


def test_a_zip_archive_holds_one_table(tmp_path):
    content = table().to_csv(index=False)
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.writestr("loans.csv", content)
        archive.writestr("__MACOSX/._loans.csv", "x")
    same(typed(tmp_path / "one.zip")[0])
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", content)
        archive.writestr("b.csv", content)
    with pytest.raises(DataRefused, match=r"two.zip packs 2 files"):
        typed(tmp_path / "two.zip")


def test_parquet_alone_in_folders_and_in_partitions(tmp_path):
    whole = table().assign(branch=table()["branch"].astype("category"))
    whole.to_parquet(tmp_path / "one.parquet")
    same(typed(tmp_path / "one.parquet")[0])
    same(typed(f"file://{tmp_path}/one.parquet")[0])
    (tmp_path / "folder").mkdir()
    for number_, rows in enumerate((whole.head(20), whole.iloc[20:])):
        rows.to_parquet(tmp_path / "folder" / f"part-{number_}.parquet")
    (tmp_path / "folder" / "_SUCCESS").touch()
    same(typed(tmp_path / "folder")[0])
    same(typed(f"{tmp_path}/folder/part-*.parquet")[0])
    parts = tmp_path / "parts"
    whole.assign(year=2019).to_parquet(parts, partition_cols=["year"])
    same(typed(parts)[0])


def test_a_parquet_file_that_lacks_a_wanted_column_of_the_first_is_refused(tmp_path):
    """Arrow would leave its cells empty, or leave a column out that only a later file has."""
    table().head(20).to_parquet(tmp_path / "a.parquet")
    table().iloc[20:].drop(columns="income").assign(note="x").to_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataRefused, match=r"b.parquet has other columns than a.parquet: income$"):
        typed(tmp_path)
    with pytest.raises(DataRefused, match=r"other columns than a.parquet: income, note$"):
        read_source(Source(uri=str(tmp_path)))
    (tmp_path / "b.parquet").unlink()
    table().iloc[20:].assign(note="x").to_parquet(tmp_path / "b.parquet")
    same(typed(tmp_path)[0])  # what is not declared may differ


MIXED = {
    "whole, then broken numbers": ([1, 2], [1.5, None], "number", [1, 2, 1.5, None]),
    "numbers, then codes": ([1, 2], ["007", "8"], "category", ["1", "2", "007", "8"]),
    "truths, then numbers": ([True, False], [0, 1], "number", [1, 0, 0, 1]),
    "two places, then three": (
        [Decimal("1.25"), Decimal("2.50")], [Decimal("1.256"), None], "number",
        [1.25, 2.5, 1.256, None],
    ),
    "nothing, then words": ([None, None], ["a", "b"], "category", [None, None, "a", "b"]),
    "days, then times": (
        [date(2020, 1, 1)] * 2, [datetime(2020, 1, 1, 23, 30)] * 2, "time",
        [pd.Timestamp("2020-01-01")] * 2 + [pd.Timestamp("2020-01-01 23:30")] * 2,
    ),
    "beyond a float": ([2**53 + 1, 5], [1.0, 2.0], "identifier", [2**53 + 1, 5, 1, 2]),
}  # fmt: skip


@pytest.mark.parametrize("folder", [True, False], ids=["folder", "glob"])
@pytest.mark.parametrize(("first", "then", "kind", "read"), MIXED.values(), ids=MIXED)
def test_each_parquet_file_of_a_folder_is_read_with_its_own_types(
    tmp_path, first, then, kind, read, folder
):
    """Arrow would read all as the types of the first file: 007 as 7, True as 1, 23:30 as 00:00."""
    for name, cells in (("a", first), ("b", then)):
        pq.write_table(pa.table({"x": pa.array(cells)}), tmp_path / f"{name}.parquet")
    raw = read_table(Source(uri=str(tmp_path if folder else tmp_path / "*.parquet")), {"x": kind})
    cells, unread = read_cells(raw["x"], kind, TextFormat())
    assert (unread, [None if pd.isna(cell) else cell for cell in cells]) == (0, read)


def test_true_among_other_numbers_of_a_folder_is_no_number(tmp_path):
    for name, cells in (("a", [True, False]), ("b", [1, 5])):
        pq.write_table(pa.table({"x": pa.array(cells)}), tmp_path / f"{name}.parquet")
    raw = read_table(Source(uri=str(tmp_path)), {"x": "number"})
    assert read_cells(raw["x"], "number", TextFormat())[1] == 2


def test_folders_that_name_a_column_keep_its_zeros_whatever_is_in_them(tmp_path):
    for code in ("007", "7", "a%20b", "__HIVE_DEFAULT_PARTITION__"):
        (tmp_path / f"branch={code}").mkdir()
        table(3).drop(columns="branch").to_csv(tmp_path / f"branch={code}" / "a.csv", index=False)
    read = typed(tmp_path)[0]["branch"]
    assert [None if pd.isna(c) else c for c in read[::3]] == ["007", "7", None, "a b"]


def test_folders_and_globs_of_csv_files_in_the_order_of_their_names(tmp_path):
    table().head(20).to_csv(tmp_path / "a.csv", index=False)
    table().iloc[20:][NAMES[::-1]].to_csv(tmp_path / "b.csv.gz", index=False)
    same(typed(tmp_path)[0])
    same(typed(f"{tmp_path}/*.csv*")[0])
    table().drop(columns="age").to_csv(tmp_path / "c.csv", index=False)
    with pytest.raises(DataRefused, match=r"c.csv has other columns than a.csv"):
        typed(tmp_path)
    with pytest.raises(UsageError, match="there is no file"):
        typed(f"{tmp_path}/*.json")


@pytest.mark.parametrize("written", ["excel", "json"])
def test_numbers_beside_words_keep_their_size_whatever_marks_the_text_has(tmp_path, written):
    """As text with a point, 1.234 would be 1234 here; a label is written as everywhere."""
    rows = table().astype({"income": object, "branch": object})
    rows.loc[0, ["income", "branch"]] = ["1.234,50 €", "unknown"]
    rows.loc[1, ["income", "branch"]] = ["unknown", 1.5]
    rows.loc[2, "income"] = 1.234
    path = tmp_path / "a.xlsx"  # told by its content
    if written == "excel":
        rows.to_excel(path, index=False)
    else:
        rows.to_json(path, orient="records", lines=True, date_format="iso")
    read, _ = typed(
        path, decimal=",", thousands=".", around_numbers=("€", "%"), missing=("unknown",)
    )
    expected = [1234.5, np.nan, 1.234, *table()["income"][3:]]
    np.testing.assert_array_equal(read["income"], expected)
    assert read["branch"][:2].tolist() == ["unknown", "1.5"]


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


def test_a_database_with_numerics_and_nulls(tmp_path):
    uri = f"sqlite:///{tmp_path}/loans.db"
    table().to_sql("loans", create_engine(uri), index=False)
    query = (
        'SELECT age, income, branch, city, opened_on, "default", 1 AS twice, 2 AS twice FROM loans'
    )
    same(typed(uri, query=query)[0])
    with pytest.raises(DataRefused, match="columns named twice: age"):
        typed(uri, query="SELECT *, age FROM loans")


def test_a_query_is_asked_as_it_stands(tmp_path):
    """A colon begins no parameter, and a percent sign needs no second one."""
    uri = f"sqlite:///{tmp_path}/loans.db"
    table().to_sql("loans", create_engine(uri), index=False)
    query = """SELECT *, '{"a":1}' AS told FROM loans WHERE branch LIKE '0%' -- 5% of :all"""
    same(typed(uri, query=query)[0])
    for query in ("DELETE FROM loans", "CREATE TABLE others (a)"):
        with pytest.raises(UsageError, match=r"source\.query returns no table: write SELECT"):
            typed(uri, query=query)
    assert len(read_table(Source(uri=uri, query="SELECT * FROM loans"))) == len(table())
    with pytest.raises(UsageError, match="asyncpg is a driver for asynchronous programs: write po"):
        typed("postgresql+asyncpg://me@127.0.0.1/bank", query="SELECT 1")


POSTGRESQL = """SELECT (i * 1.25)::numeric(9, 2) AS price, (i * 1000)::numeric::money AS cash,
    i % 2 = 0 AS vip, CASE i WHEN 1 THEN NULL ELSE i::bigint << 40 END AS big,
    timestamptz '2020-01-01 00:30+01' + i * interval '1 day' AS at,
    (enum_range(NULL::grade))[i] AS grade, lpad(i::text, 3, '0')::char(5) AS code,
    ('00000000-0000-4000-8000-00000000000' || i)::uuid AS whom, ('x' || i)::bytea AS key,
    CASE i WHEN 1 THEN 'NaN' ELSE i::numeric END AS score, ARRAY[i] AS list,
    jsonb_build_object('a', i) @> '{"a":1}' AS first FROM generate_series(1, 3) i"""


@pytest.mark.services
def test_the_types_of_postgresql_are_read_as_their_columns_are_declared(tmp_path):
    with postgresql(tmp_path / "log", "bank") as address:
        uri = f"postgresql://{address}/bank"
        with create_engine(uri).begin() as connection:
            connection.exec_driver_sql("CREATE TYPE grade AS ENUM ('A', 'B', 'C')")
        rows = read_table(Source(uri=uri, query=POSTGRESQL))
        refused = Source(uri=f"{uri.replace('finflows@', 'me:hunter22@')}x", query="SELECT 1")
        with pytest.raises(UsageError, match="the query failed") as error:
            read_table(refused)
        assert "hunter22" not in str(error.value)
    dollars = TextFormat(around_numbers=("$",), thousands=",")
    numbers = {name: read_cells(rows[name], "number", dollars) for name in NUMBERS_OF_POSTGRESQL}
    assert {name: cells.fillna(-1).tolist() for name, (cells, _) in numbers.items()} == (
        NUMBERS_OF_POSTGRESQL
    )
    assert not any(unread for _, unread in numbers.values())
    labels = {name: read_cells(rows[name], "category", TextFormat())[0] for name in rows}
    shown = {name: labels[name].tolist()[0] for name in ("grade", "code", "whom", "key")}
    whom = "00000000-0000-4000-8000-000000000001"
    assert shown == {"grade": "A", "code": "001", "whom": whom, "key": "x1"}
    at, _ = read_cells(rows["at"], "time", TextFormat())
    assert at[0] == pd.Timestamp("2020-01-01 23:30")


NUMBERS_OF_POSTGRESQL = {
    "price": [1.25, 2.5, 3.75],
    "cash": [1000, 2000, 3000],
    "vip": [0, 1, 0],
    "big": [-1, 2 << 40, 3 << 40],
    "score": [-1, 2, 3],
    "first": [1, 0, 0],
}


def test_bytes_in_a_file_are_the_text_that_some_programs_write_so(tmp_path):
    rows = table().assign(whom=[b"\x00\xff"] * 60)
    as_bytes = pa.Table.from_pandas(rows, preserve_index=False)
    for name in ("branch", "city"):
        at = as_bytes.column_names.index(name)
        as_bytes = as_bytes.set_column(at, name, as_bytes.column(name).cast(pa.binary()))
    pq.write_table(as_bytes, tmp_path / "a.parquet")
    same(typed(tmp_path / "a.parquet")[0])
    raw, _, _ = read_undeclared(Source(uri=str(tmp_path / "a.parquet")))
    assert set(raw["whom"]) == {"00ff"}
    with in_memory(rows, "loans") as address:
        assert set(read_undeclared(Source(uri=address))[0]["whom"]) == {"00ff"}


def test_a_web_page_that_is_called_a_sheet_is_named_as_such(tmp_path):
    table().to_html(tmp_path / "a.xls", index=False)
    for read in (typed, read_source):
        with pytest.raises(DataRefused, match=r"a\.xls is a web page or XML"):
            read(tmp_path / "a.xls") if read is typed else read(Source(uri=str(tmp_path / "a.xls")))


def test_json_is_one_object_a_line_or_one_array_of_objects(tmp_path):
    rows = table().assign(opened_on=lambda t: t["opened_on"].dt.strftime("%Y-%m-%d"))
    for name, lines in (("a.jsonl", True), ("a.json", False)):
        rows.to_json(tmp_path / name, orient="records", lines=lines)
        (tmp_path / name).write_text("\n" + (tmp_path / name).read_text())
        same(typed(tmp_path / name)[0])
    path = tmp_path / "a.jsonl"
    for added, said in (
        ('{"age": 4,', "is no JSON in line 61"),
        ("[1, 2]", "holds something else than objects"),
    ):
        rows.to_json(path, orient="records", lines=True)
        path.write_text(path.read_text() + added + "\n")
        with pytest.raises(DataRefused, match=said):
            typed(path)


def test_a_key_that_comes_late_is_refused_where_it_is_wanted(tmp_path, monkeypatch):
    monkeypatch.setattr(json_records, "ROWS_AT_ONCE", 50)
    path = tmp_path / "a.jsonl"
    rows = table().assign(opened_on=lambda t: t["opened_on"].dt.strftime("%Y-%m-%d"))
    rows.to_json(path, orient="records", lines=True)
    last = rows.iloc[-1].dropna().to_dict() | {"late": 1}
    path.write_text(path.read_text() + json.dumps(last, default=str) + "\n")
    assert len(typed(path)[0]) == len(rows) + 1
    with pytest.raises(DataRefused, match="only later rows have 'late': add it to all"):
        read_source(Source(uri=str(path)))


def test_a_cell_may_be_long_and_a_quote_open_by_another_delimiter(tmp_path):
    path = tmp_path / "a.csv"
    rows = "".join(f"{number};{'y' * 60};{number}\n" for number in range(4000))
    path.write_text(f'a;b;c\n1;foo,"bar;2\n3;"{"x" * 140_000}";4\n{rows}')
    read, found = read_source(Source(uri=str(path)))
    assert (read.shape, found.settings) == ((4002, 3), {"delimiter": ";"})


def test_names_in_brackets_are_no_json(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("[id],[amount]\n1,2\n")
    assert read_source(Source(uri=str(path)))[0].columns.tolist() == ["[id]", "[amount]"]


def test_columns_that_nobody_declared_can_hold_anything(tmp_path):
    whole = pa.Table.from_pandas(table())
    anything = pa.array([[{"a": 1}]] * len(whole))
    whole = whole.append_column("notes", anything).append_column("raw", pa.array([b"\xff"] * 60))
    pq.write_table(whole, tmp_path / "a.parquet")
    same(typed(tmp_path / "a.parquet")[0])
    head = ",".join([*NAMES, "x", "x", "", ""])
    further = table().assign(one=1, two=2, nothing=None, at_all=None)
    lines = further.to_csv(index=False, header=False)
    (tmp_path / "a.csv").write_bytes((head + "\n" + lines).encode().replace(b",1,2,", b",\xff,2,"))
    same(typed(tmp_path / "a.csv")[0])
    (tmp_path / "b.csv").write_text("age,age,income\n1,2,3\n")
    with pytest.raises(DataRefused, match=r"b.csv: columns named twice: age"):
        typed(tmp_path / "b.csv")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"age,income\n", "holds no rows"),
        (bytes(range(256)) * 50, "is not a table"),
        (b"PAR1 and nothing more", "is not a table"),
        (b"PK\x03\x04 and nothing more", "is not a table"),
        (b"\x1f\x8b and nothing more", "is not a table"),
    ],
)
def test_what_is_no_table_is_refused_by_name(content, said, tmp_path):
    (tmp_path / "in.csv").write_bytes(content)
    with pytest.raises(DataRefused, match=rf"in.csv {said}"):
        typed(tmp_path / "in.csv")


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


@pytest.mark.parametrize("written", ["a.csv", "a.parquet", "a.xlsx", "a.json", "a.db"])
def test_names_and_labels_are_the_same_however_their_accents_are_written(written, tmp_path):
    """As macOS writes o and two dots where Windows writes one letter."""
    apart, composed = "Gro\u0308\u00dfe", "Gr\u00f6\u00dfe"
    rows = pd.DataFrame({f"{apart} ": ["Ko\u0308ln", "K\u00f6ln"], "default": [0, 1]})
    path, source = tmp_path / written, Source(uri=str(tmp_path / written))
    if written == "a.db":
        source = Source(uri=f"sqlite:///{path}", query="SELECT * FROM a")
        rows.to_sql("a", create_engine(source.uri), index=False)
    elif written == "a.json":
        rows.to_json(path, orient="records", lines=True)
    else:
        getattr(rows, {"a.csv": "to_csv", "a.parquet": "to_parquet"}.get(written, "to_excel"))(
            path, index=False
        )
    for declared in ((), (composed,)):
        read = read_table(source, declared)
        assert read_cells(read[composed], "category", TextFormat())[0].tolist() == ["K\u00f6ln"] * 2
    assert read_table(source, [f"{apart} "]).columns.tolist() == [f"{apart} "], "as it is declared"
    with pytest.raises(DataRefused, match=r"'Gro\\u0308\\xdfe' \(not 'Gr\u00f6\u00dfe'\)"):
        read_table(source, [apart])


@pytest.mark.parametrize("declared", [["age"], ["id.1"]])
def test_the_second_of_a_name_takes_no_other_columns_name(declared, tmp_path):
    (tmp_path / "a.csv").write_text("id,age,id,id.1\n1,2,3,4\n")
    opened = open_source(Source(uri=str(tmp_path / "a.csv")), declared, rest=True)
    (batch,) = opened.batches
    assert batch.to_pylist() == [{"id": "1", "age": "2", "id.2": "3", "id.1": "4"}]


@pytest.mark.parametrize("written", ["a.csv", "a.parquet", "a.xlsx", "a.db"])
def test_what_stands_twice_is_left_out_of_drafts_and_passed_on_under_two_names(written, tmp_path):
    path, source = tmp_path / written, Source(uri=str(tmp_path / written))
    rows = pa.table([[1], [2], [3], ["x"]], names=["id", "age", "id", "note"])
    if written == "a.db":
        source = Source(
            uri=f"sqlite:///{path}", query="SELECT 1 AS id, 2 AS age, 3 AS id, 'x' AS note"
        )
    elif written == "a.parquet":
        pq.write_table(rows, path)
    else:
        frame = pd.DataFrame([[1, 2, 3, "x"]], columns=rows.column_names)
        getattr(frame, "to_csv" if written == "a.csv" else "to_excel")(path, index=False)
    read, found = read_source(source)
    assert (read.columns.tolist(), found.named_twice) == (["age", "note"], ("id",))
    opened = open_source(source, ["age"], rest=True)
    (batch,) = opened.batches
    assert opened.names == batch.schema.names == ["id", "age", "id.1", "note"]
    assert [str(cell) for cell in batch.to_pylist()[0].values()] == ["1", "2", "3", "x"]


def test_an_answer_of_a_database_may_be_larger_than_memory(tmp_path):
    uri = f"sqlite:///{tmp_path}/empty.db"
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    opened = open_source(Source(uri=uri, query=f"{endless} SELECT i AS age FROM n"), ["age"])
    assert next(opened.batches)["age"][0].as_py() == 1
    fails = f"{endless} SELECT CASE WHEN i < 50000 THEN i ELSE abs(~0 << 63) END AS age FROM n"
    opened = open_source(Source(uri=uri, query=fails), ["age"])
    with pytest.raises(UsageError, match="the query failed"):
        list(opened.batches)


def test_columns_of_a_long_answer_keep_their_kind_where_its_parts_have_others(tmp_path):
    counted = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)"
    half = "CASE WHEN i > 30000 THEN i / 2.0 ELSE i END AS half"
    query = f"{counted} SELECT i, {half}, NULL AS no FROM n"
    rows = read_table(Source(uri=f"sqlite:///{tmp_path}/empty.db", query=query))
    half, unread = read_cells(rows["half"], "number", TextFormat())
    assert (len(rows), unread, half.iloc[29999], half.iloc[-1]) == (40000, 0, 30000, 20000)
    assert read_cells(rows["i"], "identifier", TextFormat())[0].is_monotonic_increasing
    assert read_cells(rows["no"], "number", TextFormat())[0].isna().all()
