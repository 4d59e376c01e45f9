"""The file of a use case that declares what was found, with the reason beside each line."""

import math
from collections.abc import Iterator
from typing import Any

from modelling.declaration import UseCase
from modelling.drafting.columns.findings import ColumnFinding, TableFindings
from modelling.drafting.python_text import Call, Commented, comment, expression, import_of, literal
from modelling.secrets import hide_secrets

# Epochs and batch size of tables with fewer rows than these; the defaults in between.
SMALL = {1000: (100, 16)}
DEFAULTS_UP_TO = 20_000
LARGE = {50_000: (40, 256), 500_000: (12, 512), math.inf: (6, 2048)}
DEFAULT_MISSING = {"time": 0.0, "identifier": 0.0}
NEVER_NEGATIVE = ("amount", "ratio", "count")


def draft_text(findings: TableFindings) -> str:
    """A module that declares ``findings`` and nothing else, formatted."""
    call = _use_case(findings)
    names = {"Source", "UseCase", *(column.kind for column in findings.kept)}
    names |= {one.function for one in _calls(call)} & {
        "Gate", "Grouped", "OutOfTime", "RowCount", "Stratified", "TargetRate", "Training",
    }  # fmt: skip
    declared = "\n".join(expression(call, 0, "USE_CASE = ")).removesuffix(",")
    imports = "\n".join(import_of("modelling.declaration", names))
    return f"{_docstring(findings)}\n\n{imports}\n\n{declared}\n"


def declared_by(text: str) -> UseCase:
    """The use case of a module that ``draft_text`` wrote, by running it."""
    module: dict[str, Any] = {}
    exec(compile(text, "<draft>", "exec"), module)
    declared = module["USE_CASE"]
    assert isinstance(declared, UseCase)
    return declared


def _docstring(findings: TableFindings) -> str:
    rows, columns = f"{findings.rows:,} rows", f"{len(findings.columns) + 1:,} columns"
    lines = comment(
        f"{findings.name}: drafted by `finflows draft` from a table of {rows} and {columns}.", 0
    )
    lines += [
        "# ",
        "# Every line is a proposal, with its reason beside it: correct what you know better. Then",
        f"# `finflows check {findings.name}` says what the table keeps of it,",
        f"# `finflows train {findings.name}` trains.",
    ]
    if findings.looked_at < findings.rows:
        lines += [
            "# ",
            f"# Counts beside columns are those of {findings.looked_at:,} rows, drawn at random.",
        ]
    text = "\n".join(line.removeprefix("# ").rstrip() for line in lines)
    return f'"""{text}\n"""'


def _calls(value: Any) -> Iterator[Call]:
    if isinstance(value, Commented):
        yield from _calls(value.part)
    if isinstance(value, tuple):
        for part in value:
            yield from _calls(part)
    if isinstance(value, Call):
        yield value
        for part in (*value.parts, *value.named):
            yield from _calls(part)


def _use_case(findings: TableFindings) -> Call:
    target = findings.target
    settings: list[Any] = [
        ("name", findings.name),
        ("title", f"{' '.join(target.name.split())} ({findings.name.replace('_', ' ')})"),
        ("problem", target.problem),
        *_source(findings),
        ("target", target.name),
        *_classes(findings),
        ("columns", Call("", tuple(_columns(findings)))),
    ]
    if findings.unlabelled:
        said = f"Rows without a label, or with one that hardly any has: {findings.unlabelled:,}."
        settings.append(Commented(said, "drop", "unlabelled"))
    if findings.duplicates:
        said = f"{findings.duplicates:,} rows are exact copies of others."
        dropped = Commented(said, "drop", "duplicates")
        settings.append(
            dropped if findings.drop_duplicates else Commented(f"{said} They are kept.")
        )
    settings += [_split(findings), *_training(findings), *_decisions(findings)]
    rules = tuple(
        Call(rule["rule"], (), tuple((k, v) for k, v in rule.items() if k != "rule"))
        for rule in findings.rules
    )
    settings.append(("expectations", Call("", rules)))
    if gate := findings.gate:
        bounds = (("at_least", gate.at_least), ("at_most", gate.at_most))
        named = (("metric", gate.metric), *((k, v) for k, v in bounds if v is not None))
        settings.append(Commented(gate.reason, Call("Gate", (), named), "gate"))
    return Call("UseCase", (), tuple(settings))


