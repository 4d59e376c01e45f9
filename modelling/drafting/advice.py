"""The few things that a person should look at first."""

from collections.abc import Iterator, Mapping

from modelling.data.reading.number_signs import currencies_of
from modelling.drafting.columns.findings import TableFindings

THINGS = 3


def worth_a_look(findings: TableFindings, alone: Mapping[str, float]) -> list[str]:
    """The first three, by how much harm is done where they are wrong; ``alone`` says how much each
    column tells of the target on its own."""
    return list(dict.fromkeys(_in_order(findings, alone)))[:THINGS]


def _in_order(findings: TableFindings, alone: Mapping[str, float]) -> Iterator[str]:
    target = findings.target
    if not target.certain:
        yield target.reason
    if findings.duplicates and not findings.drop_duplicates:  # each column tells whose copy it is
        yield f"{_copies(findings)}: kept, and in all parts of the split; are they meant?"
    for column in findings.left_out:
        if column.gives_target_away:
            yield f"{column.name!r} is left out: {column.left_out}"
    if findings.gate and findings.gate.too_good:
        together = " and ".join(map(repr, findings.gate.together)) or "all columns"
        yield (
            f"a linear model of {together} is nearly perfect: do they together give the target "
            "away?"
        )
    yield from findings.source.said
    amounts = [column for column in findings.kept if column.kind == "amount"]
    for column in findings.kept:
        if amounts and len(several := currencies_of(column.categories or ())) > 1:
            yield (
                f"{column.name!r} names {len(several)} currencies: convert the amounts, such as "
                f"{amounts[0].name!r}, to one, or the same number is of different sizes."
            )
    coded = [column for column in findings.kept if column.special_codes]
    if coded:
        more = f" (and {len(coded) - 1} more columns with codes)" if len(coded) > 1 else ""
        yield f"{coded[0].name!r}: {coded[0].notes[0]}{more}"
    protected = [repr(column.name) for column in findings.kept if column.role == "protected"]
    if protected:
        yield f"{', '.join(protected)}: named like protected attributes, so kept from the model."
    known = {column.name for column in findings.kept}
    ranked = sorted((name for name in alone if name in known), key=lambda name: -alone[name])
    if ranked:
        yield f"no other column tells as much of the target as {ranked[0]!r}: is it known in time?"
    if findings.unlabelled:
        yield f"rows without a label that can be learnt are left out: {findings.unlabelled:,}."
    if findings.drop_duplicates:
        yield f"{_copies(findings)}: dropped."
    gaps = [c for c in findings.kept if c.missing_at_most > 0.5]
    if gaps:
        yield f"{gaps[0].name!r} is missing in many rows: does that mean something?"
    yield findings.split.reason


def _copies(findings: TableFindings) -> str:
    return f"{findings.duplicates:,} of {findings.rows:,} rows are exact copies of others"
