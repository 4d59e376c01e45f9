"""What to change after a curve that is not healthy."""

from dataclasses import replace

import numpy as np
import pytest
from learning_curve_corpus import all_curves, as_history
from read_curves import EPOCHS, FALL, USE_CASE, read, read_as_trained

from modelling.declaration.overrides import override
from modelling.learning_curve.diagnosis import read_learning_curve
from modelling.learning_curve.remedies import remedies_for


def test_a_network_that_died_in_an_explosion_wants_smaller_steps():
    """It gives the same answer for every row; so does one that was never moved."""
    dead = 0.68 + 10 * np.exp(-EPOCHS)
    diagnosis = read(dead, dead, constant=0.675)
    assert diagnosis.verdict == "stuck"
    assert "no better than the constant answer" in diagnosis.evidence
    assert diagnosis.region == (44, 59), "the last quarter of the epochs"
    assert diagnosis.remedies[0].overrides["training.learning_rate"] < 2e-3
    for never_moved in (np.full(60, 0.68), np.full(60, 4.0)):  # the last is far from any answer
        larger = read(never_moved, never_moved, constant=0.675).remedies[0].overrides
        assert larger["training.learning_rate"] > 2e-3


def test_a_network_whose_losses_rose_beyond_the_constant_answer_wants_smaller_steps():
    """Seen on credit_grade: a perceptron with a rate of 0.03 was told to try 0.3."""
    rose = np.where(EPOCHS < 3, 1.5, 2.0) + 0.02 * np.cos(EPOCHS)
    diagnosis = read(np.full(60, 1.6), rose, constant=1.468)
    assert diagnosis.verdict == "stuck"
    assert diagnosis.remedies[0].overrides == {"training.learning_rate": 2e-4}


def test_dead_units_ask_for_a_smaller_rate_and_a_leak():
    diagnosis = read(np.full(30, 0.7), dead_unit_share=0.97)
    assert "97%" in diagnosis.evidence
    assert diagnosis.remedies[0].overrides["training.learning_rate"] < 2e-3
    assert diagnosis.remedies[1].overrides == {"network.activation": "leaky_relu"}


def test_overfitting_names_the_best_epoch():
    val_loss = 1 + FALL + np.clip(EPOCHS - 20, 0, None) * 0.006
    best = int(val_loss.argmin()) + 1
    diagnosis = read(FALL - EPOCHS * 0.002, val_loss)
    assert diagnosis.verdict == "overfitting"
    assert f"epoch {best} " in diagnosis.evidence
    assert diagnosis.remedies[0].overrides == {"training.epochs": best}
    assert "network.dropout" in diagnosis.remedies[1].overrides
    assert "network.l2" in diagnosis.remedies[2].overrides


def test_where_a_group_lasso_was_at_work_a_stronger_one_comes_after_fewer_epochs():
    """The epochs in which it faded let in what is learnt by heart."""
    val_loss = 1 + FALL + np.clip(EPOCHS - 20, 0, None) * 0.006
    history = as_history(FALL - EPOCHS * 0.002, val_loss, None)
    lasso = replace(history, group_lasso=1.49)
    without, with_it = (read_learning_curve(h, USE_CASE).remedies for h in (history, lasso))
    assert (with_it[0], *with_it[2:]) == without
    assert with_it[1].overrides == {"network.group_lasso": 2.0}
    at_limit = replace(lasso, group_lasso_at_limit=True)
    assert read_learning_curve(at_limit, USE_CASE).remedies == without


def test_learning_by_heart_wants_a_smaller_network_at_once():
    val_loss = FALL + np.clip(EPOCHS - 20, 0, None) * 0.02
    large = override(USE_CASE, {"network.hidden_units": [256, 32]})
    history = as_history(FALL - EPOCHS * 0.002, val_loss, None)
    remedy = read_learning_curve(history, large).remedies[0].overrides
    assert {"network.dropout", "training.epochs"} <= set(remedy)
    assert remedy["network.hidden_units"] == [32, 8], "an eighth, and not fewer than eight"
    assert remedy["training.early_stopping_patience"] == 10, "where it is to stop is not known"
    assert remedy["training.epochs"] == 2 * (history.best_epoch + 1)


