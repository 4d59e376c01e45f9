"""What a use case may declare of its data: the source, and how its rows are split.

Import these from ``modelling.declaration``.
"""

import codecs
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union
from warnings import catch_warnings

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PositiveInt,
    Tag,
    model_validator,
)

from modelling.data.splits.split import RowSplit
from modelling.schema import Declaration, Seed
from modelling.variants import variants_in

DAYS_SINCE = r"days since (\d{4}-\d{2}-\d{2})"
SPLITS_FIRST = ("stratified", "out_of_time", "grouped", "delayed_feedback")


def _words(given: Any) -> Any:
    """A text names one word, or several between commas, as a flag has them; an empty one none."""
    if not isinstance(given, str):
        return given
    return [word.strip() for word in given.split(",")] if given.strip() else []


def _format_of_dates(given: str) -> str:
    """A format of ``strptime`` that says the year, or the day from which days are counted."""
    if counted := re.fullmatch(DAYS_SINCE, given):
        date.fromisoformat(counted[1])
        return given
    day = datetime(2021, 12, 31, tzinfo=UTC)
    # An error of expressions where something stands in it twice. Python 3.13 warns of a day without
    # a year, which is refused in any case.
    with suppress(ValueError, re.error, DeprecationWarning), catch_warnings(action="error"):
        if datetime.strptime(day.strftime(given), given).year == day.year:
            return given
    raise ValueError(
        f"'{given}' is no format with a year: write it as in '%d.%m.%Y' or 'days since 1899-12-30'"
    )


Word = Annotated[str, Field(min_length=1)]
ThousandsMark = Literal[",", ".", " ", "'", "\u2019", "\u00a0", "\u2009", "\u202f"]
# Neither digits, nor begun with what marks a fraction or thousands, as "% p.a." is not; () and - by
# themselves.
Sign = Annotated[
    str, Field(pattern=r"^(\(\)|-|[^\d\s.,'+()-]([^\d,+()-]*[^\d\s,+()-])?)$", max_length=30)
]


class Source(Declaration):
    """Where the table comes from, and how it is written where that can't be told from it.

    ``uri`` is a path or URL (anything that fsspec opens) of a CSV, Parquet, Excel or JSON file (one
    object a line, or one array), also packed (.gz, .xz, .bz2, .zst, .zip), a folder of them or a
    glob; ``package:DISTRIBUTION/PATH`` (a file inside an installed package, which is not imported;
    there also a pandas pickle compressed with xz, ``.pkl.compress``), ``openml:NAME`` or
    ``openml:ID``, or a SQLAlchemy URL together with ``query``; ``memory:NAME`` is a frame that was
    given in Python. A variable of the environment that is the whole address, or user or password of
    a database, is put in when it is read, so that nobody writes passwords down;
    ``FINFLOWS_VARIABLES`` names others. A relative path is looked for beside the declaration.

    ``delimiter`` and ``encoding`` are found out where they are certain; ``decimal`` and
    ``thousands`` are the marks in numbers, ``date_format`` is that of ``strptime``, or names the
    day from which days are counted (``days since 1899-12-30``: Excel's), ``sheet`` the sheet of an
    Excel file. ``header_line`` is the number of the line that names the columns, if
    that is not the first one with cells. ``around_numbers`` is what stands before or behind
    numbers: the sign or code of a currency, ``%`` (12.5% is 0.125), ``()`` (a number in brackets is
    below zero), ``-`` (so is one with a minus behind it), ``DR`` (so is one with that beside it)
    and ``CR`` (above zero), and so ``D`` with ``C``, ``S`` with ``H``, ``Soll`` with ``Haben``.
    ``missing`` are words for a missing number or time, beside the usual ones. Both are tuples, or
    one text with commas.
    """

    uri: str
    query: str | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    decimal: Literal[".", ","] = "."
    thousands: ThousandsMark | None = None
    encoding: str | None = None
    date_format: Annotated[str, AfterValidator(_format_of_dates)] | None = None
    sheet: str | None = None
    header_line: PositiveInt | None = None
    around_numbers: Annotated[tuple[Sign, ...], BeforeValidator(_words)] = ()
    missing: Annotated[tuple[Word, ...], BeforeValidator(_words)] = ()

    @model_validator(mode="after")
    def _marks_differ(self) -> "Source":
        if self.thousands == self.decimal:
            raise ValueError(f"thousands and decimal are both '{self.decimal}': declare another")
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
            except LookupError:
                raise ValueError(f"there is no encoding '{self.encoding}'") from None
        return self


class SimulatedTransactions(Declaration):
    """Card transactions with known frauds, by the process of the Fraud Detection Handbook."""

    customers: PositiveInt = 5000
    terminals: PositiveInt = 10_000
    days: PositiveInt = 183
    start: date = date(2018, 4, 1)
    seed: Seed = 0


def _kind_of_source(given: Any) -> str:
    simulated = isinstance(given, SimulatedTransactions) or (
        isinstance(given, dict) and bool(given.keys() & SimulatedTransactions.model_fields.keys())
    )
    return "simulated" if simulated else "function" if callable(given) else "file"


AnySource = Annotated[
    Annotated[Source, Tag("file")]
    | Annotated[SimulatedTransactions, Tag("simulated")]
    | Annotated[Callable[[], Any], Tag("function")],
    Discriminator(_kind_of_source),
]


if TYPE_CHECKING:
    Split = RowSplit
else:  # a new split is one new module
    Split = Annotated[
        Union[variants_in("modelling.data.splits", "SPLITS", SPLITS_FIRST)],  # noqa: UP007
        Field(discriminator="method"),
    ]
