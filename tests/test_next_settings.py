"""What is tried next: remedies add up, and those of the preprocessing wait for a new training."""

from pathlib import Path

import numpy as np
import pytest

from modelling.declaration.overrides import override
from modelling.learning_curve.attempt import Attempt, TrainedNetwork, next_remedy
from modelling.learning_curve.diagnosis import Diagnosis
from modelling.learning_curve.history import History
from modelling.learning_curve.remedies import Remedy
from use_cases import find_use_case

RATE = Remedy({"training.learning_rate": 0.02}, "smaller steps")
SCALED = Remedy({"preprocessing.scaling": "standard"}, "scaled")


def attempt(*remedies, applied=None, verdict="stuck", val_loss=(1.0,), **settings):
    history = History({"loss": [1.0] * len(val_loss), "val_loss": [*val_loss]}, 1.0, 1.0)
    diagnosis = Diagnosis(verdict, "flat", remedies, (0, 0), None)
    use_case = override(find_use_case("iris"), settings)
    fitted = TrainedNetwork(history, None, "", "", np.zeros((1, 3)))
    return Attempt(use_case, Path("-"), fitted, diagnosis, applied or {})


def test_the_next_settings_hold_what_was_applied_on_the_way():
    came = attempt(RATE, applied={"training.learning_rate": 0.2, "training.epochs": 60})
    assert came.summary()["remedy"] == {"training.learning_rate": 0.02, "training.epochs": 60}
    assert attempt(applied={"training.epochs": 60}).summary()["remedy"] == {}


def test_features_stay_as_they_are_while_a_training_remedies_itself():
    assert next_remedy([attempt(RATE)]) == RATE.overrides
    assert next_remedy([attempt(SCALED)]) is None
    assert next_remedy([attempt(RATE, SCALED)] * 3) == RATE.overrides
    both = Remedy({**RATE.overrides, **SCALED.overrides}, "scaled, and smaller steps")
    assert next_remedy([attempt(both)]) is None


def test_a_verdict_that_comes_back_is_answered_by_its_next_remedy():
    smaller = Remedy({"training.learning_rate": 0.002}, "still smaller steps")
    stuck, jagged = attempt(RATE, smaller), attempt(RATE, smaller, verdict="jagged")
    assert next_remedy([stuck]) == RATE.overrides
    assert next_remedy([stuck, stuck]) == smaller.overrides
    assert next_remedy([stuck, stuck, stuck]) == smaller.overrides, "there is no other"
    assert next_remedy([stuck, stuck, jagged]) == RATE.overrides, "another verdict"
    assert next_remedy([stuck, attempt(verdict="healthy")]) is None


def test_an_attempt_is_as_good_as_the_weights_that_it_keeps():
    """Early stopping keeps those of the best epoch, a training without it those of the last."""
    losses = (3.0, 1.0, 2.0)
    patient = {"training.early_stopping_patience": 2}
    assert attempt(val_loss=losses, **patient).val_loss == 1.0
    assert attempt(val_loss=losses, **{"training.early_stopping_patience": 0}).val_loss == 2.0


@pytest.mark.services
def test_the_command_names_all_that_it_takes(finflows):
    bad = ("--set", "training.epochs=1", "--set", "training.batch_size=32", "--remedy", "1")
    short = ("--set", "training.learning_rate=1e-6", "--set", "baselines=[]")
    done = finflows("train", "iris", *bad, *short)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("Try next:")]
    assert "training.batch_size=32" in line
    assert "training.epochs=1 " not in line
    assert "baselines=" in line
    assert "remedy      1 of 1: trying " in done.stdout