def _source(findings: TableFindings) -> Iterator[Any]:
    named = (("uri", hide_secrets(findings.table)), *findings.source.settings.items())
    source = Call("Source", (), named)
    said = "; ".join(findings.source.said)
    yield (
        Commented(f"{said[0].upper()}{said[1:]}.", source, "source") if said else ("source", source)
    )


def _classes(findings: TableFindings) -> Iterator[Any]:
    target = findings.target
    if not target.classes:
        return
    if target.reason:
        yield Commented(target.reason, target.classes, "classes")
    else:
        yield ("classes", target.classes)
    if target.merge_classes:
        said = "Without labels: all that are not named."
        yield Commented(said, target.merge_classes, "merge_classes")
    if target.ordered:
        yield ("ordered", True)
        yield ("headline", ("log_loss", "quadratic_weighted_kappa"))


def _columns(findings: TableFindings) -> Iterator[Any]:
    yield from (_column(column) for column in findings.kept)
    if findings.left_out:
        yield Commented("Left out; declare those that you know to be sound:")
    for column in findings.left_out:
        stop = "" if str(column.left_out).endswith("?") else "."
        yield Commented(f"{column.name!r}: {column.left_out}{stop}")


def _column(column: ColumnFinding) -> Call:
    default = 0.0 if column.kind in NEVER_NEGATIVE else None
    settings = {
        "role": column.role if column.role == "protected" else None,
        "minimum": column.minimum if column.minimum != default else None,
        "maximum": column.maximum,
        "usual": column.usual,
        "special_codes": column.special_codes or None,
        "missing_at_most": column.missing_at_most
        if column.missing_at_most != DEFAULT_MISSING.get(column.kind, 0.5)
        else None,
        "unit": column.unit,
        "note": " ".join(column.notes).replace('"', "'") or None,
    }
    named = tuple((name, value) for name, value in settings.items() if value is not None)
    return Call(column.kind, (column.name, *(column.categories or ())), named)


def _split(findings: TableFindings) -> Commented:
    split = findings.split
    function = {"out_of_time": "OutOfTime", "grouped": "Grouped", "stratified": "Stratified"}
    named = (("column", split.column),) if split.column else ()
    reason = split.reason[0].upper() + split.reason[1:]
    if split.method == "out_of_time":
        reason += " gap_days=... leaves out as long as an outcome takes to be known."
    return Commented(reason, Call(function[split.method], (), named), "split")


def _training(findings: TableFindings) -> Iterator[Commented]:
    is_large = findings.rows >= DEFAULTS_UP_TO
    sizes = LARGE if is_large else SMALL
    fitting = [settings for rows, settings in sizes.items() if findings.rows < rows]
    if fitting:
        why = "fewer epochs are enough" if is_large else "small batches, or there are few steps"
        settings = tuple(zip(("epochs", "batch_size"), fitting[0], strict=True))
        said = f"{findings.rows:,} rows: {why}."
        yield Commented(said, Call("Training", (), settings), "training")


def _decisions(findings: TableFindings) -> Iterator[Commented]:
    yield Commented('baselines=("constant", "linear", "boosting") are compared with by default.')
    if findings.target.problem != "binary":
        return
    amounts = [
        column.name
        for column in findings.kept
        if column.kind == "amount" and column.role == "feature"
    ]
    amount = f"amount={literal(amounts[0])}, false_negative_share=..., " if amounts else ""
    yield Commented(
        "Refused from a probability of 0.5 on. What does a wrong decision cost? With "
        f'costs=Costs({amount}false_negative=..., false_positive=..., unit="EUR") and '
        "decision=LeastCost() the cut-off is where the least money is lost."
    )
