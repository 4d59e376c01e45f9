"""What a use case may declare to be derived from its raw table, and how derived columns are called.

Import the classes from ``modelling.declaration``.
"""

import math
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from modelling.data.splits.out_of_time import OutOfTime
from modelling.declaration.columns import Column, Finite, NotAbove, Rule, UniqueRows
from modelling.judgement.baselines.baseline import PriceColumns
from modelling.schema import Declaration

# Columns that every price history has (``modelling.data.price_history``).
RETURN = "return_1_day"
VARIANCE = "realised_variance_1_day"
TARGET_KNOWN_ON = "target_known_on"


class _Derivation(Declaration):
    """Columns that are computed from those of the raw table that it names."""

    @property
    def raw_kinds(self) -> dict[str, str]:
        """The columns of the raw table that it is computed from, and the kinds as which they are
        read."""
        return {getattr(self, field): of[0] for field, of in self.kinds_of_named_columns.items()}

    @property
    def raw_columns(self) -> tuple[Column, ...]:
        """What these columns must be: without a gap, or other rows' values would be wrong."""
        return tuple(
            Column(name=name, kind=kind, role="context", missing_at_most=0)  # type: ignore[arg-type]
            for name, kind in self.raw_kinds.items()
        )

    @property
    def raw_rules(self) -> tuple[Rule, ...]:
        """What else the raw rows must keep, for the derived columns to mean something."""
        return ()


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

    @property
    def raw_columns(self) -> tuple[Column, ...]:
        """Whether the last transactions are frauds is not known yet."""
        later = {"missing_at_most": 1.0}
        return tuple(
            column.model_copy(update=later) if column.name == self.fraud else column
            for column in super().raw_columns
        )

    @property
    def history_days(self) -> int:
        """How many days before a transaction its columns look back at most."""
        return max(self.windows_days) + self.delay_days

    @property
    def raw_rules(self) -> tuple[Rule, ...]:
        same = (self.customer, self.terminal, self.time, self.amount)
        return (
            Finite(column=self.amount, because="amounts are added up"),
            UniqueRows(columns=same, because="what is there twice counts twice"),
        )


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

    @property
    def raw_rules(self) -> tuple[Rule, ...]:
        prices = (self.high, self.low, self.close)
        return (
            UniqueRows(columns=(self.time,), severity="critical", because="one row is one day"),
            *(Finite(column=name, above=0, because="a price has a logarithm") for name in prices),
            NotAbove(low=self.low, high=self.high, because="their ratio measures variance"),
        )

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


Derived = Annotated[PriceHistory | TransactionWindows, Field(discriminator="method")]


def log_variance_name(days: int) -> str:
    """The feature: log of the mean realised variance of the last ``days`` days."""
    return f"log_variance_{_days(days)}"


def negative_return_name(days: int) -> str:
    """The feature: the return over the last ``days`` days where it is negative, else 0."""
    return f"negative_return_{_days(days)}"


def target_name(declared: PriceHistory) -> str:
    """The target: log of the mean realised variance of the next days of the horizon."""
    return f"log_variance_next_{_days(declared.horizon_days)}"


def columns_of(reads: PriceColumns, declared: PriceHistory) -> tuple[str, ...]:
    """The derived columns that hold an array of ``judgement.baselines.baseline.PriceSeries``."""
    columns: dict[PriceColumns, tuple[str, ...]] = {
        "returns": (RETURN,),
        "variances": (VARIANCE,),
        "log_variances": tuple(log_variance_name(days) for days in declared.lags_days),
    }
    return columns[reads]


def _days(days: int) -> str:
    return "1_day" if days == 1 else f"{days}_days"
