"""Names from outside as people and stores see them, whatever a table calls its columns."""


def one_line(text: str) -> str:
    """``text`` with what nobody sees or a terminal obeys, like a line break in the name of a
    column, a blank that is none or a change of colour, as Python writes it: ``\\n``."""
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(letter: str) -> str:
    return letter if letter.isprintable() else repr(letter)[1:-1]


def shortened(text: str, length: int) -> str:
    """``text``; where it is longer than ``length``, its start, with dots that say so."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def quantity(count: int, noun: str) -> str:
    """``1 rule`` or ``2,000 rules``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def row_count(rows: int) -> str:
    """``1 row`` or ``2,000 rows``."""
    return quantity(rows, "row")


def safe_name(text: str) -> str:
    """``text`` as it can be part of the name of a file or of a metric."""
    return "".join(c if c.isalnum() or c in "_-" else "_" for c in text)


def table_cell(text: str) -> str:
    """``text`` as a cell of a Markdown table."""
    return one_line(text).replace("|", "\\|")
