"""A file of any size is scored in order, whole or not at all, and no row is lost."""

import hashlib
import json
import os
import subprocess
import sys
from datetime import date
from threading import Event

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import REPOSITORY, last_json
from servers import PATIENCE
from small_models import loan_table, register_and_judge, small_model

from modelling.data.reading import json_records
from modelling.data.reading.number_text import TextFormat
from modelling.declaration import Source
from modelling.refusals import DataRefused, UsageError
from modelling.scorer.contract import InputRefused
from modelling.scorer.model import Model
from modelling.watching.profile import Counts, JudgedNumbers, numbers_in
from tasks.registry.scoring_runs import ModelInterface
from tasks.scoring.file_scoring import IS_A_ROW, score_file
from tasks.scoring.paths import quarantine_of

OUTPUTS = {
    "probability": "double",
    "decision": "long",
    "model_version": "string",
    "broken_rules": "string",
    "unknown": "string",
}
KINDS = {
    **dict.fromkeys(["age", "income", "balance"], "number"),
    **dict.fromkeys(["housing", "region"], "category"),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = small_model(tmp_path_factory.mktemp("small") / "model").package.folder
    return Model(folder, version="5")


@pytest.fixture
def loans():
    return loan_table().drop(columns="default").assign(contract=np.arange(2000) + 70_000)


def write(table, path):
    table.to_csv(path, index=False) if path.suffix == ".csv" else table.to_parquet(path)
    return path


def read(path):
    return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)


def scored(model, source, output, **asked):
    asked = ModelInterface(model.answer, KINDS, OUTPUTS, **asked)
    return score_file(asked, Source(uri=str(source)), output)


@pytest.mark.parametrize("into", [".csv", ".parquet"])
@pytest.mark.parametrize("out", [".csv", ".parquet"])
def test_every_row_is_answered_in_order_with_its_identifier(model, loans, tmp_path, out, into):
    result = scored(model, write(loans, tmp_path / f"in{into}"), tmp_path / f"out{out}")
    assert (result.rows, result.quarantined) == (2000, 0)
    answers = read(tmp_path / f"out{out}")
    assert answers["row"].tolist() == list(range(1, 2001))
    assert answers["contract"].astype(int).tolist() == loans["contract"].tolist()
    assert np.allclose(answers["probability"], model.answer(loans)["probability"], atol=1e-6)
    assert set(answers["model_version"].astype(str)) == {"5"}
    assert not quarantine_of(tmp_path / f"out{out}").exists()


