"""What the shipped use case reaches on the full, real data: the mean over five seeds."""

import numpy as np
import pytest

from flows.train import train

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("store", "prefect_server")]


def test_credit_scoring_over_five_seeds():
    results = [
        train("credit_scoring", {"split.seed": seed, "training.seed": seed}).metrics
        for seed in range(1, 6)
    ]
    auc, calibration = (
        float(np.mean([one[name] for one in results]))
        for name in ("roc_auc", "expected_calibration_error")
    )
    print(f"mean of five seeds: roc_auc {auc:.4f}, expected calibration error {calibration:.4f}")
    assert auc >= 0.860
    assert calibration <= 0.01
