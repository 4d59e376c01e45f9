"""A table is read the same however its file is packed and written, or refused with the cause."""

import bz2
import gzip
import json
import lzma
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from sqlalchemy import create_engine
from written_tables import NAMES, same, table, typed

from modelling.data.loading import open_source, read_source, read_table
from modelling.data.reading import delimited, json_records
from modelling.data.reading.cells import read_cells
from modelling.data.reading.number_text import TextFormat
from modelling.declaration import Source
from modelling.refusals import DataRefused, UsageError

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
        (gzip.compress(b"age,income\n" + b"1,2\n" * 500)[:30], "is not a table, or was cut off"),
        (
            b'{"age": {"0": 1}, "income": {"0": 2}}',
            "its one JSON object holds a table inside, or columns",
        ),
        (b'{"data": [{"age": 1}]}', "its one JSON object holds the table in 'data': save that"),
        (
            b'{\n "status": "ok",\n "results": [{"age": 1}, {"age": 2}]\n}\n',
            "its one JSON object holds the table in 'results': save that array alone",
        ),
    ],
)
def test_what_is_no_table_is_refused_by_name(content, said, tmp_path):
    (tmp_path / "in.csv").write_bytes(content)
    with pytest.raises(DataRefused, match=rf"in.csv:? {said}"):
        typed(tmp_path / "in.csv")


def test_a_pipe_is_refused_as_that(tmp_path):
    """What is asked of a file more than once, a pipe gives once."""
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as writer:
        written = writer.submit((tmp_path / "pipe").write_bytes, b"")
        with pytest.raises(UsageError, match="pipe is a pipe, which is read only once: save it"):
            typed(tmp_path / "pipe")
        written.result()


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


def test_a_key_that_stands_twice_in_json_is_refused_or_left_out_and_said(tmp_path):
    """In one object the last one was taken without a word; under two spellings of an accent, a
    draft declared both."""
    (tmp_path / "a.jsonl").write_text('{"age": 1}\n{"age": 2, "age": 3}\n')
    with pytest.raises(DataRefused, match=r"a.jsonl: an object has 'age' twice in line 2"):
        read_table(Source(uri=str(tmp_path / "a.jsonl")))
    (tmp_path / "b.jsonl").write_text(
        '{"age": 1, "Gr\u00f6\u00dfe": 1}\n{"age": 2, "Gro\u0308\u00dfe": 3}\n'
    )
    read, found = read_source(Source(uri=str(tmp_path / "b.jsonl")))
    assert (read.columns.tolist(), found.named_twice) == (["age"], ("Gr\u00f6\u00dfe",))


@pytest.mark.parametrize("written", ["a.csv", "a.parquet", "a.xlsx", "a.db"])
def test_what_stands_twice_is_left_out_of_drafts_and_passed_on_under_two_names(written, tmp_path):
    path, source = tmp_path / written, Source(uri=str(tmp_path / written))
    rows = pa.table([[1], [2], [3], ["x"]], names=["id", "age", "id", "note"])
    if written == "a.db":
        query = "SELECT 1 AS id, 2 AS age, 3 AS id, 'x' AS note"
        source = Source(uri="sqlite://", query=query)
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
