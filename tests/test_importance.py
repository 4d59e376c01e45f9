"""What a model rests on: columns that matter stand out from those that do not; no row is shown."""

import numpy as np
import pytest
from small_models import loan_table, small_model

from modelling.declaration import amount, category, number
from modelling.figures.importance import draw_importance, draw_partial_dependence
from modelling.judgement import importance as importance_module
from modelling.judgement.importance import partial_dependence, permutation_importance
from modelling.scorer.scoring import Scorer

COLUMNS = (amount("income"), number("balance"), number("noise"), category("region"))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    table = loan_table().assign(noise=np.random.default_rng(4).normal(size=2000))
    return small_model(tmp_path_factory.mktemp("small") / "model", table=table, columns=COLUMNS)


def of(small):
    return Scorer(small.package.folder), small.parts.validation, small.trained.use_case


def test_shuffling_a_column_of_use_raises_the_loss_and_one_of_noise_does_not(small):
    importance = permutation_importance(*of(small))
    assert set(list(importance)[:2]) == {"income", "balance"}
    assert importance["balance"].low > 0
    assert importance["income"].low > 0
    for name in ("noise", "region"):
        assert importance[name].low < 0.01
        assert abs(importance[name].value) < importance["income"].value / 5
    assert importance == permutation_importance(*of(small)), "the same each time"


def test_the_importance_in_a_sample_with_more_of_a_rare_class_is_that_in_all_rows(
    tmp_path, monkeypatch
):
    """Cells drawn as often as they are in the sample, not in the rows, would multiply it."""
    table = loan_table(20_000)
    generator = np.random.default_rng(6)
    table["default"] = (generator.random(len(table)) < 0.01).astype(int)
    table["sign"] = 4 * table["default"] + generator.normal(size=len(table))
    columns = (amount("income"), number("sign", known_leak_free="made up"))
    rare = small_model(tmp_path / "model", table=table, columns=columns, gate=None)
    whole = permutation_importance(*of(rare))["sign"].value
    monkeypatch.setattr(importance_module, "EVALUATIONS", 2 * 300)
    sample = permutation_importance(*of(rare))["sign"].value
    assert 0.6 < sample / whole < 1.6


def test_a_course_is_the_mean_answer_over_many_rows(small):
    scorer, rows, use_case = of(small)
    courses = partial_dependence(scorer, rows, ["balance", "region"], use_case)
    balance = courses["balance"]
    assert (np.diff(balance.answers[:, 0]) <= 1e-9).all(), "the deeper in the red, the likelier"
    assert len(balance.rug) == 9
    train = small.parts.train["balance"].tolist() + rows["balance"].tolist()
    assert not set(balance.values) & set(train), "no value is a customer's"
    assert set(courses["region"].values) == {"1", "2", "3"}
    for value, answer in zip(balance.values, balance.answers[:, 0], strict=True):
        expected = scorer.outputs(rows.assign(balance=value)).mean()
        assert answer == pytest.approx(expected, abs=1e-6)
    for figure in (draw_importance(permutation_importance(*of(small)), use_case),
                   draw_partial_dependence(courses, use_case)):  # fmt: skip
        assert figure.axes
        figure.canvas.draw()


def test_of_few_rows_there_is_no_course(small):
    scorer, rows, use_case = of(small)
    assert partial_dependence(scorer, rows.head(19), ["balance"], use_case) == {}
