"""The range that an honest declaration would have, and numbers that are no sizes.

Limits are physical (an age ends at 120, a share at 1) or round numbers around what nearly all rows
keep: never the smallest or the largest customer.
"""

import math

import numpy as np

from modelling.drafting.columns.findings import SHARED_BY, ColumnFinding
from modelling.drafting.columns.kinds import kind_of_numbers
from modelling.drafting.columns.name_words import SHARES, parts_of, suggests
from modelling.drafting.columns.profiles import Profile
from modelling.drafting.columns.protected_names import protected_attribute

CODES = {-1.0, -2.0, -7.0, -8.0, -9.0} | {
    sign * float(base + end) for base in (10**digits - 10 for digits in range(1, 10))
    for end in (6, 7, 8, 9) for sign in (1, -1) if base + end > 9
}  # fmt: skip
CALENDAR = {"month": (1.0, 12.0), "day": (1.0, 31.0), "hour": (0.0, 23.0)}
MOST_CODES = 4
DIFFERENT = 4  # numbers that a column has beside its codes; fewer, where codes are far from them
FAR = 5
NEARLY_ALL = 0.002
NEXT_TO_NOTHING = 0.05  # of the upper end of a range
ROWS_TO_TELL_A_SIGN = 500  # a number never below 0 in as many is taken for one that can't be


def describe_numbers(found: ColumnFinding, column: Profile, target: np.ndarray) -> None:
    """Codes and ranges of a column of numbers; ``target`` (s,) is a number for each sampled row."""
    if found.kind not in ("number", "amount", "ratio", "count"):
        return
    values = column.values.to_numpy(dtype=np.float64)
    apart = numbers_apart(values)
    found.special_codes = special_codes(values, target)
    if found.special_codes:
        _explain_codes(found, values, target)
    if doubtful := [_written(size) for size in apart if size not in found.special_codes]:
        word = "lies" if len(doubtful) == 1 else "lie"
        found.notes.append(
            f"{', '.join(doubtful)} {word} apart and repeated: a size, or a code? Then declare "
            "special_codes."
        )
    sizes = _sizes(values, found)
    if not len(sizes):
        return
    all_sizes = _sizes(column.in_all_rows.to_numpy(dtype=np.float64), found)
    found.kind = kind_of_numbers(found.name, all_sizes, column.currency)
    found.minimum, found.maximum = _limits(found, all_sizes)
    low, high = (
        round_outwards(q, up) for q, up in zip(_nearly_all(sizes), (False, True), strict=True)
    )
    if found.minimum is not None:
        low = found.minimum if low <= NEXT_TO_NOTHING * high else max(low, found.minimum)
    high = high if found.maximum is None else min(high, found.maximum)
    if (low, high) != (found.minimum, found.maximum) and low < high:
        found.usual = (low, high)
    if outside := int(((sizes < low) | (sizes > high)).sum()):
        found.notes.append(f"{outside:,} of {len(sizes):,} rows lie outside the usual range.")


def _sizes(values: np.ndarray, found: ColumnFinding) -> np.ndarray:
    return values[np.isfinite(values) & ~np.isin(values, found.special_codes)]


def special_codes(values: np.ndarray, target: np.ndarray) -> tuple[float, ...]:
    """Numbers that lie apart from all others, repeat, and mean something else than their size.

    Parameters
    ----------
    values : float array (s,)
        NaN where missing.
    target : float array (s,)
        Known for each row. A number that is not written as codes usually are (-1, 98, 999) must
        also carry its own mean of the target, beyond chance.

    Returns
    -------
    tuple of float
        In ascending order; each is that of at least ``SHARED_BY`` rows.
    """
    return tuple(size for size in numbers_apart(values) if _means_else(size, values, target))


def numbers_apart(values: np.ndarray) -> list[float]:
    """The numbers that lie far above or below all others and repeat, in ascending order."""
    known = values[np.isfinite(values)]
    return sorted({*_far_above(known, 1), *(-far for far in _far_above(-known, -1))})


