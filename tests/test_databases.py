"""The answer of a database is a table as any other, of whatever size."""

import pandas as pd
import pytest
from servers import postgresql
from sqlalchemy import create_engine
from written_tables import same, table, typed

from modelling.data.loading import open_source, read_table
from modelling.data.reading.cells import read_cells
from modelling.data.reading.number_text import TextFormat
from modelling.declaration import Source
from modelling.refusals import DataRefused, UsageError


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
    with pytest.raises(UsageError, match="one statement at a time"):
        typed(uri, query="SELECT 1; SELECT 2")
    with pytest.raises(UsageError, match=r"none\.db: no such file"):
        typed(f"sqlite:///{tmp_path}/none.db", query="SELECT 1")
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(UsageError, match="asyncpg is a driver for asynchronous programs: write po"):
        typed("postgresql+asyncpg://me@127.0.0.1/bank", query="SELECT 1")


POSTGRESQL = """SELECT (i * 1.25)::numeric(9, 2) AS price, (i * 1000)::numeric::money AS cash,
    i % 2 = 0 AS vip, CASE i WHEN 1 THEN NULL ELSE i::bigint << 40 END AS big,
    timestamptz '2020-01-01 00:30+01' + i * interval '1 day' AS at,
    (enum_range(NULL::grade))[i] AS grade, lpad(i::text, 3, '0')::char(5) AS code,
    ('00000000-0000-4000-8000-00000000000' || i)::uuid AS whom, ('x' || i)::bytea AS key,
    CASE i WHEN 1 THEN 'NaN' ELSE i::numeric END AS score, ARRAY[i] AS list,
    jsonb_build_object('a', i) @> '{"a":1}' AS first FROM generate_series(1, 3) i"""


NUMBERS_OF_POSTGRESQL = {
    "price": [1.25, 2.5, 3.75],
    "cash": [1000, 2000, 3000],
    "vip": [0, 1, 0],
    "big": [-1, 2 << 40, 3 << 40],
    "score": [-1, 2, 3],
    "first": [1, 0, 0],
}


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


def test_an_answer_of_a_database_may_be_larger_than_memory():
    uri = "sqlite://"
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    opened = open_source(Source(uri=uri, query=f"{endless} SELECT i AS age FROM n"), ["age"])
    assert next(opened.batches)["age"][0].as_py() == 1
    fails = f"{endless} SELECT CASE WHEN i < 50000 THEN i ELSE abs(~0 << 63) END AS age FROM n"
    opened = open_source(Source(uri=uri, query=fails), ["age"])
    with pytest.raises(UsageError, match="the query failed"):
        list(opened.batches)


def test_columns_of_a_long_answer_keep_their_kind_where_its_parts_have_others():
    counted = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)"
    half = "CASE WHEN i > 30000 THEN i / 2.0 ELSE i END AS half"
    query = f"{counted} SELECT i, {half}, NULL AS no FROM n"
    rows = read_table(Source(uri="sqlite://", query=query))
    half, unread = read_cells(rows["half"], "number", TextFormat())
    assert (len(rows), unread, half.iloc[29999], half.iloc[-1]) == (40000, 0, 30000, 20000)
    assert read_cells(rows["i"], "identifier", TextFormat())[0].is_monotonic_increasing
    assert read_cells(rows["no"], "number", TextFormat())[0].isna().all()