def test_what_was_scored_is_known_again_by_its_content(model, loans, tmp_path):
    """A file by its bytes, as ``sha256sum`` says; a folder by its rows."""
    file = write(loans, tmp_path / "in.csv")
    found = scored(model, file, tmp_path / "out.csv").input_hash
    assert found == hashlib.sha256(file.read_bytes()).hexdigest()
    hashes = []
    for name, table in (("a", loans), ("b", loans), ("c", loans.assign(age=40))):
        (tmp_path / name).mkdir()
        write(table, tmp_path / name / "in.csv")
        hashes.append(scored(model, tmp_path / name, tmp_path / "out.csv").input_hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_file_in_another_writing_is_refused_as_it_is_written(model, loans, tmp_path):
    german = TextFormat(decimal=",", thousands=".", around_numbers=("€",))
    with pytest.raises(DataRefused, match="of income look like decimal points: add decimal="):
        scored(model, write(loans, tmp_path / "a.csv"), tmp_path / "out.csv", text_format=german)
    half = loans.assign(income=1, balance=loans["balance"].where(loans.index % 20 > 8))
    with pytest.raises(DataRefused, match="1,100 cells of balance look like decimal points"):
        scored(model, write(half, tmp_path / "a.csv"), tmp_path / "out.csv", text_format=german)
    loans = loans.assign(income=1, balance=loans["balance"].map("${:.2f}".format))
    path = write(loans, tmp_path / "a.csv")
    with pytest.raises(DataRefused, match=r"cells of balance have \$ around a number: convert"):
        scored(model, path, tmp_path / "out.csv", text_format=german)


def test_percentages_in_one_file_and_shares_in_the_next_are_refused(model, loans, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    write(loans.assign(balance=loans["balance"].map("{:.1f}%".format)), folder / "a.csv")
    write(loans, folder / "b.csv")
    text_format = TextFormat(around_numbers=("%",))
    with pytest.raises(DataRefused, match="balance: 2,000 numbers lack the % of the others"):
        scored(model, folder, tmp_path / "out.csv", text_format=text_format)
    assert not (tmp_path / "out.csv").exists()


PERCENTAGES = {"text_format": TextFormat(around_numbers=("€", "%")), "units": {"balance": "%"}}


@pytest.mark.parametrize("into", [".csv", ".parquet"])
def test_numbers_without_the_sign_that_they_had_in_training_are_refused_until_it_is_said(
    model, loans, tmp_path, into
):
    shares = write(loans, tmp_path / f"shares{into}")
    told = "balance: 2,000 numbers lack the % .* or where 0.125 .* score with --source around_numb"
    with pytest.raises(DataRefused, match=f"{told}ers='€'"):
        scored(model, shares, tmp_path / "out.csv", **PERCENTAGES)
    no_percent = PERCENTAGES | {"text_format": TextFormat(around_numbers=("€",))}
    assert scored(model, shares, tmp_path / "out.csv", **no_percent).rows == 2000


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_text_of_any_type_in_a_parquet_file_is_read_as_numbers_are_written(
    model, loans, tmp_path, dtype
):
    """pandas writes text as one of Arrow's long texts, categories as a dictionary."""
    euros = loans["balance"].map("€ {}".format).astype(dtype)
    path = write(loans.assign(balance=euros), tmp_path / "euros.parquet")
    text_format = TextFormat(around_numbers=("€",))
    assert scored(model, path, tmp_path / "out.csv", text_format=text_format).quarantined == 0
    scored(model, write(loans, tmp_path / "plain.parquet"), tmp_path / "plain.csv")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()


def test_a_sign_that_a_column_had_not_in_training_is_refused(model, loans, tmp_path):
    """Another column has it, so it would be read."""
    path = write(loans.assign(balance=loans["balance"].map("{}%".format)), tmp_path / "a.csv")
    with pytest.raises(DataRefused, match="numbers have % beside them, in training they had nothi"):
        scored(model, path, tmp_path / "out.csv", **PERCENTAGES | {"units": {"balance": ""}})
    plain = scored(model, path, tmp_path / "out.csv", **PERCENTAGES).rows
    assert plain == 2000


@pytest.mark.parametrize("out", [".csv", ".parquet"])
def test_json_passes_on_whatever_else_it_holds(model, loans, tmp_path, monkeypatch, out):
    monkeypatch.setattr(json_records, "ROWS_AT_ONCE", 500)
    rows = loans.to_dict("records")
    for number, row in enumerate(rows):
        row |= {"note": None if number < 900 else "later", "nested": {"a": number}}
        row["contract"] += 0.5 * (number > 900)
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert scored(model, path, tmp_path / f"out{out}").rows == 2000
    answers = read(tmp_path / f"out{out}")
    assert answers["nested"].tolist()[-1] == '{"a": 1999}'
    assert answers["note"].tolist()[-1] == "later"
    assert answers["contract"].astype(float).tolist()[-1] == 71999.5


@pytest.mark.parametrize("out", [".csv", ".parquet"])
def test_parquet_passes_on_what_a_csv_file_has_no_cells_for(model, loans, tmp_path, out):
    """Lists and objects, as warehouses have them, and text of the newer types of Arrow."""
    table = pa.Table.from_pandas(loans, preserve_index=False)
    further = {
        "customer": pa.array([{"since": date(2020, 1, 2), "n": n} for n in range(len(loans))]),
        "tags": pa.array([["a", "b"]] * len(loans)),
        "note": pa.array(["new"] * len(loans), pa.string_view()),
        "raw": pa.array([b"007"] * len(loans), pa.binary_view()),
    }
    for name, cells in further.items():
        table = table.append_column(name, cells)
    pq.write_table(table, tmp_path / "in.parquet")
    assert scored(model, tmp_path / "in.parquet", tmp_path / f"out{out}").rows == len(loans)
    answers = read(tmp_path / f"out{out}")
    assert answers["note"].tolist()[-1] == "new"
    if out == ".csv":
        assert answers["customer"][0] == '{"since": "2020-01-02", "n": 0}'
        assert answers["tags"][0] == '["a", "b"]'


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_rows_that_hold_nothing_the_model_reads_are_counted(model, loans, tmp_path, suffix):
    """As a spreadsheet saves formatted rows below a table, or a report its last line."""
    below = pd.DataFrame({"contract": [None, 7.0, None]}, index=[2000, 2001, 2002])
    path = write(pd.concat([loans, below]), tmp_path / f"in{suffix}")
    found = scored(model, path, tmp_path / "out.csv")
    assert (found.rows, found.empty) == (2003, 3)
    assert scored(model, write(loans, tmp_path / "all.csv"), tmp_path / "out.csv").empty == 0


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_lines_of_a_report_are_no_customers(model, loans, tmp_path, suffix):
    loans = loans.astype({"contract": "str"})
    header = pd.DataFrame([dict(zip(loans.columns, loans.columns, strict=True))])
    total = pd.DataFrame([{"contract": "TOTAL", "income": loans["income"].sum()}])
    report = pd.concat([loans[:900], header, loans[900:], total]).astype(object)
    file, output = tmp_path / f"report{suffix}", tmp_path / "out.parquet"
    report.to_csv(file, index=False) if suffix == ".csv" else report.to_excel(file, index=False)
    result = scored(model, file, output)
    assert (result.rows, result.quarantined) == (2002, 2)
    assert (result.broken[IS_A_ROW], result.unknown) == (2, {})
    assert read(output)["contract"].astype(str).tolist() == loans["contract"].tolist()
    assert np.allclose(read(output)["probability"], model.answer(loans)["probability"], atol=1e-6)
    assert read(quarantine_of(output))["row"].tolist() == [901, 2002]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_column_in_another_unit_is_told(model, loans, tmp_path, suffix):
    """Scored in silence, cents would be a hundred times the income."""
    judged = numbers_in(model.profile, model.contract.columns)
    cents = loans.assign(income=loans["income"] * 100)
    told = scored(model, write(cents, tmp_path / f"in{suffix}"), tmp_path / "a.csv", judged=judged)
    assert [line.partition(":")[0] for line in told.drifted] == ["income"]
    usual = scored(model, write(loans, tmp_path / "b.csv"), tmp_path / "c.csv", judged=judged)
    assert (usual.drifted, usual.empty_columns) == ([], [])
    few = scored(model, write(cents[:50], tmp_path / "d.csv"), tmp_path / "e.csv", judged=judged)
    assert not few.drifted


def test_numbers_are_compared_as_the_judged_ones_were_counted():
    """Special codes and numbers against a rule are no values."""
    column = {"minimum": 0, "maximum": 120, "special_codes": [-9]}
    numbers = JudgedNumbers(Counts([10.0, 20.0], [], [1, 1, 1, 1]), column)
    cells = np.array([5, 15, 25, -9, -1, 121, np.nan, np.inf])
    assert numbers.of(cells).tolist() == [1, 1, 1, 5]


@pytest.mark.parametrize("nothing", ["", "NA"])
def test_a_column_without_a_value_in_any_row_is_told(model, loans, tmp_path, nothing):
    file = write(loans.astype(object).assign(income=nothing), tmp_path / "in.csv")
    assert scored(model, file, tmp_path / "out.csv").empty_columns == ["income"]
    few = write(loans[:5].astype(object).assign(income=nothing), tmp_path / "few.csv")
    assert scored(model, few, tmp_path / "out.csv").empty_columns == []


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_rows_that_break_the_contract_are_set_aside_with_the_reasons(
    model, loans, tmp_path, suffix
):
    loans.loc[3, "age"] = 130
    loans.loc[7, "housing"] = "castle"
    if suffix == ".csv":
        loans["income"] = loans["income"].astype(object)
        loans.loc[11, "income"] = "a lot"
    source = write(loans, tmp_path / f"in{suffix}")
    result = scored(model, source, tmp_path / f"out{suffix}")
    aside = read(quarantine_of(tmp_path / f"out{suffix}")).set_index("row")
    wanted = {4: "age: is at most 120", 8: "housing: is a declared category"}
    wanted |= {12: "income: is a number"} if suffix == ".csv" else {}
    assert aside["broken_rules"].to_dict() == wanted
    assert result.quarantined == len(wanted)
    answered = read(tmp_path / f"out{suffix}")["row"]
    assert set(answered) | set(aside.index) == set(range(1, 2001))
    assert len(answered) + len(aside) == 2000


@pytest.mark.parametrize(
    ("first", "then", "written"),
    [(7, "007", None), (7, 1.5, None), (True, 5, None), (1.5, 2, [1.5, 2.0]), ("x", 7, ["x", "7"])],
)
def test_what_is_passed_on_keeps_its_value_in_later_files_or_is_refused(
    model, loans, tmp_path, first, then, written
):
    (folder := tmp_path / "in").mkdir()
    write(loans.head(2).assign(note=first), folder / "a.parquet")
    write(loans.head(2).assign(note=then), folder / "b.parquet")
    if written is None:
        with pytest.raises(DataRefused, match="note: later rows hold another type"):
            scored(model, folder, tmp_path / "out.parquet")
    else:
        scored(model, folder, tmp_path / "out.parquet")
        assert read(tmp_path / "out.parquet")["note"].tolist()[1:3] == written


def test_cells_that_count_as_missing_since_they_break_a_rule_are_counted(
    model, loans, tmp_path, monkeypatch
):
    monkeypatch.setattr(model.contract, "refuses", False)
    loans.loc[[3, 7], "age"] = 130
    loans["income"] = loans["income"].astype(object)
    loans.loc[11, "income"] = "7.9%"
    result = scored(model, write(loans, tmp_path / "in.csv"), tmp_path / "out.csv")
    assert (result.rows, result.quarantined) == (2000, 0)
    assert result.broken == {"age: is at most 120": 2, "income: is a number": 1}


def test_a_quarantine_that_is_scored_again_keeps_the_rows_of_the_first_file(model, loans, tmp_path):
    loans.loc[[3, 7, 11], "age"] = 130
    first = scored(model, write(loans, tmp_path / "in.csv"), tmp_path / "out.csv")
    assert first.broken == {"age: is at most 120": 3}
    again = pd.read_csv(tmp_path / "out.quarantine.csv")
    assert again["row"].tolist() == [4, 8, 12]
    again.loc[[0, 2], "age"] = 50
    again.loc[2, "housing"] = "castle"
    scored(model, write(again, tmp_path / "repaired.csv"), tmp_path / "second.csv")
    answered, aside = (read(tmp_path / f"second{end}.csv") for end in ("", ".quarantine"))
    assert answered["row"].tolist() == [4]
    assert answered["contract"].tolist() == [70_003]
    assert dict(zip(aside["row"], aside["broken_rules"], strict=True)) == {
        8: "age: is at most 120",
        12: "housing: is a declared category",
    }


def test_columns_that_are_called_like_ours_stay_apart(model, loans, tmp_path):
    named = loans.assign(row=np.arange(2000) * 2, decision="by hand")
    named.loc[5, "age"] = 130
    scored(model, write(named, tmp_path / "in.csv"), tmp_path / "out.csv")
    answers, aside = (read(tmp_path / f"out{end}.csv") for end in ("", ".quarantine"))
    assert answers["row_2"].tolist() == [n for n in range(1, 2001) if n != 6]
    assert answers["row"].tolist() == [n * 2 for n in range(2000) if n != 5]
    assert set(answers["input.decision"]) == {"by hand"}
    assert set(answers["decision"]) <= {0, 1}
    assert aside["row_2"].tolist() == [6]


def test_labels_that_no_training_row_had_are_counted_and_told_and_bounded(model, loans, tmp_path):
    loans["region"] = loans["region"].where(np.arange(2000) % 50 > 0, "9")
    result = scored(model, write(loans, tmp_path / "in.csv"), tmp_path / "out.csv")
    assert result.unknown == {"region": 40}
    told = read(tmp_path / "out.csv")["unknown"].fillna("")
    assert told.tolist() == ["region" if n % 50 == 0 else "" for n in range(2000)]
    source, output = tmp_path / "in.csv", tmp_path / "second.csv"
    with pytest.raises(DataRefused, match=r"region: 40 of 2,000 rows hold labels .*more than 1.0%"):
        scored(model, source, output, unknown_at_most={"region": 0.01})
    assert not output.exists()
    assert model.answer_row(loans.iloc[0].to_dict())["unknown"] == "region"


def test_files_of_answers_are_their_owners_from_the_start(model, loans, tmp_path):
    loans.loc[3, "age"] = 130
    modes = []

    def answer(frame):
        modes.extend(path.stat().st_mode & 0o777 for path in tmp_path.glob(".*.part"))
        return model.answer(frame)

    source = write(loans, tmp_path / "in.csv")
    score_file(
        ModelInterface(answer, KINDS, OUTPUTS), Source(uri=str(source)), tmp_path / "out.csv"
    )
    for path in (tmp_path / "out.csv", tmp_path / "out.quarantine.csv"):
        modes.append(path.stat().st_mode & 0o777)
    assert modes == [0o600] * 4


FORMULAS = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "'=quoted",
    "\uff1d1",
    "plain",
]


def test_no_cell_is_run_as_a_formula_and_a_quarantine_is_read_as_it_was(model, loans, tmp_path):
    loans = loans.head(16).assign(remark=FORMULAS * 2)
    loans["balance"] = -12.5
    loans.loc[8:, "age"] = 130
    loans.loc[8:, "housing"] = FORMULAS
    scored(model, write(loans, tmp_path / "in.csv"), tmp_path / "out.csv")
    answers, aside = (read(tmp_path / f"out{end}.csv") for end in ("", ".quarantine"))
    safe = [f"'{text}" for text in FORMULAS[:-1]] + FORMULAS[-1:]
    assert answers["remark"].tolist() == aside["remark"].tolist() == safe
    assert aside["housing"].tolist() == safe
    assert set(aside["balance"]) == {-12.5}, "a negative number is no formula"
    repaired = aside.assign(age=50, housing="own")
    repaired.loc[7, "age"] = 130
    scored(model, write(repaired, tmp_path / "repaired.csv"), tmp_path / "second.parquet")
    scored(model, write(repaired, tmp_path / "repaired.csv"), tmp_path / "second.csv")
    assert read(tmp_path / "second.parquet")["remark"].tolist() == FORMULAS[:-1]
    assert read(tmp_path / "second.csv")["remark"].tolist() == safe[:-1]


def test_the_same_input_gives_the_same_bytes(model, loans, tmp_path):
    source = write(loans, tmp_path / "in.csv")
    for output in ("a.parquet", "b.parquet", "a.csv", "b.csv"):
        scored(model, source, tmp_path / output)
    for suffix in ("parquet", "csv"):
        first, second = (tmp_path / f"{name}.{suffix}" for name in "ab")
        assert first.read_bytes() == second.read_bytes()


def test_a_failure_half_way_leaves_the_older_output_and_nothing_half_written(
    model, loans, tmp_path
):
    source = write(loans, tmp_path / "in.parquet")
    scored(model, source, tmp_path / "out.csv")
    before = (tmp_path / "out.csv").read_bytes()
    writer = pq.ParquetWriter(source, pa.Table.from_pandas(loans).schema)
    for _ in range(2):
        many = pd.concat([loans] * 40, ignore_index=True)
        writer.write_table(pa.Table.from_pandas(many))
    writer.close()
    calls = []

    def answer(frame):
        calls.append(len(frame))
        if len(calls) > 1:
            raise MemoryError
        return model.answer(frame)

    with pytest.raises(MemoryError):
        score_file(
            ModelInterface(answer, KINDS, OUTPUTS), Source(uri=str(source)), tmp_path / "out.csv"
        )
    assert len(calls) == 2
    assert (tmp_path / "out.csv").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"in.parquet", "out.csv"}


