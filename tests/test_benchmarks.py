"""The benchmark compares like with like."""

import pytest

from benchmarks.data import write_arrays
from benchmarks.measuring import run

pytestmark = pytest.mark.services


def test_our_training_and_the_textbook_reach_the_same_loss_with_the_same_batches(tmp_path):
    arrays = tmp_path / "rows.npz"
    write_arrays(arrays, rows=20_000)
    arguments = ("--data", str(arrays), "--batch-size", "512", "--epochs", "3", "--in-order")
    ours, textbook = (
        run("-m", f"benchmarks.peers.{peer}", *arguments)[0] for peer in ("ours", "textbook")
    )
    assert len(ours["seconds"]) == len(textbook["seconds"]) == 3
    assert ours["val_loss"] == pytest.approx(textbook["val_loss"], rel=0.01)
