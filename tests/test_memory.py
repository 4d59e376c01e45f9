"""What does not fit into memory is refused before it is allocated, in one line that says why."""

import subprocess
import sys

import psutil
import pytest
from conftest import REPOSITORY
from small_models import COLUMNS, loan_table, loans, prepared

from modelling.declaration import amount
from modelling.features import memory
from modelling.features.preprocessing import preprocess
from modelling.refusals import UsageError

MIB = 1 << 20


@pytest.fixture
def limit(tmp_path, monkeypatch):
    """Puts this process below a made-up limit: its cgroup has none, the one above it has."""

    def set_limit(version: int, allowed: int, used: int = 0, files: int = 0) -> None:
        controller = "memory" if version == 1 else ""
        root, limit_file, used_file, prefix = memory.CGROUP_FILES[controller]
        own = tmp_path / root / "team" / "job"
        own.mkdir(parents=True)
        (own / limit_file).write_text("max\n")
        (own.parent / limit_file).write_text(f"{allowed}\n")
        (own.parent / used_file).write_text(f"{used}\n")
        stat = f"anon 5\n{prefix}inactive_file {files // 2}\n{prefix}active_file {files // 2}\n"
        (own.parent / "memory.stat").write_text(stat)
        (tmp_path / "own").write_text(f"9:cpu,cpuacct:/\n4:{controller}:/team/job\n")

    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    monkeypatch.setattr(memory, "OWN_CGROUPS", tmp_path / "own")
    return set_limit


@pytest.mark.parametrize("version", [1, 2])
def test_the_limit_of_a_cgroup_counts_without_files_that_can_be_read_again(limit, version):
    limit(version, allowed=30 * MIB, used=20 * MIB, files=6 * MIB)
    assert memory.free_bytes() == 16 * MIB


def test_without_a_limit_the_memory_of_the_machine_is_free(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "OWN_CGROUPS", tmp_path / "none")
    assert 0 < memory.free_bytes() <= psutil.virtual_memory().total


def test_a_table_that_does_not_fit_is_refused_with_what_to_change(limit):
    parts = prepared(loans(), loan_table()).parts
    limit(2, allowed=MIB // 2)
    with pytest.raises(UsageError, match=r"features of [\d,]+ rows need about .* GiB") as refused:
        preprocess(parts, loans())
    assert "--set preprocessing.piecewise_bins=0" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_columns_that_can_not_be_fitted_are_refused_first(limit):
    parts = prepared(loans(), loan_table()).parts
    limit(2, allowed=MIB // 8)
    with pytest.raises(UsageError, match=r"3 columns of [0-9,]+ training rows need about"):
        preprocess(parts, loans())


def test_ratios_are_columns_that_are_fitted_too(limit):
    use_case, table = loans(columns=(*COLUMNS, amount("savings"))), loan_table()
    parts = prepared(use_case, table.assign(savings=table["income"] + table["age"])).parts
    limit(2, allowed=memory.FITTED_BYTES_PER_CELL * len(parts.train) * 4)
    with pytest.raises(UsageError, match=r"4 columns and 1 ratio of .*preprocessing.ratios=false"):
        preprocess(parts, use_case)


FREED = """
import gc, sys
import numpy as np
import psutil
from modelling.features.memory import return_freed_memory

def held_mib():
    return psutil.Process().memory_info().rss >> 20

class Cycle:
    def __init__(self, array):
        self.array, self.itself = array, self

gc.disable()
del_first = np.ones(3 << 20)  # 24 MiB: what is smaller comes from the heap from now on
del del_first
arrays = [np.ones(1 << 17) for _ in range(300)]  # of 1 MiB each
cycles, kept = [Cycle(array) for array in arrays[:-1]], arrays[-1]
del arrays, cycles
before = held_mib()
return_freed_memory()
print(before - held_mib())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc can be asked to")
def test_what_was_freed_goes_back_to_the_system():
    done = subprocess.run(
        [sys.executable, "-c", FREED], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 250, "MiB of 299"


def test_features_are_counted_once_where_processes_can_share_them(limit, monkeypatch):
    rows, names = 1_000_000, ["feature"] * 100
    limit(2, allowed=int(1.5 * 4 * rows * len(names)))
    monkeypatch.setattr(memory, "can_share", lambda: True)
    memory.refuse_too_many_features(rows, names)
    monkeypatch.setattr(memory, "can_share", lambda: False)
    with pytest.raises(UsageError, match=r"100 features of 1,000,000 rows need about 0\.8 GiB"):
        memory.refuse_too_many_features(rows, names)
