"""What pictures say: the finding, the labels, the cut-off. They can always be drawn."""

import re
import warnings
from dataclasses import replace
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from small_models import Trained, loan_table, loans, small_model

from modelling.declaration import Costs, CutOff, LeastCost, OutOfTime
from modelling.figures.advantages import finding_of
from modelling.figures.decisions import cost_finding
from modelling.figures.densities import groups_in_order
from modelling.figures.importance import draw_importance
from modelling.figures.judged_rows import probability_cut_offs
from modelling.figures.judgement import draw_judgement
from modelling.figures.learning_curve import draw_learning_curve
from modelling.figures.self_contained_page import self_contained_page
from modelling.judgement.decisions.decision_rule import decision_rule
from modelling.judgement.evaluation import NO_GATE
from modelling.judgement.intervals import Interval
from modelling.judgement.judging import Judgement, Predictions
from modelling.judgement.metrics.catalogue import find_metric
from modelling.judgement.metrics.metric import format_together
from modelling.learning_curve.diagnosis import read_learning_curve
from modelling.learning_curve.history import History
from tasks.report import report_in_markdown, with_pictures
from tasks.tracking.record import Picture
from tasks.validation import ValidationReport
from use_cases import find_use_case

pytestmark = pytest.mark.filterwarnings("error")
BASELINES = ("constant", "linear", "boosting")
COSTS = Costs(unit="EUR", amount="income", false_negative_share=2.0, false_positive=500.0)


@pytest.fixture(scope="module")
def judgement(tmp_path_factory):
    """Loans whose labels are words, decided by least cost, beside three baselines."""
    table = loan_table()
    table["default"] = table["default"].map({0: "nein", 1: "ja"})
    declared = {"classes": ("nein", "ja"), "baselines": BASELINES, "costs": COSTS}
    folder = tmp_path_factory.mktemp("figures") / "model"
    with warnings.catch_warnings():  # of other libraries, at their first import
        warnings.simplefilter("ignore")
        return small_model(folder, table=table, decision=LeastCost(), **declared).judgement


@pytest.fixture(scope="module")
def figures(judgement):
    return draw_judgement(judgement)


