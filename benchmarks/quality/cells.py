"""One table, seed and model: what it reached, kept so that a run that is stopped goes on.

The file of results has one line for each. It is only ever appended to, so that several runs may
share it.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

NETWORK = "network"


@dataclass(frozen=True)
class Cell:
    """What one model reached on the test rows of one table and seed.

    ``label`` is what somebody calls a version of the network; that of an opponent is empty.
    ``rows`` is the hash of the three parts: only what has the same may be compared. ``version`` is
    the hash of the code, libraries and settings that were at work. ``seconds`` are those of the
    processor, which other programs on the machine do not change much.
    """

    table: str
    seed: int
    model: str
    label: str
    rows: str
    version: str
    test_rows: int
    commit: str
    trials: int = 0
    seconds: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, int, str, str, str, str]:
        """All that decides the result, but for the machine."""
        return self.table, self.seed, self.model, self.label, self.rows, self.version


def hash_of(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def read_cells(results: Path) -> Iterator[Cell]:
    """All cells, in the order in which they were measured."""
    for record in read_records(results):
        with suppress(TypeError):  # other fields than a cell's
            yield Cell(**record)


def keep(cell: Cell, results: Path) -> None:
    keep_record(asdict(cell), results)


def read_records(results: Path) -> Iterator[dict]:
    """What each line holds; one that was cut off is left out."""
    for line in results.read_text().splitlines() if results.exists() else []:
        with suppress(ValueError):
            yield json.loads(line)


def keep_record(record: dict, results: Path) -> None:
    results.parent.mkdir(parents=True, exist_ok=True)
    with results.open("a") as file:
        file.write("\n" + json.dumps(record) + "\n")  # the line before may be cut off
