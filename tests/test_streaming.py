"""However large a table is, what training adds to it stays bounded: a CPU reads it where it is, and
beyond the budget for a GPU it is streamed."""

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
from modelling.features.shared_memory import shared_empty
from modelling.training.compiled_training import CompiledModel, Rows
from tasks.peak_memory import peak_memory_mb

table_bytes, budget_bytes = (int(mib) << 20 for mib in sys.argv[1:])
features = shared_empty((table_bytes // 128, 32), np.float32)
np.random.default_rng(0).random(out=features, dtype=np.float32)
target = (features[:, 0] > 0.5).astype(np.float32)
keras.utils.set_random_seed(0)
inputs = keras.Input((32,))
model = CompiledModel([inputs], [keras.layers.Dense(1, "sigmoid")(inputs)])
model.compile("adam", "binary_crossentropy", jit_compile=False)

def order(epoch):
    return np.random.default_rng([0, epoch]).permutation(len(target))

before = peak_memory_mb()
rows = Rows(features, target, None, 4096, order, budget_bytes or None)
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
    streamed, resident = trained(BUDGET_MIB), trained(0)
    print("MiB added:", streamed["added"], "streamed,", resident["added"], "resident")
    assert streamed["loss"] == pytest.approx(resident["loss"], rel=1e-6)
    assert max(streamed["added"], resident["added"]) < TABLE_MIB
