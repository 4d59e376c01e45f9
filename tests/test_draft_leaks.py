"""Which columns a draft leaves out since they give the target away; it accuses no others."""

import numpy as np
import pytest
from small_models import drafted, loan_table, prepared

from benchmarks.by_hand import BY_HAND
from benchmarks.draft_quality import draft as draft_of
from modelling.data.loading import read_table
from modelling.declaration import SimulatedTransactions
from modelling.declaration.use_case_files import find_use_case
from modelling.drafting.writer import declared_by, draft_text


def clean_tables():
    credit = read_table(find_use_case("credit_scoring").source).sample(6000, random_state=1)
    yield credit, "SeriousDlqin2yrs"
    yield read_table(SimulatedTransactions(customers=60, terminals=120, days=60)), "fraud"
    for name in ("iris", "wine", "diabetes"):
        use_case = find_use_case(name)
        yield read_table(use_case.source), use_case.target
    yield loan_table(), "default"


def test_clean_tables_raise_no_alarm_about_leaks():
    for table, target in clean_tables():
        findings = drafted(table, target)
        assert not [c.name for c in findings.columns if c.gives_target_away], target
        assert declared_by(draft_text(findings)).features


def test_two_columns_of_cents_are_no_copies_but_euros_and_dollars_are():
    generator = np.random.default_rng(0)
    one, other = generator.random((2, 1000))
    table = loan_table(1000).assign(one=one, other=other, dollars=one * 1.1)
    left_out = {c.name: c.left_out for c in drafted(table, "default").columns if c.left_out}
    assert left_out == {"dollars": "says the same as 'one' in every row that was looked at"}


def test_the_last_of_two_columns_that_together_give_the_target_away_is_left_out():
    table = loan_table(1500)
    generator = np.random.default_rng(1)
    paid, owed = generator.gamma(2, 900, 1500), generator.gamma(2, 900, 1500)
    table = table.assign(paid=paid, owed=owed, default=(paid < owed).astype(int))
    findings = drafted(table, "default")
    given_away = {c.name: c.left_out for c in findings.columns if c.gives_target_away}
    assert [*given_away] == ["owed"]
    assert "'paid'" in given_away["owed"]


def test_columns_that_only_a_sum_of_many_gives_the_target_away_are_named():
    table = loan_table(1500)
    parts = np.random.default_rng(1).gamma(2, 900, (1500, 4))
    names = ["rent", "food", "travel", "phone"]
    table[names] = parts
    table["default"] = (parts.sum(axis=1) > 7200).astype(int)
    findings = drafted(table, "default")
    assert not [c.name for c in findings.columns if c.gives_target_away]
    assert findings.gate is not None
    assert set(findings.gate.together) <= {*names}
    assert len(findings.gate.together) >= 2
    assert any("'rent'" in said for said in findings.worth_a_look)


def test_a_logarithm_of_a_regression_target_gives_it_away():
    table = loan_table(800).drop(columns="default")
    table["price"] = np.random.default_rng(2).lognormal(8, 1, 800).round(2)
    table["log_price"] = -np.log(table["price"]).round(3)
    (left_out,) = [c for c in drafted(table, "price").columns if c.gives_target_away]
    assert left_out.name == "log_price"


KNOWN_TO_GIVE_AWAY = {
    "vub_credit": ["Days_late"],
    "wage": ["logwage"],
    "card_approved": ["share", "expenditure"],
    "credit_grade": ["interest_rate", "installment", "sub_grade"],
}


@pytest.mark.services
@pytest.mark.parametrize("name", [name for name in BY_HAND if name != "credit_scoring"])
def test_public_tables_raise_no_false_alarm_about_leaks(name):
    findings = draft_of(BY_HAND[name])
    accused = [column.name for column in findings.columns if column.gives_target_away]
    assert accused == KNOWN_TO_GIVE_AWAY.get(name, [])
    assert findings.gate is None or not findings.gate.too_good
    use_case = declared_by(draft_text(findings))
    assert prepared(use_case.model_copy(update={"source": BY_HAND[name].source}))
