"""Numbers that are written otherwise than declared, or in two units: refused, with what to do."""

import math
from collections import Counter

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from modelling.data.reading.number_signs import (
    BEHIND_UNIT,
    BLANKS,
    CREDIT_OF,
    MARKS,
    MINUS_BEHIND,
    PERCENT,
    currencies_of,
    signs_around,
    units_among,
)
from modelling.data.reading.number_text import TextFormat, any_of
from modelling.refusals import DataRefused

MEANINGS = {
    PERCENT: " (12.5% is 0.125)",
    MINUS_BEHIND: " behind (5- is -5)",
    **{debit: f" (5 {debit} is -5)" for debit in CREDIT_OF},
}
DECIMAL_POINT = r"[+-]?(\d{1,3}(,\d{3})*|\d+)\.\d+"
DECIMAL_COMMA = r"[+-]?(\d{1,3}(\.\d{3})*|\d+),\d+"
THOUSANDS = rf"[+-]?\d{{1,3}}([{MARKS}]\d{{3}})+([.,]\d+)?"


def units_in(cells: pd.Series, text_format: TextFormat) -> Counter[str]:
    """How many numbers (n,) have each of the declared signs beside them, and under "" how many have
    none; 0 needs none."""
    signs = units_among(text_format.around_numbers)
    if not signs:
        return Counter()
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return Counter({"": int(cells.fillna(0).ne(0).sum())})
    is_text = isinstance(cells.dtype, pd.StringDtype)
    words = cells if is_text else [cell for cell in cells if isinstance(cell, str)]
    texts = pc.utf8_trim_whitespace(pa.array(words, pa.string()))
    unit = pc.struct_field(
        pc.extract_regex(texts, rf"^[(+-]*{BLANKS}(?P<unit>{any_of(signs)}){BLANKS}[(+-]*[0-9.,]"),
        [0],
    )
    behind = pc.struct_field(
        pc.extract_regex(texts, rf"[0-9.,)-]{BLANKS}(?P<unit>{any_of(signs)}){BEHIND_UNIT}$"), [0]
    )
    known = pc.match_substring_regex(texts, "[1-9]")
    units = pc.coalesce(unit, behind, pa.scalar("")).filter(known)
    found = Counter({one["values"]: one["counts"] for one in pc.value_counts(units).to_pylist()})
    bare = (
        0 if is_text else sum(not isinstance(cell, str) and bool(cell) for cell in cells.dropna())
    )
    return found + Counter({"": bare})


def unit_of(cells: pd.Series, text_format: TextFormat) -> str | None:
    """The declared sign beside the numbers of a column (n,), "" where they have none; None where no
    sign is declared that changes what a number means, or no number but 0 shows any. A currency is
    one for all of a model, unless several are declared."""
    if not scales_of(text_format) and len(currencies_of(text_format.around_numbers)) < 2:
        return None
    return max(+units_in(cells, text_format), default=None)


def currency_of(cells: pd.Series, text_format: TextFormat) -> str | None:
    """The code of the one currency that stands beside numbers of a column (n,)."""
    codes = currencies_of(+units_in(cells, text_format))
    return codes.pop() if len(codes) == 1 else None


def scales_of(text_format: TextFormat) -> set[str]:
    """The declared signs, like % and k, beside which a number means another than alone."""
    return {sign for sign in units_among(text_format.around_numbers) if not currencies_of([sign])}


def refuse_other_unit(
    name: str, units: Counter[str], trained: str | None, text_format: TextFormat
) -> None:
    """Raise DataRefused where a column has another declared sign beside its numbers than it was
    ``trained`` with: 12.5 may be 12.5% or 1250%, and $ 5 are not 5 €."""
    scales = scales_of(text_format)
    if trained in scales and units[""]:
        others = ",".join(sign for sign in text_format.around_numbers if sign != trained)
        meant = "0.125 stands for 12.5%" if trained == PERCENT else f"5 stands for 5{trained}"
        raise DataRefused(
            f"{name}: {units['']:,} numbers lack the {trained} that stood beside them in training: "
            f"add it, or where {meant}, score with --source around_numbers='{others}'"
        )
    ours = currencies_of([trained or ""])
    foreign = sorted(
        unit
        for unit in units
        if unit in scales - {trained} or (ours and currencies_of([unit]) - ours)
    )
    if trained is not None and foreign:
        raise DataRefused(
            f"{name}: {units[foreign[0]]:,} numbers have {foreign[0]} beside them, in training "
            f"they had {trained or 'nothing'}: convert them"
        )


def refuse_several_units(name: str, units: Counter[str]) -> None:
    """Raise DataRefused where $5 stands below 5 €, which can't be compared, or 5 below 12%, which
    can be 0.05 or 5."""
    found = sorted(unit for unit in units if unit)
    if len(found) > 1:
        raise DataRefused(
            f"{name}: numbers in {' and in '.join(found)}: convert them, or leave it out"
        )
    if found and units[""] and not currencies_of(found):
        raise DataRefused(
            f"{name}: {units['']:,} numbers lack the {found[0]} of the others: add it"
        )


def refuse_other_writing(unread: pd.Series, cells: int, text_format: TextFormat) -> None:
    """Raise DataRefused where those of the ``cells`` of a column that are ``unread`` would be
    numbers with other marks or signs than declared."""
    texts = unread.astype("str").str.strip()
    _refuse_other_signs(texts, text_format)
    for pattern, written in text_format.signs:
        texts = texts.str.replace(pattern, written, regex=True)
    commas = text_format.decimal == ","
    marks = texts.str.extract(f"^{THOUSANDS}$")[0].str[0].mode()
    mark = repr(marks[0]) if len(marks) else ""
    for pattern, looks_like, add, least in (
        (THOUSANDS, "numbers with a mark between thousands", f"thousands={mark}", len(texts)),
        (DECIMAL_POINT, "decimal points", "decimal='.'", cells // 2 + 1 if commas else math.inf),
        (DECIMAL_COMMA, "decimal commas", "decimal=','", math.inf if commas else 1),
    ):
        count = int(texts.str.fullmatch(pattern).sum())
        if count and count >= least:
            raise DataRefused(
                f"{count:,} cells of {unread.name} look like {looks_like}: add {add} to the source "
                "(finflows score: --source)"
            )


def _refuse_other_signs(texts: pd.Series, text_format: TextFormat) -> None:
    signs, count = signs_around(texts)
    if len(units := sorted(units_among(signs))) > 1:
        several = " and in ".join(units)
        raise DataRefused(f"{texts.name}: numbers in {several}: convert them, or leave it out")
    declared = {*text_format.around_numbers}
    if not signs - declared or count < len(texts):
        return
    said = " and ".join(f"{sign}{MEANINGS.get(sign, '')}" for sign in sorted(signs))
    ours = currencies_of(declared)
    convert = "convert them, or " if ours and currencies_of(signs) - ours else ""
    around = ",".join(sorted(declared | signs))
    raise DataRefused(
        f"{count:,} cells of {texts.name} have {said} around a number: {convert}add "
        f"around_numbers='{around}' to the source (finflows score: --source)"
    )