def test_what_can_not_be_scored_is_one_line(model, loans, tmp_path):
    source = write(loans.drop(columns=["age", "region"]), tmp_path / "in.csv")
    with pytest.raises(InputRefused, match="missing columns: age, region"):
        scored(model, source, tmp_path / "out.csv")
    (tmp_path / "twice.csv").write_text("age,region,age\n1,2,3\n")
    with pytest.raises(DataRefused, match="columns named twice: age"):
        scored(model, tmp_path / "twice.csv", tmp_path / "out.csv")
    (tmp_path / "noise.parquet").write_bytes(os.urandom(5000))
    with pytest.raises(DataRefused, match=r"noise.parquet is not a table"):
        scored(model, tmp_path / "noise.parquet", tmp_path / "out.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataRefused, match=r"empty.csv"):
        scored(model, tmp_path / "empty.csv", tmp_path / "out.csv")
    for input_, output, said in (
        ("none.csv", "out.csv", "no such file"),
        ("in.csv", "out.xlsx", "name a .csv or .parquet"),
        ("in.csv", "nowhere/out.csv", "no such folder"),
        ("in.csv", "in.csv", "would overwrite"),
    ):
        with pytest.raises(UsageError, match=said):
            scored(model, tmp_path / input_, tmp_path / output)
    assert not (tmp_path / "out.csv").exists()


MEASURED = """
import sys
from pathlib import Path
from modelling.scorer.contract import InputRefused
from modelling.scorer.model import Model
from test_scoring_files import scored
from tasks.peak_memory import peak_memory_mb
model = Model(Path(sys.argv[1]), "5")
scored(model, Path(sys.argv[2]), Path(sys.argv[3]))
print(peak_memory_mb())
"""


def test_peak_memory_is_that_of_the_program_and_not_of_who_started_it():
    large = bytearray(b"1" * (512 << 20))
    program = "from tasks.peak_memory import peak_memory_mb; print(peak_memory_mb())"
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    assert 5 < float(done.stdout) < len(large) / 2**20 / 2


@pytest.mark.services
@pytest.mark.parametrize(
    "millions", [(1, 3), pytest.param((1, 10), marks=pytest.mark.evidence)], ids=str
)
def test_memory_does_not_grow_with_the_file(millions, tmp_path):
    folder = small_model(tmp_path / "model").package.folder
    loans = pa.Table.from_pandas(pd.concat([loan_table()] * 100, ignore_index=True))
    peaks = []
    for times in (5 * number for number in millions):
        source = tmp_path / f"{times}.parquet"
        with pq.ParquetWriter(source, loans.schema) as writer:
            for _ in range(times):
                writer.write_table(loans)
        command = [sys.executable, "-c", MEASURED, str(folder), str(source)]
        done = subprocess.run(
            [*command, str(tmp_path / "out.parquet")],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        peaks.append(float(done.stdout))
    print(f"peak memory: {peaks[0]:.0f} and {peaks[1]:.0f} MB for {millions} million rows")
    assert peaks[1] < 1.5 * peaks[0]
    assert peaks[1] * 2**20 < psutil.virtual_memory().total


def test_nobody_waits_for_other_batches_when_one_fails(loans, tmp_path):
    many = pd.concat([loans] * 100)
    many.iloc[0, many.columns.get_loc("age")] = 111
    ended, waited = Event(), []

    def answer(frame):
        if frame["age"].iloc[0] != 111:
            waited.append(ended.wait(PATIENCE))
        raise DataRefused("the first batch")

    asked, output = ModelInterface(answer, KINDS, OUTPUTS), tmp_path / "out.csv"
    source = Source(uri=str(write(many, tmp_path / "in.parquet")))
    try:
        with pytest.raises(DataRefused, match="the first batch"):
            score_file(asked, source, output)
        assert not waited
    finally:
        ended.set()
    assert not output.exists()


@pytest.mark.services
def test_the_command_scores_with_the_champion_and_records_a_run(finflows, client, loans, tmp_path):
    layout = {"encoding": "cp1252", "header_line": 3}
    register_and_judge(name="scored", source=Source(uri="loans.csv", **layout))
    source = write(loans.assign(age=loans["age"].where(loans.index != 5, 200)), tmp_path / "in.csv")
    asked = ("--json", "--reasons", 2)
    done = finflows("score", "scored", source, tmp_path / "out.parquet", *asked)
    assert done.returncode == 0, done.stderr
    result = last_json(done.stdout)
    assert (result["model_version"], result["rows"], result["quarantined"]) == ("1", 2000, 1)
    answers = pd.read_parquet(tmp_path / "out.parquet")
    assert len(answers) == 1999
    assert set(answers["reason_1_column"].dropna()) <= {*KINDS}
    assert answers["reason_2_effect"].dtype == "float64"
    assert answers.loc[answers["decision"] == 1, "reason_1_effect"].min() > 0
    experiment = client.get_experiment_by_name("scored-scoring").experiment_id
    (run,) = client.search_runs([experiment])
    assert run.info.status == "FINISHED"
    assert run.data.tags["model_version"] == "1"
    made = client.get_model_version("scored", "1").source
    assert run.data.tags["model_id"] == made.removeprefix("models:/")
    assert run.data.tags["input_hash"] == result["input_hash"]
    assert run.data.metrics["quarantined"] == 1
    # No server, so no Prefect, which could start nothing there.
    alone = {"PREFECT_API_URL": "", "PREFECT_HOME": str(source / "no folder")}
    done = finflows("score", "scored", source, tmp_path / "again.parquet", *asked, **alone)
    assert done.returncode == 0, done.stderr
    assert last_json(done.stdout)["input_hash"] == result["input_hash"]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "again.parquet"), answers)
    # A file like the training table's needs no flags; another is read as it is, as above.
    titled = tmp_path / "titled.csv"
    lines = loans.assign(town="Köln").to_csv(index=False)
    titled.write_bytes(f"Kredite im März\n\n{lines}".encode("cp1252"))
    done = finflows("score", "scored", titled, tmp_path / "titled_out.csv")
    assert (done.returncode, "encoding 'cp1252', header_line 3" in done.stdout) == (0, True)
    towns = pd.read_csv(tmp_path / "titled_out.csv")["town"]
    assert towns.tolist() == ["Köln"] * 2000
    done = finflows("score", "scored", titled, tmp_path / "none.csv", "--source", "encoding=utf-8")
    assert (done.returncode, "not UTF-8" in done.stderr) == (3, True)
    refused = finflows("score", "scored", tmp_path / "none.csv", tmp_path / "out.csv")
    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)
    assert "no such file" in refused.stderr
    short = write(loans.drop(columns="age"), tmp_path / "short.csv")
    done = finflows("score", "scored", short, tmp_path / "none.csv")
    assert done.returncode == 3
    assert done.stderr.strip().splitlines()[-1].endswith("input contract: missing columns: age")
    assert not (tmp_path / "none.csv").exists()
