"""What is tried next: remedies add up, and those of the preprocessing wait for a new training."""

from pathlib import Path

import numpy as np
import pytest

from modelling.learning_curve.attempt import Attempt, TrainedNetwork, next_remedy
from modelling.learning_curve.diagnosis import Diagnosis
from modelling.learning_curve.history import History
from modelling.learning_curve.remedies import Remedy
from use_cases import find_use_case

RATE = Remedy({"training.learning_rate": 0.02}, "smaller steps")
SCALED = Remedy({"preprocessing.scaling": "standard"}, "scaled")


def attempt(*remedies, applied=None):
    history = History({"loss": [1.0], "val_loss": [1.0]}, 1.0, 1.0)
    diagnosis = Diagnosis("stuck", "flat", remedies, (0, 0), None)
    use_case = find_use_case("iris")
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
