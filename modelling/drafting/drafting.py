"""From a table to all that a draft says of it."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from modelling.data.reading.number_text import TextFormat
from modelling.declaration import Source
from modelling.drafting.advice import worth_a_look
from modelling.drafting.columns.exclusions import (
    is_repeated_identifier,
    leave_out,
    leave_out_copies,
)
from modelling.drafting.columns.findings import (
    ColumnFinding,
    SourceFinding,
    TableFindings,
    TargetFinding,
    Wanted,
)
from modelling.drafting.columns.giveaways import Suspects
from modelling.drafting.columns.kinds import find_kind, name_units
from modelling.drafting.columns.profiles import Profile, profile_column
from modelling.drafting.columns.ranges import describe_numbers
from modelling.drafting.columns.table_source import NOT_UTF_8
from modelling.drafting.gate_proposal import propose_gate
from modelling.drafting.roles import Examined, decision_time, subject
from modelling.drafting.rules_proposal import propose_rules
from modelling.drafting.split_proposal import propose_split
from modelling.drafting.target import find_target, target_numbers, without_label
from modelling.drafting.writer import declared_by, draft_text
from modelling.refusals import DataRefused, UsageError, nearest
from modelling.scorer.cells import label_text

SAMPLE = 100_000
SEED = 0
Told = Callable[[str, int, int], None]
Asked = Callable[[TargetFinding], str | None]


def draft_table(
    table: pd.DataFrame,
    source: Source,
    said: tuple[str, ...],
    wanted: Wanted,
    ask: Asked = lambda _: None,
    tell: Told = lambda *_: None,
) -> TableFindings:
    """All that a draft says of a ``table`` of n rows, which is used up column by column.

    ``source`` is where the file of the use case finds it, and ``said`` how its writing was taken.
    ``ask`` is asked for the positive label where it is not certain; ``tell`` is told how far the
    work is. Raises UsageError where a column is not there, DataRefused where the target can't be
    one.
    """
    _refuse_absent(table, wanted, said)
    text_format = TextFormat.of(source)
    table, of_target, unlabelled, no_label = _labelled(table, wanted.target, text_format)
    said = (*said, *no_label)
    rows, sample = len(table), _sample(len(table))
    del table[wanted.target]
    target = find_target(of_target, wanted.positive)
    if target.problem == "binary" and not target.certain and (answer := ask(target)):
        target = find_target(of_target, answer)
    values = target_numbers(target, of_target)
    examined, row_hashes = _examine(table, text_format, sample, wanted, values, tell)
    suspects = Suspects(target, values)
    _accuse(examined, suspects)
    time, who = decision_time(examined, wanted.time), subject(examined, wanted.identifier)
    name_units([column.found for column in examined if column.found.declared])
    findings = TableFindings(
        name=wanted.name,
        table=source.uri,
        rows=rows,
        looked_at=len(sample),
        source=SourceFinding(source.model_dump(exclude_defaults=True, exclude={"uri"}), said),
        target=target,
        columns=[column.found for column in examined],
        split=propose_split(target, values, time, who),
        rules=propose_rules(target, values, rows),
        unlabelled=unlabelled,
    )
    _count_duplicates(findings, row_hashes, of_target)
    if not any(column.role == "feature" for column in findings.kept):
        raise DataRefused(f"no column is left to learn from ({_why_none(findings, said)})")
    tell("a linear model, to propose a gate", 0, 0)
    cells = {one.found.name: _as_declared(one) for one in examined if one.found.declared}
    is_number = target.problem == "regression"
    cells[target.name] = of_target.values if is_number else of_target.values.map(label_text)
    findings.gate = propose_gate(declared_by(draft_text(findings)), pd.DataFrame(cells))
    findings.worth_a_look = worth_a_look(findings, suspects.alone)
    return findings


def _labelled(
    table: pd.DataFrame, target: str, text_format: TextFormat
) -> tuple[pd.DataFrame, Profile, int, list[str]]:
    """The rows that have a label, or all where none has one; what their target looks like; how many
    have none, and which words were taken for none."""
    of_target = profile_column(table[target], text_format, _sample(len(table)))
    unlabelled, for_none = without_label(of_target)
    words = " and ".join(map(repr, for_none))
    said = [f"{target!r}: {words} is taken for no label, as an empty cell is"] if for_none else []
    if unlabelled.any() and not unlabelled.all():
        table = table[~unlabelled].reset_index(drop=True)
        of_target = profile_column(table[target], text_format, _sample(len(table)))
    return table, of_target, int(unlabelled.sum()), said


def _sample(rows: int) -> np.ndarray:
    return np.sort(np.random.default_rng(SEED).permutation(rows)[:SAMPLE])


def _why_none(findings: TableFindings, said: tuple[str, ...]) -> str:
    reasons = [f"{column.name!r}: {column.left_out or column.role}" for column in findings.columns]
    return "; ".join((*reasons[:5], *["..."] * (len(reasons) > 5), *said))


def _refuse_absent(table: pd.DataFrame, wanted: Wanted, said: tuple[str, ...]) -> None:
    names = {"--target": wanted.target, "--time": wanted.time, "--id": wanted.identifier}
    for flag, name in names.items():
        if name is not None and name not in table:
            taken = "" if name.isascii() else _guessed_encoding(said)
            raise UsageError(
                f"{flag}: the table has no column '{name}'{nearest(name, table.columns)}{taken}"
            )
    named = [name for name in names.values() if name is not None]
    if len({*named}) < len(named):
        raise UsageError("--target, --time and --id name three different columns")


def _guessed_encoding(said: tuple[str, ...]) -> str:
    guessed = [line for line in said if NOT_UTF_8 in line]
    more = "say another with --source encoding=..., as cp932 for Japanese"
    return "".join(f" ({line}; {more})" for line in guessed)


def _examine(
    table: pd.DataFrame,
    text_format: TextFormat,
    sample: np.ndarray,
    wanted: Wanted,
    values: np.ndarray,
    tell: Told,
) -> tuple[list[Examined], np.ndarray]:
    """Each column on its own, and a hash (n,) of what each row holds in those that are kept."""
    examined, hashes = [], np.zeros(len(table), dtype=np.uint64)
    names = list(table.columns)
    for done, name in enumerate(names):
        tell(name, done, len(names))
        profile = profile_column(table.pop(name), text_format, sample, as_time=name == wanted.time)
        if name == wanted.time and profile.unreadable:
            raise DataRefused(f"{name}: {profile.unreadable:,} cells are no points in time")
        found = find_kind(profile)
        if name == wanted.identifier:
            found = ColumnFinding(name, "identifier", "context")
        leave_out(found, profile)
        if found.declared:
            describe_numbers(found, profile, values)
            hashes = hashes * np.uint64(1_000_003) ^ profile.take_hashes()
        profile.all_values = None
        examined.append(Examined(found, profile))
    return examined, hashes


def _accuse(examined: list[Examined], suspects: Suspects) -> None:
    for column in examined:
        usable = column.found.declared and column.found.kind != "identifier"
        if usable and not is_repeated_identifier(column.profile):
            suspects.examine(column.found, column.profile)
    leave_out_copies((column.found, column.profile) for column in examined)
    kept = [c for c in examined if c.found.declared and c.found.name in suspects.alone]
    suspects.examine_together([(column.found, column.profile) for column in kept])


def _count_duplicates(findings: TableFindings, hashes: np.ndarray, target: Profile) -> None:
    whole = hashes * np.uint64(1_000_003) ^ target.take_hashes()
    findings.duplicates = len(whole) - len(np.unique(whole))
    findings.drop_duplicates = 0 < findings.duplicates <= 0.05 * findings.rows


def _as_declared(column: Examined) -> pd.Series:
    """The sampled cells as the declaration reads them: whole numbers of a category as labels."""
    labels = column.found.kind in ("category", "identifier") and column.profile.written == "number"
    return column.profile.values.map(label_text).astype("str") if labels else column.profile.values
