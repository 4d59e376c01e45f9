"""What a use case may declare of its data: the source, how it is split, what is derived from it.

Import these from ``modelling.declaration``.
"""

import codecs
import math
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PositiveInt, Tag, model_validator

from modelling.schema import Declaration, Part, Seed


class Source(Declaration):
    """Where the table comes from, and how it is written where that can't be told from it.

    ``uri`` is a path or URL (anything that fsspec opens) of a CSV, Parquet or Excel file, also
    packed (.gz, .xz, .bz2, .zst, .zip), a folder of them or a glob; ``package:DISTRIBUTION/PATH``
    (a file inside an installed package, which is not imported; there also a pandas pickle
    compressed with xz, ``.pkl.compress``), ``openml:NAME`` or ``openml:ID``, or a SQLAlchemy URL
    together with ``query``. A variable of the environment that is the whole address, or user or
    password of a database, is put in when it is read, so that nobody writes passwords down;
    ``FINFLOWS_VARIABLES`` names others. A relative path is looked for beside the declaration.

    ``delimiter`` and ``encoding`` are found out where they are certain; ``decimal`` and
    ``thousands`` are the marks in numbers, ``date_format`` is that of ``strptime``, ``sheet`` the
    sheet of an Excel file.
    """

    uri: str
    query: str | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'", "\u00a0", "\u202f"] | None = None
    encoding: str | None = None
    date_format: str | None = None
    sheet: str | None = None

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


class Stratified(Declaration):
    """Random rows, with the same share of each class (or of target deciles) in every part."""

    method: Literal["stratified"] = "stratified"
    validation: Part = 0.2
    test: Part = 0.2
    seed: Seed = 42


class OutOfTime(Declaration):
    """Train on the past, validate on what came next, test on what came last.

    ``gap_days`` are left out before validation and before test, as long as an outcome takes to be
    known. The cut dates follow from the shares of rows.
    """

    method: Literal["out_of_time"] = "out_of_time"
    kinds_of_named_columns = {"column": ("time",)}
    column: str
    validation: Part = 0.2
    test: Part = 0.2
    gap_days: Annotated[float, Field(ge=0)] = 0


class Grouped(Declaration):
    """Random groups: nobody named by ``column`` is in two parts."""

    method: Literal["grouped"] = "grouped"
    kinds_of_named_columns = {"column": ("identifier", "category")}
    column: str
    validation: Part = 0.2
    test: Part = 0.2
    seed: Seed = 42


class DelayedFeedback(Declaration):
    """Train on a few days, wait until their frauds are known, test on the days that follow.

    The protocol of chapter 5 of the Fraud Detection Handbook. Test begins at ``test_from`` (without
    it, ``test_days`` before the table's last day ends) and training ``train_days + delay_days``
    earlier. Customers of whom a fraud is known leave the test period: known are the frauds since
    training began that are more than ``delay_days`` old on the day. A random ``validation`` share
    of the training period's customers is the validation part.
    """

    method: Literal["delayed_feedback"] = "delayed_feedback"
    kinds_of_named_columns = {"column": ("time",), "customer": ("identifier",)}
    column: str
    customer: str
    test_from: date | None = None
    train_days: PositiveInt = 7
    delay_days: Annotated[int, Field(ge=0)] = 7
    test_days: PositiveInt = 7
    validation: Part = 0.2
    seed: Seed = 42


class _Derivation(Declaration):
    """Columns that are computed from those of the raw table that it names."""

    @property
    def raw_kinds(self) -> dict[str, str]:
        """The columns of the raw table that it is computed from, and the kinds as which they are
        read."""
        return {getattr(self, field): of[0] for field, of in self.kinds_of_named_columns.items()}


class TransactionWindows(_Derivation):
    """What customer and terminal did before each transaction (``data.transaction_windows``).

    The names are those of the raw table's columns. Whether a transaction was a fraud is known
    after ``delay_days``. The columns that come of it are ``is_weekend``, ``is_night`` and, for each
    window of d days, ``customer_transactions_{d}d``, ``customer_mean_amount_{d}d``,
    ``terminal_transactions_{d}d`` and ``terminal_fraud_share_{d}d``.
    """

    method: Literal["transaction_windows"] = "transaction_windows"
    kinds_of_named_columns = {
        "customer": ("identifier", "category"),
        "terminal": ("identifier", "category"),
        "time": ("time",),
        "amount": ("number",),
        "fraud": ("category", "number"),
    }
    customer: str = "customer_id"
    terminal: str = "terminal_id"
    time: str = "transacted_at"
    amount: str = "amount_usd"
    fraud: str = "fraud"
    windows_days: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1, 7, 30)
    delay_days: Annotated[int, Field(ge=0)] = 7


class PriceHistory(_Derivation):
    """Features and target of a volatility forecast, from one row of prices a trading day.

    ``time``, ``high``, ``low`` and ``close`` name columns of the raw table. The target is the log
    of the mean realised variance of the next ``horizon_days`` trading days; the features look back
    over each of ``lags_days``. ``modelling.data.price_history`` names the columns and their units.
    """

    method: Literal["price_history"] = "price_history"
    kinds_of_named_columns = {
        "time": ("time",),
        "high": ("number",),
        "low": ("number",),
        "close": ("number",),
    }
    time: str
    high: str
    low: str
    close: str
    horizon_days: PositiveInt = 5
    lags_days: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1, 5, 22)

    def refuse_overlap(self, split: Declaration) -> None:
        """Raise ValueError where a training row's target could reach into a later part.

        Five trading days are a calendar week; the longest that an exchange was shut in the last
        decades, after 11 September 2001, added six days. So: a week more than without closings.
        """
        least = math.ceil(self.horizon_days * 7 / 5) + 7
        if not isinstance(split, OutOfTime) or split.gap_days < least:
            raise ValueError(
                f"targets of {self.horizon_days} days overlap: 'derived' wants split.method="
                f"out_of_time with split.gap_days of {least} or more"
            )


Split = Annotated[Stratified | OutOfTime | Grouped | DelayedFeedback, Field(discriminator="method")]
Derived = Annotated[PriceHistory | TransactionWindows, Field(discriminator="method")]
