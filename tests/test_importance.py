"""What a model rests on: columns that matter stand out from those that do not; no row is shown."""

from itertools import compress, pairwise

import numpy as np
import pytest
from small_models import loan_table, loans, small_model

from modelling.declaration import amount, category, number
from modelling.figures.importance import draw_importance, draw_partial_dependence
from modelling.judgement import importance as importance_module
from modelling.judgement.importance import (
    PartialDependence,
    partial_dependence,
    permutation_importance,
)
from modelling.judgement.intervals import Interval
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


def test_partial_dependence_is_the_mean_answer_over_many_rows(small):
    scorer, rows, use_case = of(small)
    curves = partial_dependence(scorer, rows, ["balance", "region"], use_case)
    balance = curves["balance"]
    assert (np.diff(balance.answers[:, 0]) <= 1e-9).all(), "the deeper in the red, the likelier"
    assert len(balance.rug) == 9
    train = small.parts.train["balance"].tolist() + rows["balance"].tolist()
    assert not set(balance.values) & set(train), "no value is a customer's"
    assert set(curves["region"].values) == {"1", "2", "3"}
    for value, answer in zip(balance.values, balance.answers[:, 0], strict=True):
        expected = scorer.outputs(rows.assign(balance=value)).mean()
        assert answer == pytest.approx(expected, abs=1e-6)
    for figure in (draw_importance(permutation_importance(*of(small)), use_case),
                   draw_partial_dependence(curves, use_case)):  # fmt: skip
        assert figure.axes
        figure.canvas.draw()


def test_long_names_are_written_in_full_and_apart_from_each_other():
    """Two columns, or two labels, may differ in their last characters only."""
    names = [f"number_of_enquiries_of_other_lenders_in_the_{nth}_year_before" for nth in range(8)]
    names += [f"WieVieleAnfragenAndererBankenImJahr{nth}VorDemAntrag" for nth in range(4)]
    labels = [f"Berufsunfähigkeitsversicherung {nth}" for nth in range(12)]
    rest = {name: Interval(0.1, 0.05, 0.15) for name in names}
    of_labels = PartialDependence(
        np.array(labels, dtype=object), np.linspace(0, 1, 12)[:, None], np.empty(0)
    )
    of_numbers = PartialDependence(np.arange(12.0), np.linspace(0, 1, 12)[:, None], np.arange(9.0))
    curves = dict(zip(names, [of_labels, of_numbers] * 3, strict=False))
    bars, panels = draw_importance(rest, loans()), draw_partial_dependence(curves, loans())
    ticks = bars.axes[0].get_yticklabels()
    assert [words(tick) for tick in ticks] == names
    assert_whole(bars, ticks)
    assert [words(axes.xaxis.label) for axes in panels.axes] == names[:6]
    for axes in panels.axes[::2]:
        assert [words(tick).replace(" ", "") for tick in axes.get_xticklabels()] == [
            label.replace(" ", "") for label in labels
        ]
        assert_whole(panels, [*axes.get_xticklabels(), axes.xaxis.label])


def test_the_panels_of_many_classes_are_as_wide_as_each_other_and_their_names_apart():
    use_case = loans(
        problem="multiclass",
        target="grade",
        classes=("Grade A", "B", "C", "D", "E to G"),
        gate=None,
    )
    names = ["total_credit_utilized", "num_active_debit_accounts", "accounts_opened_24_months"] * 2
    values = np.linspace(0, 700_000, 12)
    curve = PartialDependence(values, np.full((12, 5), 0.2), values[:9])
    figure = draw_partial_dependence({f"{n}_{i}": curve for i, n in enumerate(names)}, use_case)
    figure.draw_without_rendering()
    widths = [axes.get_window_extent().width for axes in figure.axes]
    assert max(widths) - min(widths) < 1
    gaps = [
        b.get_window_extent().x0 - a.get_window_extent().x1 for a, b in pairwise(figure.axes[:3])
    ]
    assert max(gaps) < min(widths) / 4
    assert_whole(figure, [axes.xaxis.label for axes in figure.axes])
    (legend,) = figure.legends
    assert [one.get_text() for one in legend.get_texts()] == list(use_case.classes)
    for axes in figure.axes:
        (low, high), places = axes.get_xlim(), axes.get_xticks()
        seen = [low <= place <= high for place in places]
        assert_whole(figure, [*compress(axes.get_xticklabels(), seen)])


def words(text):
    return text.get_text().replace("\n", "")


def assert_whole(figure, texts):
    """All of each text is inside of the picture, and no two are written over each other."""
    figure.draw_without_rendering()
    extents = [text.get_window_extent() for text in texts]
    for extent in extents:
        assert extent.x0 >= 0
        assert extent.y0 >= 0
        assert extent.x1 <= figure.bbox.width
        assert extent.y1 <= figure.bbox.height
    for one, other in pairwise(extents):
        across = min(one.x1, other.x1) - max(one.x0, other.x0)
        along = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert min(across, along) <= 1, "half a line is shared at most by their margins"


def test_of_few_rows_there_is_no_partial_dependence(small):
    scorer, rows, use_case = of(small)
    assert partial_dependence(scorer, rows.head(19), ["balance"], use_case) == {}
