"""A table beyond the budget for the device is streamed: what training adds stays bounded."""

import json
import subprocess
import sys

import pytest
from conftest import REPOSITORY

pytestmark = pytest.mark.services
TABLE_MIB, BUDGET_MIB = 256, 16
PROGRAM = """
import json, sys
import keras
import numpy as np
from modelling.training.compiled_training import CompiledModel, Rows
from tasks.peak_memory import peak_memory_mb

table_bytes, budget_bytes = (int(mib) << 20 for mib in sys.argv[1:])
features = np.random.default_rng(0).random((table_bytes // 128, 32), dtype=np.float32)
target = (features[:, 0] > 0.5).astype(np.float32)
keras.utils.set_random_seed(0)
inputs = keras.Input((32,))
model = CompiledModel([inputs], [keras.layers.Dense(1, "sigmoid")(inputs)])
model.compile("adam", "binary_crossentropy", jit_compile=False)

def order(epoch):
    return np.random.default_rng([0, epoch]).permutation(len(target))

before = peak_memory_mb()
rows = Rows(features, target, None, 4096, order, budget_bytes)
rows.start_epoch(0)
history = model.fit_rows(rows, epochs=2, verbose=0).history
print(json.dumps({"added": peak_memory_mb() - before, "loss": history["loss"][-1]}))
"""


def trained(budget_mib):
    """The loss after two epochs, and by how many MiB the process grew meanwhile, at its peak."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(TABLE_MIB), str(budget_mib)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_memory_stays_bounded_and_the_losses_are_the_same():
    streamed, resident = trained(BUDGET_MIB), trained(4 * TABLE_MIB)
    print("MiB added:", streamed["added"], "streamed,", resident["added"], "resident")
    assert streamed["loss"] == pytest.approx(resident["loss"], rel=1e-6)
    assert resident["added"] > TABLE_MIB
    assert streamed["added"] < resident["added"] / 3
