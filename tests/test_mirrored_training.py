"""One model over several devices learns as it does on one, at the same global batch."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import REPOSITORY

from modelling.declaration import Training
from modelling.refusals import UsageError

TRAIN = """
import json, sys, tempfile
from pathlib import Path
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
parts = [tf.config.LogicalDeviceConfiguration()] * int(sys.argv[1])
tf.config.set_logical_device_configuration(cpu, parts)
from modelling.training.fitting import TrainingJob, fit
from modelling.declaration.overrides import override
from modelling.features.preprocessing import Examples
from use_cases import find_use_case
settings = {"training.devices": "all", "network.dropout": 0.0, "training.epochs": 4,
            "network.group_lasso": 1.5, "training.class_weights": "balanced",
            **json.loads(sys.argv[2])}
use_case = override(find_use_case("credit_scoring"), settings)
rng = np.random.default_rng(0)
features = rng.normal(size=(3073, 10)).astype(np.float32)
target = (features[:, 0] + rng.normal(size=3073) > 0).astype(np.int64)
train, validation = (Examples(features[p], target[p]) for p in (slice(2048), slice(2048, None)))
with tempfile.TemporaryDirectory() as folder:
    up = np.eye(10, dtype=np.int8)[0]  # the first feature has a direction: it bounds weights
    folders = Path(folder) / "c", Path(folder) / "n"
    job = TrainingJob(use_case, train, validation, *folders, directions=up, columns=np.arange(10))
    fitted = fit(job)
    assert (job.network_folder / "network.onnx").exists()
print(json.dumps({**fitted.history.metrics, "not_compiled": fitted.history.not_compiled}))
"""


def train_on(devices, **settings):
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(devices), json.dumps(settings)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    return done, json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


@pytest.mark.services
def test_two_devices_have_the_losses_of_one():
    """1,025 validation rows don't divide evenly; cosine schedule and Adam count every step."""
    (_, one), (_, two) = train_on(1), train_on(2)
    assert one["not_compiled"] is None
    assert "several devices" in two["not_compiled"]
    for name in ("loss", "val_loss", "val_roc_auc"):
        assert np.allclose(one[name], two[name], rtol=1e-5), name


@pytest.mark.services
def test_a_batch_that_does_not_divide_over_the_devices_is_refused():
    done, _ = train_on(2, **{"training.batch_size": 255})
    assert "UsageError: training.batch_size 255 does not divide evenly over 2" in done.stderr


def test_tf_config_of_several_machines_is_refused(monkeypatch):
    from modelling.training import mirrored_training

    monkeypatch.setattr(mirrored_training, "_logical_devices", lambda: ["CPU:0", "CPU:1"])
    cluster = {"cluster": {"worker": ["host1:2222", "host2:2222"]}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    with (
        pytest.raises(UsageError, match="keras issue 20585"),
        mirrored_training.on_declared_devices(Training(devices="all")),
    ):
        pass
