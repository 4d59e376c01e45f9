"""Tables come from files, URLs, packages, databases and functions, and are known by content."""

import numpy as np
import pandas as pd
import pytest
from small_models import prepared
from sqlalchemy import create_engine

from modelling.data.fingerprint import fingerprint
from modelling.data.loading import read_table
from modelling.data.reading.cells import read_cells
from modelling.data.reading.number_text import TextFormat
from modelling.data.typed_columns import type_columns
from modelling.declaration import Source
from modelling.refusals import DataRefused, UsageError
from use_cases import find_use_case


def test_the_same_rows_from_csv_parquet_url_and_sql(tmp_path, credit_table):
    credit_table.to_csv(tmp_path / "a.csv.gz", index=False)
    credit_table.to_parquet(tmp_path / "a.parquet")
    database = f"sqlite:///{tmp_path}/loans.db"
    credit_table.to_sql("loans", create_engine(database), index=False)
    sources = [
        Source(uri=str(tmp_path / "a.csv.gz")),
        Source(uri=str(tmp_path / "a.parquet")),
        Source(uri=f"file://{tmp_path}/a.parquet"),
        Source(uri=database, query="SELECT * FROM loans"),
    ]
    use_case = find_use_case("credit_scoring")
    expected = type_columns(credit_table, use_case).table
    for source in sources:
        typed = type_columns(read_table(source), use_case).table
        pd.testing.assert_frame_equal(typed, expected)
        assert fingerprint(typed) == fingerprint(expected)


def test_listed_environment_variables_are_expanded_when_a_source_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("WHERE_LOANS_ARE", str(tmp_path))
    monkeypatch.setenv("FINFLOWS_VARIABLES", "WHERE_LOANS_ARE")
    pd.DataFrame({"x": [1]}).to_csv(tmp_path / "a.csv", index=False)
    assert len(read_table(Source(uri="$WHERE_LOANS_ARE/a.csv"))) == 1


def test_what_can_not_be_read_says_so(tmp_path):
    (tmp_path / "empty.csv").touch()
    (tmp_path / "head.csv").write_text("a,b\n")
    (tmp_path / "picture.csv").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "fake.parquet").write_text("no parquet")
    for name in ("empty.csv", "head.csv", "picture.csv", "fake.parquet"):
        with pytest.raises(DataRefused, match=name):
            read_table(Source(uri=str(tmp_path / name)))
    (tmp_path / "folder").mkdir()
    for uri in (str(tmp_path / "none.csv"), str(tmp_path / "folder"), "package:nobody/x.csv"):
        with pytest.raises(UsageError):
            read_table(Source(uri=uri))
    (tmp_path / "loans.db").touch()  # a database without tables
    with pytest.raises(UsageError, match=r"source\.query"):
        read_table(Source(uri=f"sqlite:///{tmp_path}/loans.db"))
    with pytest.raises(UsageError, match="no such table"):
        read_table(Source(uri=f"sqlite:///{tmp_path}/loans.db", query="SELECT * FROM nowhere"))


def test_the_fingerprint_knows_cells_order_and_names_but_not_types():
    table = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    same = fingerprint(table.copy())
    assert same == fingerprint(table)
    others = [
        table.iloc[::-1],
        table.rename(columns={"a": "c"}),
        table.assign(a=[1, 3]),
    ]
    assert len({same, *(fingerprint(other) for other in others)}) == 4
    for kind in ("float64", "int8", "Int64"):
        assert fingerprint(table.astype({"a": kind})) == same


def test_cells_that_are_no_numbers_are_counted():
    column = pd.Series(["1", "2.5", None, "n/a?", "many"])
    assert read_cells(column, "number", TextFormat())[1] == 2


def test_times_with_a_zone_are_those_of_utc_in_summer_and_winter():
    zoned = pd.Series(["2018-03-25 00:30:00+01:00", "2018-03-25 03:30:00+02:00", "soon", None])
    plain = pd.Series(["2018-03-24 23:30:00", "2018-03-25 01:30:00"])
    assert read_cells(zoned, "time", TextFormat())[1] == 1
    read, expected = (
        read_cells(times, "time", TextFormat())[0] for times in (zoned.head(2), plain)
    )
    pd.testing.assert_series_equal(read, expected)


def test_duplicates_go_and_classes_become_codes(credit_table):
    use_case = find_use_case("credit_scoring")
    doubled = pd.concat([credit_table, credit_table.head(50)])
    conformed = prepared(use_case, doubled).table
    assert len(conformed) <= len(credit_table)
    assert not conformed.duplicated().any()
    assert conformed[use_case.target].dtype == np.int64


def test_numbers_as_text_and_decimals_of_a_database_are_numbers(credit_table):
    use_case = find_use_case("credit_scoring")
    as_text = credit_table.astype("str").replace("nan", None)
    read = type_columns(as_text, use_case).table
    assert read["MonthlyIncome"].dtype == np.float64
    assert read["MonthlyIncome"].isna().sum() == credit_table["MonthlyIncome"].isna().sum()
