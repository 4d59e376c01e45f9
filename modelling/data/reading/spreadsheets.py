"""Text that a spreadsheet would run as a formula, written so that it does not, and read again.

A customer chooses the text of some cells, and somebody opens the file. OWASP ("CSV injection"): an
apostrophe in front makes them text. Numbers stay as they are, signs included.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

# Also in their full-width forms. A cell that has apostrophes before such a sign gets one more, so
# that taking one away always gives what there was.
STARTS = r"[=+\-@\t\r\n＝＋－＠]"  # noqa: RUF001
RUNS = rf"^('*{STARTS})"
NUMBER = r"^[+-][0-9., ]*[0-9][0-9., ]*([eE][+-]?[0-9]+)?$"


def as_text(cells: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Cells (n,) as CSV may hold them; those that are not text stay as they are."""
    if not _is_text(cells.type):
        return cells
    harmless = pc.match_substring_regex(cells, NUMBER)
    return pc.if_else(harmless, cells, pc.replace_substring_regex(cells, RUNS, r"'\1"))


def as_it_was(cells: pa.Array) -> pa.Array:
    """Cells (n,) that ``as_text`` wrote, as they were before."""
    if not _is_text(cells.type):
        return cells
    return pc.replace_substring_regex(cells, f"^'('*{STARTS})", r"\1")


def cell_as_text(cell: object) -> object:
    """``as_text`` for one cell."""
    if not isinstance(cell, str) or re.match(NUMBER, cell):
        return cell
    return re.sub(RUNS, r"'\1", cell)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
