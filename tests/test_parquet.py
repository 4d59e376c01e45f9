"""Parquet and Feather: each file with its own types, alone, in folders and in partitions."""

import gzip
from datetime import date, datetime
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from written_tables import same, table, typed

from modelling.data.loading import read_source, read_table
from modelling.data.reading import arrow_files
from modelling.data.reading.cells import read_cells
from modelling.data.reading.number_text import TextFormat
from modelling.data.sources.frames import in_memory
from modelling.declaration import Source
from modelling.drafting.columns.table_source import read_undeclared
from modelling.refusals import DataRefused, UsageError


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


def test_codes_that_lost_their_zeros_in_some_files_of_a_folder_are_no_other_labels(tmp_path):
    """8 and 008 were two labels, without a word. Nothing is lost of a number, or of 12 and 008."""
    pq.write_table(pa.table({"x": [8, 12, None], "n": [8, 1, 2]}), tmp_path / "a.parquet")
    pq.write_table(
        pa.table({"x": ["008", "012", "x"], "n": ["008", "1", "2"]}), tmp_path / "b.parquet"
    )
    with pytest.raises(DataRefused, match="x: 2 of its codes are numbers in some files and have"):
        read_table(Source(uri=str(tmp_path)), {"x": "category"})
    assert len(read_table(Source(uri=str(tmp_path)), {"n": "number"})) == 6
    pq.write_table(pa.table({"x": [12, 13], "n": [8, 1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": ["008", "x"], "n": ["9", "1"]}), tmp_path / "b.parquet")
    assert len(read_table(Source(uri=str(tmp_path)), {"x": "category"})) == 4


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


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_feather_is_read_as_parquet_is(tmp_path, monkeypatch, compression):
    """As polars, R and pandas write it; also packed, and in a folder."""
    monkeypatch.setattr(arrow_files, "ROWS_AT_ONCE", 25)
    (tmp_path / "all").mkdir()
    table().astype({"branch": "category"}).to_feather(
        tmp_path / "all" / "a.feather", compression=compression
    )
    (tmp_path / "a.feather.gz").write_bytes(
        gzip.compress((tmp_path / "all" / "a.feather").read_bytes())
    )
    for place in ("all/a.feather", "all", "a.feather.gz"):
        same(typed(tmp_path / place)[0])
    (tmp_path / "b.feather").write_bytes(b"ARROW1 and nothing more")
    with pytest.raises(DataRefused, match="is not a table"):
        typed(tmp_path / "b.feather")
    with pytest.raises(UsageError, match="header_line=2 means nothing in Feather"):
        typed(tmp_path / "all", header_line=2)