@pytest.mark.parametrize(("epochs", "wanted"), [(60, 20), (15, 15)])
def test_a_smaller_network_gets_twenty_epochs_and_no_more_than_were_trained(epochs, wanted):
    val_loss = 1 + np.abs(np.arange(epochs) - 3) / 5
    history = as_history(FALL[:epochs], val_loss, None)
    remedy = remedies_for("overfitting", history, USE_CASE, None)[0].overrides
    assert remedy["training.epochs"] == wanted


@pytest.mark.parametrize(("declared", "more"), [(0.0, 0.2), (0.1, 0.3), (0.45, 0.5)])
def test_dropout_is_raised_by_a_fifth_up_to_a_half(declared, more):
    use_case = override(USE_CASE, {"network.dropout": declared})
    history = as_history(FALL, 1 + FALL + np.clip(EPOCHS - 20, 0, None) * 0.006, None)
    assert remedies_for("overfitting", history, use_case, None)[1].overrides == {
        "network.dropout": more
    }


@pytest.mark.parametrize(
    ("verdict", "dead_units", "remedies"),
    [
        ("jagged", None, [{"training.learning_rate": 2e-4}, {"training.batch_size": 1024}]),
        ("diverged", None, [{"training.learning_rate": 2e-5}, {"training.learning_rate": 2e-6}]),
        ("stuck", None, [{"training.learning_rate": 0.02}, {"training.learning_rate": 0.06}]),
        ("stuck", 0.2, [{"training.learning_rate": 6.67e-5}, {"network.activation": "leaky_relu"}]),
        ("healthy", None, []),
    ],
)
def test_rates_are_changed_by_orders_of_magnitude_and_the_next_remedy_goes_further(
    verdict, dead_units, remedies
):
    settings = {"training.learning_rate": 2e-3, "training.batch_size": 256}
    history = as_history(FALL, FALL, None)
    found = remedies_for(verdict, history, override(USE_CASE, settings), dead_units)
    assert [remedy.overrides for remedy in found] == remedies


def test_a_linear_fall_wants_a_larger_rate_and_a_bent_one_more_epochs():
    straight, bent = 1 - EPOCHS / 100, np.exp(-EPOCHS / 35)
    assert list(read(straight).remedies[0].overrides) == ["training.learning_rate"]
    assert list(read(bent).remedies[0].overrides) == ["training.epochs"]


def test_after_an_early_stop_more_epochs_alone_would_end_there_again():
    """60 epochs are declared; 3 times the 13 that were trained would be fewer, and stop alike."""
    still = np.concatenate([FALL[:3], np.full(10, FALL[2] + 0.001)])
    history = as_history(FALL[:13], still, None)
    remedies = remedies_for("undertrained", history, USE_CASE, None)
    longer = {"training.epochs": 60, "training.early_stopping_patience": 30}
    assert remedies[0].overrides == longer
    assert remedies[1].overrides.items() > longer.items()
    waited = override(USE_CASE, {"training.epochs": 13})
    assert remedies_for("undertrained", history, waited, None)[0].overrides == {
        "training.epochs": 39
    }


def test_every_remedy_is_a_valid_setting_and_healthy_needs_none():
    for curve in all_curves():
        diagnosis = read_as_trained(curve)
        trained = override(USE_CASE, {"training.epochs": len(curve.history.metrics["loss"])})
        for remedy in diagnosis.remedies:
            assert remedy.why
            assert override(trained, remedy.overrides) != trained, curve.label
        assert (not diagnosis.remedies) == (diagnosis.verdict == "healthy")
        if diagnosis.region:
            first, last = diagnosis.region
            assert 0 <= first <= last < len(curve.history.metrics["loss"])
        assert "\n" not in diagnosis.evidence