def _far_above(numbers: np.ndarray, sign: int) -> list[float]:
    """The repeated ones of the highest few of ``numbers`` (k,), where they are far from the rest.

    ``sign`` times a number is what stands in the table."""
    sizes, rows_of = (found[::-1] for found in np.unique(numbers, return_counts=True))
    for many in range(1, min(MOST_CODES, len(sizes) - 2) + 1):
        above, rest = sizes[:many], sizes[many:]
        repeated = rows_of[:many] >= SHARED_BY
        nearly_all = rows_of[:many][repeated].sum() >= 0.9 * rows_of[:many].sum()
        usual = all(sign * code in CODES for code in above[repeated])
        enough = len(rest) >= DIFFERENT or (usual and above[-1] - rest[0] >= FAR * np.ptp(rest))
        if repeated.any() and nearly_all and enough and _is_wide(above, rest, usual):
            return above[repeated].tolist()
    return []


def _is_wide(above: np.ndarray, rest: np.ndarray, usual: bool) -> bool:
    """Whether there is a wide gap between numbers in descending order and the ``rest`` of them;
    for ``usual`` codes that have another sign than all others, any gap is."""
    gap, spread = above[-1] - rest[0], rest[0] - rest[-1]
    if usual and above[-1] > 0 >= rest[0]:
        return bool(spread >= 3 * above[0] or gap >= FAR * spread)
    return bool(gap >= (0.5 if usual else 2.0) * spread)


def _means_else(code: float, values: np.ndarray, target: np.ndarray) -> bool:
    if code in CODES:
        return True
    coded = values == code
    here, there = target[coded], target[~coded & np.isfinite(values)]
    chance = math.sqrt(here.var() / len(here) + there.var() / len(there)) or 1e-12
    return bool(abs(here.mean() - there.mean()) > 4 * chance)


def _explain_codes(found: ColumnFinding, values: np.ndarray, target: np.ndarray) -> None:
    coded = np.isin(values, found.special_codes)
    codes = ", ".join(map(_written, found.special_codes))
    word = "lies" if len(found.special_codes) == 1 else "lie"
    rate = ""
    if set(np.unique(target)) <= {0.0, 1.0}:
        rate = f", {target[coded].mean():.1%} of them positive beside {target[~coded].mean():.1%}"
    found.notes.insert(
        0,
        f"{codes} {word} apart in {int(coded.sum()):,} rows{rate}: taken for codes; what do they "
        "mean?",
    )


def _written(code: float) -> str:
    return f"{code:.0f}" if code.is_integer() and abs(code) < 1e15 else f"{code:g}"


def _limits(found: ColumnFinding, sizes: np.ndarray) -> tuple[float | None, float | None]:
    """What is physically possible, where the name says what is measured and all sizes keep it."""
    lowest, highest = sizes.min(), sizes.max()
    word = (parts_of(found.name) or [""])[-1]
    if protected_attribute(found.name) == "age" and lowest >= 0 and 20 < highest <= 120:
        return 0.0, 120.0
    if found.kind == "number" and lowest >= 1900 and highest <= 2100:
        return 1900.0, 2100.0
    if word in CALENDAR and _fills(sizes, *CALENDAR[word]):
        return CALENDAR[word]
    if found.kind == "ratio" and suggests(found.name, SHARES):
        percent = np.median(sizes) > 1 and highest <= 100
        return 0.0, 1.0 if highest <= 1 else 100.0 if percent else None
    if found.kind == "count" and highest == 1:
        return 0.0, 1.0
    never_negative = lowest >= 0 and (found.kind != "number" or len(sizes) >= ROWS_TO_TELL_A_SIGN)
    return 0.0 if never_negative else None, None


def _fills(sizes: np.ndarray, low: float, high: float) -> bool:
    different = np.unique(sizes)
    return bool(low <= different[0] and different[-1] <= high and len(different) > (high - low) / 2)


def _nearly_all(sizes: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(sizes, (NEARLY_ALL, 1 - NEARLY_ALL))
    return float(low), float(high)


def round_outwards(value: float, up: bool) -> float:
    """The next of 1, 2 or 5 times a power of ten, at or beyond ``value``."""
    if value == 0 or not math.isfinite(value):
        return 0.0
    if value < 0:
        return -round_outwards(-value, not up)
    power = 10.0 ** math.floor(math.log10(value))
    steps = [factor * power for factor in (1, 2, 5, 10)]
    rounded = min(s for s in steps if s >= value) if up else max(s for s in steps if s <= value)
    return float(f"{rounded:.6g}")
