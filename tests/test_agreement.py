"""A model that answers elsewhere other than where it was trained is not registered."""

import json

import numpy as np
import pandas as pd
import pytest
from small_models import small_model

from modelling.judgement.agreement import refuse_disagreement
from modelling.refusals import UsageError
from modelling.scorer.scoring import Scorer
from use_cases import find_use_case

SLOPE = 0.2  # of a network that was far too sure: small probabilities are stretched


@pytest.fixture
def three_classes(tmp_path):
    """The folder of a scorer of three classes with a steep calibration."""
    folder = small_model(tmp_path / "small").package.folder
    state = json.loads((folder / "scorer.json").read_text())
    calibration = {"method": "temperature", "slope": SLOPE}
    state |= {"problem": "multiclass", "classes": ["a", "b", "c"], "calibration": calibration}
    (folder / "scorer.json").write_text(json.dumps(state))
    return folder


def answered(folder, outputs):
    scorer = Scorer(folder)
    return pd.DataFrame(scorer.by_name(scorer.calibrated_outputs(outputs))).assign(broken_rules="")


def test_outputs_that_differ_by_rounding_agree_however_steep_the_calibration(three_classes):
    here = np.array([[1 - 2e-6, 1e-6, 1e-6], [0.2, 0.5, 0.3]])
    there = here + 8e-7 * np.array([[-1, -1, 1], [1, -1, 1]])
    apart = (
        answered(three_classes, there)["probability_c"]
        - answered(three_classes, here)["probability_c"]
    )
    assert abs(apart[0]) > 1e-3, "the calibration is not steep enough to test anything"
    iris = find_use_case("iris")
    assert refuse_disagreement(three_classes, here, answered(three_classes, there), iris) <= 1e-5


def test_the_column_that_differs_most_is_named(three_classes):
    here = np.array([[0.2, 0.5, 0.3]])
    answers = answered(three_classes, here)
    answers["probability_b"] += 1e-4
    answers["probability_c"] += 2e-5
    with pytest.raises(UsageError, match=r"by 0\.0001 in column 'probability_b'"):
        refuse_disagreement(three_classes, here, answers, find_use_case("iris"))
