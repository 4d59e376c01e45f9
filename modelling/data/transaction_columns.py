"""What the windows over a table of card transactions tell, as columns of it."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from modelling.data.absurd_values import plausible_limit
from modelling.data.transaction_windows import transaction_windows
from modelling.data.typed_columns import as_kinds
from modelling.declaration import TransactionWindows, UseCase
from modelling.refusals import BrokenRule, DataRefused, refuse_broken, refuse_taken_names
from modelling.scorer.cells import label_text


def derive_transaction_windows(
    table: pd.DataFrame, derived: TransactionWindows, fraud_label: int | str
) -> pd.DataFrame:
    """A typed table with the columns of ``transaction_windows``, under their names.

    Parameters
    ----------
    table : DataFrame of n rows
        Keeps ``derived.raw_columns`` and ``derived.raw_rules``: amounts finite, and nothing missing
        but whether the last transactions are frauds, at which no window looks.
    derived : TransactionWindows
        Names the columns, the windows and the delay.
    fraud_label : int or str
        What the fraud column holds for a fraud, however it is written (1, 1.0, "1").

    Returns
    -------
    DataFrame of n rows
        In the order of ``table``, row labels kept.

    Raises
    ------
    DataRefused
        Where the table has a column of a derived name already, or of older transactions it is not
        known whether they are frauds.
    """
    raw = as_kinds(table, derived.raw_kinds)
    _refuse_unknown_frauds(raw, derived)
    amounts = raw[derived.amount].to_numpy(dtype=np.float64)
    limit = plausible_limit(amounts)  # beside 1e20, everybody else's amounts add up to nothing
    columns = transaction_windows(
        raw[derived.time].to_numpy(),
        raw[derived.customer].to_numpy(),
        raw[derived.terminal].to_numpy(),
        amounts.clip(-limit, limit),
        (raw[derived.fraud] == label_text(fraud_label)).to_numpy(),
        derived.windows_days,
        derived.delay_days,
    )
    refuse_taken_names(columns, table)
    return table.assign(**columns)


def _refuse_unknown_frauds(raw: pd.DataFrame, derived: TransactionWindows) -> None:
    """A fraud that is not known would count as none in the windows of later transactions."""
    known_by = raw[derived.time].max() - pd.Timedelta(days=derived.delay_days)
    unknown = int((raw[derived.fraud].isna() & (raw[derived.time] <= known_by)).sum())
    if unknown:
        rule = f"is known {derived.delay_days} days later, as derived.delay_days says"
        refuse_broken([BrokenRule(derived.fraud, rule, unknown, setting="derived.delay_days")])


def rows_with_history(table: pd.DataFrame, derived: TransactionWindows) -> pd.DataFrame:
    """The rows of a typed ``table`` whose windows lie within it: those of its first
    ``history_days`` count too few transactions, and look as if customers had changed.

    Raises DataRefused where no row is left.
    """
    times = as_kinds(table, {derived.time: "time"})[derived.time]
    kept = table[times >= _whole_from(times, derived)]
    if kept.empty:
        raise DataRefused(
            f"{derived.time}: all transactions are within {derived.history_days} days, over which "
            "their columns look back: give that many days before those that are to be watched, too"
        )
    return kept


def history_findings(
    parts: Iterable[pd.DataFrame], table: pd.DataFrame, use_case: UseCase
) -> tuple[BrokenRule, ...]:
    """How many rows of ``parts`` are too early in the typed ``table`` for their windows to lie
    within it, as a rule that only warns; nothing where no windows are declared."""
    derived = use_case.derived
    if not isinstance(derived, TransactionWindows):
        return ()
    whole_from = _whole_from(as_kinds(table, {derived.time: "time"})[derived.time], derived)
    dated = [part[derived.time] for part in parts if derived.time in part]
    if not (early := sum(int((times < whole_from).sum()) for times in dated)):
        return ()
    rule = f"is {derived.history_days} days after the first, as far as its windows look back"
    remedy = "give earlier transactions, too, or shorter derived.windows_days"
    return (BrokenRule(derived.time, rule, early, "warning", remedy=remedy),)


def _whole_from(times: pd.Series, derived: TransactionWindows) -> pd.Timestamp:
    """From when on the windows lie within a table with these ``times`` (n,)."""
    return times.min() + pd.Timedelta(days=derived.history_days)
