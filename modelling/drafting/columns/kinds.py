"""What a column holds: by its cells, and where these leave a choice, by its name."""

from collections.abc import Sequence

import numpy as np

from modelling.data.reading.number_signs import CURRENCIES, currencies_of
from modelling.drafting.columns.findings import SHARED_BY, ColumnFinding, Kind
from modelling.drafting.columns.name_words import (
    BESIDE,
    CODES,
    COUNTS,
    MONEY,
    MONEY_AT_THE_END,
    NEVER_SIZES,
    NOT_MONEY,
    SHARES,
    TO_BE_DONE,
    names_somebody,
    parts_of,
    suggests,
)
from modelling.drafting.columns.profiles import Profile, are_whole
from modelling.drafting.columns.protected_names import protected_attribute
from modelling.drafting.columns.spelling import in_words, lists_of_labels, spelt_alike
from modelling.scorer.cells import label_text

FEW_LABELS = 12  # a person reads so many in a declaration
FEW_CODES = 50
MARKS = frozenset(["x", "*", "1", "y", "yes", "t", "true", "j", "ja", "o", "oui", "s", "si", "sí"])


def find_kind(column: Profile) -> ColumnFinding:
    """The column as it would be declared, without ranges and codes."""
    found = ColumnFinding(column.name, _kind(column))
    found.unit = column.currency if found.kind in ("amount", "number") else None
    found.missing_at_most = _missing_at_most(column.missing / column.rows)
    if column.missing:
        share = column.missing / column.rows
        found.notes.append(f"Missing in {column.missing:,} rows ({share:.1%}).")
    if found.kind in ("time", "identifier"):
        found.role = "context"
        found.missing_at_most = 0.0 if not column.missing else found.missing_at_most
    if is_marked(column):
        found.notes.append("Rows have a mark or nothing: an empty cell is taken for no.")
    if found.kind == "category":
        _describe_labels(found, column)
    if attribute := protected_attribute(column.name):
        found.role = "protected"
        found.notes.append(
            f"The name suggests {attribute}: may it be used to judge people here? It is kept from "
            "the model until somebody has decided."
        )
    return found


def _kind(column: Profile) -> Kind:
    if column.written != "number" or is_marked(column):
        return "time" if column.written == "time" else "category"
    never_sizes = names_somebody(column.name) or suggests(column.name, NEVER_SIZES)
    coded = never_sizes or (suggests(column.name, CODES) and column.distinct <= FEW_CODES)
    if column.whole and coded and not suggests(column.name, COUNTS) and column.distinct > 2:
        return "category"  # of shops there may be few or many
    numbers = column.known.to_numpy(dtype=np.float64)
    return kind_of_numbers(column.name, numbers, column.currency)


def is_marked(column: Profile) -> bool:
    """Whether some rows have one mark and the others an empty cell, as SAP writes X for yes."""
    marked = column.rows - column.missing
    if column.distinct != 1 or min(marked, column.missing) < SHARED_BY:
        return False
    return str(label_text(column.known.iloc[0])).casefold() in MARKS


def kind_of_numbers(name: str, known: np.ndarray, currency: str | None = None) -> Kind:
    """Of numbers (k,) without codes, beside which a ``currency`` may stand."""
    if not len(known) or known.min() < 0:
        return "number"
    if currency:
        return "amount"
    whole = are_whole(known)
    if (suggests(name, SHARES) or compares_money(name)) and not whole:
        return "ratio"
    if is_money(name):
        return "amount"
    is_year = known.min() >= 1900 and known.max() <= 2100
    return "count" if whole and not is_year else "number"


def is_money(name: str) -> bool:
    """Whether a name suggests an amount: ``loan_amount`` does, ``number_of_loans`` does not."""
    sure = {"amount", "amt", "income", "balance", "betrag", "einkommen", "montant", "importe"}
    if {*parts_of(name)} & {"number", "num", "count", "months", "days"} or compares_money(name):
        return False
    if {*parts_of(name)} & sure or currencies_of(name):
        return True
    last = (parts_of(name) or [""])[-1]  # total_credit is money, credit_lines are a count
    named = suggests(name, MONEY) or suggests(last, MONEY_AT_THE_END)
    return named and not suggests(name, NOT_MONEY)


def compares_money(name: str) -> bool:
    """Whether a name is that of one amount beside another: ``debt_to_income`` is,
    ``days_to_payment`` and ``amount_to_pay`` are not."""
    parts, words = parts_of(name), f"{MONEY} {MONEY_AT_THE_END}"
    around = zip(parts, parts[1:], parts[2:], strict=False)
    return any(
        between in BESIDE
        and suggests(one, words)
        and suggests(other, words)
        and other not in TO_BE_DONE
        for one, between, other in around
    )


def name_units(columns: Sequence[ColumnFinding]) -> None:
    """The currencies of amounts, where there are several, by their cells or else by their names;
    debts below zero are money too."""
    known = {*CURRENCIES, *(c.unit for c in columns if c.unit)}
    numbers = [c for c in columns if c.kind in ("amount", "number")]
    of_money = [c for c in numbers if c.unit or is_money(c.name)]
    named = {
        c.name: next((p for p in (c.unit, *map(str.upper, parts_of(c.name))) if p in known), None)
        for c in of_money
    }
    several = len({*named.values()} - {None}) > 1
    for column in of_money:
        column.unit = (
            named[column.name] if several else None if column.kind == "amount" else "money"
        )


def _missing_at_most(share: float) -> float:
    """Half as much again as there is and a little, as a round share."""
    steps = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
    return next(
        (step for step in steps if share * 1.25 + 0.02 <= step), 1.0 if share > 0.97 else 0.99
    )


def _describe_labels(found: ColumnFinding, column: Profile) -> None:
    """Few labels that many rows share are listed; others stay open."""
    rows_of = column.known.value_counts()
    if column.written == "text" and (alike := spelt_alike(rows_of)):
        found.notes.append(f"{in_words(alike)}: write them alike.")
    if column.written == "text" and (lists := lists_of_labels(rows_of)):
        found.notes.append(f"{lists.capitalize()}.")
    if len(rows_of) <= FEW_LABELS:
        rows_of = column.in_all_rows.value_counts()
    if len(rows_of) <= FEW_LABELS and rows_of.min() >= SHARED_BY:
        if column.written == "text":
            found.categories = tuple(sorted(map(str, rows_of.index)))
        elif column.whole:
            found.categories = tuple(str(int(label)) for label in sorted(rows_of.index))
        return
    rare = int((rows_of < SHARED_BY).sum())
    found.notes.append(
        f"{len(rows_of):,} labels" + (f", {rare:,} of them in few rows." if rare else ".")
    )


def is_prose(column: Profile) -> bool:
    """Whether the cells of a column of text are sentences rather than labels."""
    words = column.known.head(1000).astype("str").map(lambda cell: len(cell.split()))
    return bool(len(words)) and words.mean() > 4