def written(figure) -> str:
    """All text of a picture, in one line."""
    figure.draw_without_rendering()
    texts = [figure.get_suptitle(), figure.get_supxlabel()]
    for axes in figure.axes:
        texts += [axes.get_xlabel(), axes.get_ylabel(), *axes.get_legend_handles_labels()[1]]
        texts += [axes.get_title(loc="right"), *(one.get_text() for one in axes.texts)]
        texts += [one.get_text() for one in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    return " ".join(texts).replace("\n", " ")


def line_of(axes, label):
    (line,) = (line for line in axes.lines if line.get_label().startswith(label))
    return line


def test_every_picture_has_a_finding_and_says_on_which_rows(figures, judgement):
    assert {"advantages", "roc", "precision_recall", "reliability"} <= set(figures)
    for name, figure in figures.items():
        assert len(figure.get_suptitle()) > 20, name
        assert f"{len(judgement.rows):,} test rows" in written(figure), name
        for axes in figure.axes:
            assert axes.get_legend() is None or axes.get_legend().get_bbox_to_anchor() is not None


def test_the_title_says_who_is_better():
    metric = find_metric("roc_auc", "binary")
    better = finding_of(metric, "boosting", Interval(0.0021, 0.00004, 0.0037))
    assert better == "The network ranks better than boosting by 0.0021, interval 0.0000 to 0.0037"
    worse = finding_of(metric, "boosting", Interval(-0.0031, -0.0052, -0.0011))
    assert worse == "Boosting ranks better than the network by 0.0031, interval 0.0011 to 0.0052"
    unsure = finding_of(metric, "a tree", Interval(0.001, -0.002, 0.004))
    assert unsure.startswith("The network ranks no better and no worse than a tree")


def test_the_title_says_where_no_model_would_be_cheaper():
    assert cost_finding(900, 1000, 5000, "EUR").endswith("100.00 EUR less than accepting everybody")
    assert cost_finding(1200, 5000, 1000, "EUR").endswith("200.00 EUR MORE than refusing everybody")


def test_dollars_are_dollars_and_powers_of_ten_stay(judgement):
    """Matplotlib reads what stands between two of them as a formula, and fails where it is none."""
    use_case = judgement.use_case.model_copy(
        update={"title": "Loans of $\\frac to $9,000", "classes": ("$no$", "$x^{2$")}
    )
    for figure in draw_judgement(replace(judgement, use_case=use_case)).values():
        figure.savefig(BytesIO())  # fails while a text is measured
        assert "$9,000" in written(figure)
    names = {"$x^{2$": Interval(0.2, 0.1, 0.3)}
    (tick,) = draw_importance(names, use_case).axes[0].get_yticklabels()
    assert not tick.get_parse_math()
    exploded = curve([1e9, 1e5, 1e4, 1e4], [1e9, 1e5, 1e4, 1e4], 1.0)
    assert all(label.get_parse_math() for label in exploded.axes[0].get_yticklabels())


def test_values_beside_each_other_have_the_digits_that_tell_them_apart():
    assert format_together([0.86609, 0.86412, 0.8611]) == ["0.8661", "0.8641", "0.8611"]
    assert format_together([0.86601, 0.86604]) == ["0.86601", "0.86604"]
    assert format_together([12_106_789.2, 45.0]) == ["12,106,789", "45"]
    assert format_together([float("nan"), 0.5]) == ["nan", "0.5000"]


def test_the_declared_labels_are_written(figures):
    for name in ("confusion", "roc", "precision_recall", "scores_by_class", "reliability"):
        assert "ja" in written(figures[name]).split(), name
    numbered = loans(baselines=())
    rows = pd.DataFrame({"default": [0, 1] * 50})
    outputs = np.linspace(0, 1, 100)
    plain = Judgement(numbered, rows, Predictions(outputs, rows["default"].to_numpy()),
                      {}, {}, {}, {}, {}, None, NO_GATE, {}, 0.5)  # fmt: skip
    assert "default\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}1" in written(draw_judgement(plain)["roc"])


def test_the_cut_off_is_marked_where_the_decisions_lie(figures, judgement):
    is_refused = judgement.predictions.decided == 1
    is_positive = judgement.rows["default"].to_numpy() == 1
    recall, wrongly = is_refused[is_positive].mean(), is_refused[~is_positive].mean()
    at = line_of(figures["roc"].axes[0], "the network's cut-off").get_xydata()
    assert at == pytest.approx(np.array([[wrongly, recall]]))
    at = line_of(figures["precision_recall"].axes[0], "the network's cut-off").get_xydata()
    assert at == pytest.approx(np.array([[recall, is_positive[is_refused].mean()]]))
    axes = figures["cost_by_cut_off"].axes[0]
    assert line_of(axes, "the cut-off").get_xdata()[0] == judgement.cut_off
    low, high = probability_cut_offs(judgement)
    for axes in figures["scores_by_class"].axes:
        assert low <= line_of(axes, "refused from").get_xdata()[0] <= high


def test_a_row_is_refused_from_its_probability_of_equal_cost_on(judgement):
    rule = decision_rule(judgement.use_case)
    at = rule.refused_from(judgement.cut_off, judgement.rows, judgement.use_case)
    outputs, decided = judgement.predictions
    apart = np.abs(outputs - at) > 1e-6
    assert ((outputs >= at) == (decided == 1))[apart & judgement.rows["income"].notna()].all()


def test_accepting_and_refusing_everybody_are_lines_of_the_cost(figures, judgement):
    axes, metrics = figures["cost_by_cut_off"].axes[0], judgement.metrics
    for name in ("accept", "refuse"):
        cost = metrics["cost"] + metrics[f"saved_against_{name}_all"]
        line = line_of(axes, f"{name} everybody")
        assert line.get_ydata()[0] == pytest.approx(cost)
        assert f"{cost:,.0f} EUR" in line.get_label()
    assert "(EUR)" in axes.get_ylabel()


def test_confusion_has_counts_and_shares(figures, judgement):
    said = [text.get_text() for text in figures["confusion"].axes[0].texts]
    counts = [int(one.split("\n")[0].replace(",", "")) for one in said]
    assert sum(counts) == len(judgement.rows)
    assert all(one.endswith("%") for one in said)


def test_many_classes_are_small_multiples():
    use_case = find_use_case("iris").model_copy(
        update={"classes": tuple(f"class {code}" for code in range(12)), "baselines": ()}
    )
    generator = np.random.default_rng(0)
    codes = np.repeat(np.arange(12), 60)
    outputs = generator.dirichlet(np.ones(12), len(codes)) + 0.3 * np.eye(12)[codes]
    outputs /= outputs.sum(axis=1, keepdims=True)
    predictions = Predictions(outputs, outputs.argmax(axis=1))
    rows = pd.DataFrame({use_case.target: codes})
    drawn = draw_judgement(
        Judgement(use_case, rows, predictions, {}, {}, {}, {}, {}, None, NO_GATE, {})
    )
    assert len(drawn["scores_by_class"].axes) == 12
    for name in ("scores_by_class", "confusion"):
        said = written(drawn[name])
        assert all(label in said for label in use_case.classes)


@pytest.mark.parametrize("case", ["one class only", "constant", "nothing refused", "all refused"])
def test_degenerate_judgements_can_be_drawn(judgement, case):
    rows, predictions = judgement.rows, judgement.predictions
    outputs, decided = predictions.outputs.copy(), predictions.decided.copy()
    if case == "one class only":
        rows = rows.assign(default=0)
    elif case == "constant":
        outputs[:] = 0.2
    else:
        decided[:] = case == "all refused"
    changed = replace(judgement, rows=rows, predictions=Predictions(outputs, decided))
    drawn = draw_judgement(changed)
    assert ("roc" in drawn) == (case != "one class only")
    for figure in drawn.values():
        written(figure)
    if case == "constant":
        curve = line_of(drawn["roc"].axes[0], "network").get_xydata()
        assert curve.tolist() == [[0, 0], [1, 1]], "what is equal is not ranked"


def test_a_constant_forecast_can_be_drawn():
    use_case = find_use_case("diabetes").model_copy(
        update={"baselines": (), "split": OutOfTime(column="day")}
    )
    actual = np.random.default_rng(0).normal(100, 5, 60)
    rows = pd.DataFrame({use_case.target: actual})
    rows["day"] = pd.date_range("2026-01-01", periods=60)
    for forecast in (np.full(60, 100.0), actual):
        predictions = Predictions(forecast, np.zeros(60))
        judged = Judgement(use_case, rows, predictions, {}, {}, {}, {}, {}, None, NO_GATE, {})
        for figure in draw_judgement(judged).values():
            assert use_case.target in written(figure) + figure.get_suptitle()


def test_a_note_says_what_is_left_out_and_why_forecasts_of_a_variance_seem_too_high():
    """Variances that are right on average, exp(0) = mean of exp(actual), are above the mean log."""
    actual = np.random.default_rng(0).normal(-0.5, 1, 400)
    rows = pd.DataFrame({"log_variance": actual})
    predictions = Predictions(np.zeros(400), np.zeros(400))
    for kind, least in (("log_variance", 1), ("value", 3)):
        use_case = loans(
            problem="regression", target="log_variance", target_kind=kind, gate=None,
            minimum_rows_per_value=least,
        )  # fmt: skip
        drawn = draw_judgement(
            Judgement(use_case, rows, predictions, {}, {}, {}, {}, {}, None, NO_GATE, {})
        )
        cells, residuals = (drawn[name] for name in ("forecast_against_actual", "residuals"))
        assert residuals.get_suptitle().startswith("Forecasts are too high")
        assert ("above the mean log" in written(residuals)) == (kind == "log_variance")
        assert ("fewer than 3 rows are left empty" in written(cells)) == (least == 3)
        assert "left empty" not in written(cells) or least > 1


def curve(loss, val_loss, constant=None):
    metrics = {"loss": list(loss), "val_loss": list(val_loss)}
    history = History(metrics, 1.0, 1.0, constant_val_loss=constant)
    return draw_learning_curve(history, "Loans", read_learning_curve(history, loans()), "binary")


def test_the_best_epoch_counts_from_one():
    figure = curve([3.0, 2.0, 1.0, 0.9, 0.8], [2.0, 1.0, 1.5, 1.6, 1.7])
    assert line_of(figure.axes[0], "best epoch 2: 1").get_xdata()[0] == 2


def test_losses_in_a_picture_are_numbers_for_people_as_those_in_words():
    falling = 12_106_789.2 * (1 + np.exp(-np.arange(20) / 3))
    (axes,) = curve(falling, falling, 2.6e7).axes
    shown = axes.get_legend_handles_labels()[1]
    assert "best epoch 20: 12,128,292" in shown
    assert "constant answer: 26,000,000" in shown


def test_a_validation_loss_far_from_the_training_loss_has_a_panel_of_its_own():
    epochs = np.arange(20)
    val_loss = 0.18 + 0.002 * np.exp(-epochs / 5)
    apart, together = curve(0.2 + 0.2 * np.exp(-epochs), val_loss), curve(val_loss, val_loss)
    assert len(together.axes) == 1
    both, alone = apart.axes
    assert both.get_ylim()[1] > 0.39
    low, high = alone.get_ylim()
    assert high - low < 0.003


def test_the_constant_answer_is_a_line_where_it_does_not_flatten_the_curves():
    val_loss = 0.18 + 0.07 * np.exp(-np.arange(20) / 5)
    near, far = curve(val_loss, val_loss, 0.26), curve(val_loss, val_loss, 0.9)
    assert [*line_of(near.axes[0], "constant answer: 0.26").get_ydata()] == [0.26, 0.26]
    assert not len(line_of(far.axes[0], "constant answer: 0.9, above").get_ydata())
    assert far.axes[0].get_ylim()[1] < 0.3
    labels = curve(val_loss, val_loss, float("nan")).axes[0].get_legend_handles_labels()[1]
    assert not [label for label in labels if "constant" in label]
    exploded = curve([1e9, 1e5, 1e4, 1e4], [1e9, 1e5, 1e4, 1e4], 1.0)
    assert exploded.axes[0].get_yscale() == "log"


@pytest.mark.parametrize("losses", [[0.5], [float("nan")], [0.5, float("nan")], [1e9, 0.1, 0.1]])
def test_degenerate_curves_can_be_drawn(losses):
    assert "epoch" in written(curve(losses, losses))


def test_groups_hold_rows_enough_and_never_part_equal_values():
    values = np.round(np.random.default_rng(0).gamma(1, 1, 500), 1)
    groups = groups_in_order(values, 20)
    assert np.bincount(groups).min() >= 20
    assert pd.Series(groups).groupby(values).nunique().max() == 1
    assert (np.diff(groups[np.argsort(values, kind="stable")]) >= 0).all()
    assert set(groups_in_order(values[:30], 20)) == {0}
    assert set(groups_in_order(np.zeros(100), 20)) == {0}


def test_a_declared_probability_is_the_cut_off_of_all_rows(judgement):
    declared = judgement.use_case.model_copy(update={"decision": CutOff(cut_off=0.3)})
    assert probability_cut_offs(replace(judgement, use_case=declared, cut_off=0.3)) == (0.3, 0.3)


def test_a_report_has_its_headings_whatever_is_decided(judgement):
    """A table of metrics right below the learning curve stood before the pictures."""
    forecasts = find_use_case("diabetes").model_copy(update={"baselines": ()})
    rows = forecasts.source()
    predictions = Predictions(rows[forecasts.target].to_numpy(), np.zeros(len(rows)))
    forecast = Judgement(forecasts, rows, predictions, {}, {}, {}, {}, {}, None, NO_GATE, {})
    history = History({"loss": [0.5], "val_loss": [0.5]}, 1.0, 1.0)
    for judged, decided in ((judgement, ["Decision"]), (forecast, [])):
        diagnosis = read_learning_curve(history, judged.use_case)
        trained = Trained(judged.use_case, judged.predictions.outputs, history, diagnosis)
        text = report_in_markdown(trained, ValidationReport(3, len(judged.rows), ()), judged)
        headings = re.findall("^## (.*)", text, re.M)
        assert headings == [*decided, "Metrics", "Columns", "Validation of the data"]


def test_the_report_carries_the_pictures_and_lets_no_html_through():
    page = with_pictures(
        "# Loans <script>\n\n| a |\n|---|\n| 1 |", {"roc.png": Picture("Up", b"1")}
    )
    assert '<img src="data:image/png;base64,MQ==" alt="Up"' in page
    assert "<title>Loans &lt;script&gt;</title>" in page
    assert "<td>1</td>" in page
    assert "<script>" not in page


def test_an_interval_stays_on_one_line_and_the_words_for_a_picture_as_they_are():
    page = self_contained_page("| a |\n|---|\n| 0.2 [-0.10, 1,234] |\n\n![1 [0.7, 0.9]](g)", "", {})
    assert '0.2 <span class="interval">[-0.10, 1,234]</span>' in page
    assert 'alt="1 [0.7, 0.9]"' in page


def test_a_picture_is_found_by_its_name_and_none_is_loaded_from_elsewhere():
    text = "![g](judgement/groups_Nationalität&Co.png)\n\n![logo](https://bank.example/logo.png)"
    page = self_contained_page(text, "Dossier", {"judgement/groups_Nationalität&Co.png": b"PNG"})
    assert page.count("data:image/png;base64,UE5H") == 1
    assert "bank.example" not in page
