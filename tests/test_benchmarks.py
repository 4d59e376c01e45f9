"""The benchmark compares like with like."""

import pandas as pd
import pytest

from benchmarks.data import write_arrays
from benchmarks.growth.rows import write_rows
from benchmarks.measuring import run


def test_a_table_grows_without_copies_of_its_rows(tmp_path):
    """A model would learn them by heart. Of real borrowers, 269 have a code in three columns."""
    write_rows(tmp_path / "rows.parquet", 150_000)
    rows = pd.read_parquet(tmp_path / "rows.parquet")
    assert rows["SeriousDlqin2yrs"].astype(int).mean() == pytest.approx(0.0668, abs=0.0001)
    has_code = rows.filter(like="Late").join(rows.filter(like="PastDue")) >= 96
    assert has_code.shape == (150_000, 3)
    assert has_code.any(axis=1).sum() > 500
    assert has_code.all(axis=1).sum() < 5


@pytest.mark.services
def test_our_training_and_the_textbook_reach_the_same_loss_with_the_same_batches(tmp_path):
    arrays = tmp_path / "rows.npz"
    write_arrays(arrays, rows=20_000)
    arguments = ("--data", str(arrays), "--batch-size", "512", "--epochs", "3", "--in-order")
    ours, textbook = (
        run("-m", f"benchmarks.peers.{peer}", *arguments)[0] for peer in ("ours", "textbook")
    )
    assert len(ours["seconds"]) == len(textbook["seconds"]) == 3
    assert ours["val_loss"] == pytest.approx(textbook["val_loss"], rel=0.01)
