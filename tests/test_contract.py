"""A registered model keeps its contract: columns and rules are named, values never."""

import json
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from small_models import loan_table, loans, small_model

from modelling.data.reading.cells import read_cells
from modelling.data.reading.number_text import TextFormat
from modelling.declaration import category
from modelling.judgement.packaging import contract_of
from modelling.scorer.column_names import spelled_otherwise
from modelling.scorer.contract import Contract, InputRefused
from modelling.scorer.model import Model


@pytest.fixture(scope="module")
def rows():
    return loan_table()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A packaged model."""
    return small_model(tmp_path_factory.mktemp("small") / "model").package.folder


@pytest.fixture
def model(folder):
    return Model(folder, version="3")


def tolerant(folder, copy):
    """The same model, declared to treat what breaks a rule as missing."""
    state = json.loads((folder / "scorer.json").read_text())
    state["contract"]["off_contract"] = "treat_as_missing"
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "scorer.json").write_text(json.dumps(state))
    return Model(copy, version="3")


BROKEN = [
    ("age", 121, "age: is at most 120"),
    ("age", -1, "age: is at least 0"),
    ("age", None, "age: is not missing"),
    ("age", "Meier", "age: is a number"),
    ("income", -4711.5, "income: is at least 0"),
    ("income", [4711], "income: is a number"),
    ("income", "4_711", "income: is a number"),
    ("income", "٤٧١١", "income: is a number"),
    ("income", 10**400, "income: is a number"),
    ("income", "1e400", "income: is a number"),
    ("income", True, "income: is a number"),
    ("housing", "castle", "housing: is a declared category"),
    ("region", None, "region: is not missing"),
]


@pytest.mark.parametrize(("column", "value", "rule"), BROKEN)
def test_a_broken_rule_refuses_its_row_alone_and_is_named_without_the_value(
    model, rows, column, value, rule
):
    frame = rows.head(5).astype(object)
    frame.at[2, column] = value
    answers = model.answer(frame)
    assert answers["broken_rules"].tolist() == ["", "", rule, "", ""]
    assert answers["decision"].isna().tolist() == [False, False, True, False, False]
    whole = model.answer(rows.head(5))
    kept = [0, 1, 3, 4]
    assert np.allclose(
        answers["probability"][kept].astype(float), whole["probability"][kept], atol=1e-6
    )


@pytest.mark.parametrize(("column", "value", "rule"), BROKEN)
def test_a_broken_cell_can_be_declared_to_count_as_missing(
    folder, rows, column, value, rule, tmp_path
):
    model = tolerant(folder, tmp_path)
    frame = rows.head(3).astype(object)
    frame.at[1, column] = None
    missing = model.answer(frame)["probability"]
    frame.at[1, column] = value
    answers = model.answer(frame)
    assert answers["broken_rules"].tolist() == ["", rule, ""]
    assert answers["probability"].tolist() == missing.tolist()


KEPT = [
    ("income", None, ""),
    ("region", 1.0, ""),
    ("balance", "12.5", ""),
    ("age", 0, ""),  # the ends of a range belong to it
    ("age", 120, ""),
    ("housing", None, ""),
]


@pytest.mark.parametrize(("column", "value", "rule"), BROKEN + KEPT)
def test_one_row_is_answered_as_it_is_among_others(model, rows, column, value, rule):
    frame = rows.head(3).astype(object)
    frame.at[1, column] = value
    among = model.answer(frame).iloc[1]
    alone = model.answer_row(frame.iloc[1].to_dict())
    assert alone["broken_rules"] == among["broken_rules"] == rule
    assert alone["decision"] == among["decision"]
    if rule:
        assert alone["probability"] is among["probability"] is None
    else:
        assert alone["probability"] == pytest.approx(among["probability"], abs=1e-6)
    assert alone["model_version"] == among["model_version"] == "3"


def test_several_broken_rules_are_all_named(model, rows):
    frame = rows.head(2).assign(age=200, income=-1.0)
    assert set(model.answer(frame)["broken_rules"]) == {
        "age: is at most 120; income: is at least 0"
    }


def test_missing_and_doubled_columns_are_one_error_that_names_them(model, rows):
    with pytest.raises(InputRefused, match="missing columns: income, housing"):
        model.answer(rows.drop(columns=["income", "housing"]))
    with pytest.raises(InputRefused, match=r"columns named twice: age$"):
        model.answer(pd.concat([rows, rows[["age"]]], axis="columns"))
    with pytest.raises(InputRefused, match="missing columns: age"):
        model.answer_row({})
    with pytest.raises(InputRefused, match="there are no rows"):
        model.answer(pd.DataFrame([]))


def test_a_missing_column_is_told_beside_the_one_that_is_spelled_otherwise(folder, rows, tmp_path):
    spelled = rows.head(3).rename(columns={"age": " Age", "balance": "BALANCE_", "income": "wages"})
    said = r"missing columns: age \(not ' Age'\), income, balance \(not 'BALANCE_'\)$"
    for model in (Model(folder, "3"), tolerant(folder, tmp_path)):
        with pytest.raises(InputRefused, match=said):
            model.answer(spelled)
        with pytest.raises(InputRefused, match=said):
            model.answer_row(spelled.iloc[0].to_dict())


def test_the_accents_of_a_name_and_a_label_may_be_written_in_two_ways():
    """As macOS writes them and as Windows does: in a file both are read, so in a request too."""
    column = {"kind": "category", "minimum": None, "maximum": None, "special_codes": [],
              "categories": ["K\u00f6ln", "Bern"], "required": True}  # fmt: skip
    state = {"columns": [{"name": "B\u00f6rse", **column}], "off_contract": "refuse_row"}
    contract = Contract(state, {"B\u00f6rse": ["K\u00f6ln", "Bern"]})
    for name in ("B\u00f6rse", "Bo\u0308rse"):
        columns, broken, unknown = contract.check_row({name: "Ko\u0308ln"})
        among, *_ = contract.check(pd.DataFrame({name: ["Bern", "Ko\u0308ln"]}))
        assert (broken, unknown) == ("", "")
        assert columns["B\u00f6rse"].tolist() == ["K\u00f6ln"] == among["B\u00f6rse"].tolist()[1:]


def test_a_name_that_is_there_or_wanted_itself_is_no_other_spelling():
    assert spelled_otherwise(["age"], ["age", " Age"]) == {}
    assert spelled_otherwise(["loan_id", "Loan ID"], ["loan_id"]) == {}


def test_missing_columns_are_missing_cells_where_that_is_declared(folder, rows, tmp_path):
    model = tolerant(folder, tmp_path)
    some = rows.head(3)
    without = some.drop(columns=["income", "region"])
    answers = model.answer(without)
    assert set(answers["broken_rules"]) == {"income: is there; region: is there"}
    emptied = model.answer(some.assign(income=np.nan, region=None))
    np.testing.assert_array_equal(answers["probability"], emptied["probability"])
    alone = model.answer_row(without.iloc[0].to_dict())
    assert alone["probability"] == pytest.approx(answers["probability"][0], abs=1e-6)
    assert alone["broken_rules"] == answers["broken_rules"][0]
    with pytest.raises(InputRefused, match="missing columns: age, income"):
        model.answer_row({"agee": 3})


def test_answers_carry_the_index_of_their_rows(model, rows):
    some = rows[rows["age"] < 40]
    pd.testing.assert_index_equal(model.answer(some).index, some.index)
    twice = rows.head(4).set_axis([7, 7, 3, 7])
    assert model.answer(twice)["probability"].tolist() == (
        model.answer(rows.head(4))["probability"].tolist()
    )


def test_a_row_has_the_same_bits_alone_and_among_others(model, rows):
    whole = model.answer(rows)["probability"].tolist()
    for count in (1, 2, 3, 5, 17, 100):
        assert model.answer(rows.head(count))["probability"].tolist() == whole[:count]
    assert [model.answer_row(row)["probability"] for row in rows.head(9).to_dict("records")] == (
        whole[:9]
    )


def test_no_rows_have_no_answers(model, rows):
    answers = model.answer(rows.head(0))
    assert len(answers) == 0
    assert "probability" in answers


def test_many_rows_are_scored_in_parts_that_join_seamlessly(model, rows, monkeypatch):
    many = pd.concat([rows] * 35, ignore_index=True)
    answers = model.answer(many)
    assert len(answers) == len(many) > 65_536
    first = model.answer(rows)["probability"]
    assert np.allclose(answers["probability"].tail(2000), first, atol=1e-6)


def test_infinite_numbers_count_as_missing_as_they_do_in_training(model, rows):
    frame = rows.head(2).assign(balance=np.inf)
    missing = rows.head(2).assign(balance=np.nan)
    assert model.answer(frame).equals(model.answer(missing))


def test_a_category_keeps_its_rule_whatever_type_it_was_read_as():
    contract = Contract(
        contract_of(loans(columns=(category("grade", "1", "2"),)), loan_table(5)), {}
    )
    for labels in ([1, 2], [1.0, 2.0], ["1", "2"], [np.int8(1), "2"]):
        cells, broken, _ = contract.check(pd.DataFrame({"grade": labels}))
        assert broken.tolist() == ["", ""]
        assert cells["grade"].tolist() == ["1", "2"]


ODD = [True, 1, "True", False, 0, -0.0, [1], {"a": 1}, 2**63, 1.1, "1.10", 1e-7, "Nan", "\u22125"]


@pytest.mark.parametrize("kind", ["category", "number"])
@pytest.mark.parametrize("known", [["0", "1", "1.10"], ["True", "False"]], ids=["numbers", "words"])
def test_what_a_cell_means_depends_on_no_other_cell(kind, known):
    """True is equal to 1 in Python, and a list among numbers makes libraries read all as text."""
    column = category("x").model_dump() | {"kind": kind, "required": False}
    state = {"columns": [column], "off_contract": "refuse_row"}
    contract = Contract(state, {"x": known})
    alone = {id(cell): contract.check_row({"x": cell}) for cell in ODD}
    for cells in permutations(ODD, 2):
        columns, broken, unknown = contract.check(
            pd.DataFrame({"x": pd.Series(cells, dtype=object)})
        )
        trained, _ = read_cells(pd.Series(cells, dtype=object), kind, TextFormat(), known)
        for row, cell in enumerate(cells):
            value, rules, unknown_columns = alone[id(cell)]
            assert (len(value), len(columns)) == (1, 2), "rows"
            assert (broken[row], unknown[row]) == (rules, unknown_columns), cells
            assert columns["x"][row] == value["x"][0] or kind == "number", cells
            if kind == "category":
                assert trained[row] == value["x"][0], cells


def test_text_with_a_point_is_no_number_where_the_training_table_had_decimal_commas():
    """In its files 1.234 is 1234, or no number at all."""
    column = category("x").model_dump() | {"kind": "number", "required": False}
    state = {"columns": [column], "off_contract": "refuse_row", "written": {"decimal": ","}}
    contract = Contract(state, {})
    for cell, rule in [("1.234", "x: is a number"), (1.234, ""), ("1234", ""), ("1.#IND", "")]:
        assert contract.check_row({"x": cell})[1] == rule
        assert contract.check(pd.DataFrame({"x": [cell]}))[1].tolist() == [rule]
