"""One table, written in whatever way a test says, and whether it is read the same."""

import numpy as np
import pandas as pd

from modelling.data.fingerprint import fingerprint
from modelling.data.loading import read_source
from modelling.data.typed_columns import kinds_of, type_columns
from modelling.declaration import Source, UseCase, amount, category, number, time

USE_CASE = UseCase(
    name="loans", title="Loans", problem="binary", source=Source(uri="none"), target="default",
    columns=(number("age"), amount("income"), category("branch"), category("city"),
             time("opened_on")),
)  # fmt: skip
NAMES = ["age", "income", "branch", "city", "opened_on", "default"]


def table(rows=60):
    """Loans with what a file may spoil: zeros in front, delimiters and quotes in cells."""
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": generator.integers(18, 90, rows),
            "income": generator.lognormal(8, 0.5, rows).round(2),
            "branch": [f"{n:03d}" for n in generator.integers(1, 30, rows)],
            "city": generator.choice(
                ["Zürich", "NA", 'say "hi"', "two\nlines", "a;b,c", None], rows
            ),
            "opened_on": pd.date_range("2019-07-13", periods=rows, freq="D"),
            "default": generator.integers(0, 2, rows),
        }
    )


def typed(uri, **source):
    """The table at ``uri`` with its columns as declared, and what was found out of the file."""
    declared = Source(uri=str(uri), **source)
    use_case = USE_CASE.model_copy(update={"source": declared})
    raw, found = read_source(declared, kinds_of(use_case))
    return type_columns(raw, use_case).table[NAMES], found


def same(read):
    """That this is ``table()``, to the last digit and character, and its fingerprint too."""
    expected = type_columns(table(), USE_CASE).table[NAMES]
    pd.testing.assert_frame_equal(read, expected, check_dtype=False)
    assert fingerprint(read) == fingerprint(expected)
