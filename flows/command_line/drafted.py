"""What a person sees of a drafted and of a checked use case: one screen each."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from modelling.checkout import command, make
from modelling.declaration.use_case_files import is_found, place_of, seen_from_here
from modelling.drafting.columns.findings import TableFindings
from modelling.refusals import BrokenRule
from modelling.shown_text import one_line

SHOWN = 10


def title_of(findings: TableFindings) -> str:
    """What is predicted, in one line."""
    return one_line(f"{findings.name}: {findings.target.problem}, target {findings.target.name}")


def found_in(findings: TableFindings) -> Iterator[tuple[str, str]]:
    """How many rows and columns there are, and what was taken for granted."""
    unlabelled = f"; {findings.unlabelled:,} more without a label that can be learnt"
    yield "rows", f"{findings.rows:,}" + (unlabelled if findings.unlabelled else "")
    kinds = Counter(column.kind for column in findings.kept)
    shown = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    yield "columns", f"{len(findings.columns)}: {shown}; {len(findings.left_out)} left out"
    for said in (findings.target.reason, *findings.source.said, findings.split.reason):
        if said:
            yield "taken", one_line(said)


def show_draft(findings: TableFindings, file: Path) -> None:
    """What was found, what was left out and why, what is worth a look, and how to go on."""
    print(title_of(findings))
    for name, said in found_in(findings):
        print(f"  {name:12}{said}")
    for column in findings.left_out[:SHOWN]:
        print(f"  {'left out':12}{column.name!r}: {one_line(str(column.left_out))}")
    if more := findings.left_out[SHOWN:]:
        print(f"  {'':12}and {len(more)} more, in the file")
    print("Worth a look:")
    for number, said in enumerate(findings.worth_a_look, 1):
        print(f"  {number}. {one_line(said)}")
    print(f"Wrote {seen_from_here(file)}. {_placed(findings.name, file)}Correct it, then:")
    print(f"  {command('check', findings.name)}")
    print(f"  {_train(findings.name)}")


def _placed(name: str, file: Path) -> str:
    if is_found(name, file):
        return ""
    return f"Declarations are found in folders use_cases/: move it to use_cases/{name}.py here. "


def show_check(
    use_case: str,
    broken: Sequence[BrokenRule],
    facts: Mapping[str, int] | None,
    as_json: bool,
) -> None:
    """Each broken rule with its rows and the place where it stands; ``facts`` of a table that can
    be trained on, None of one that can't."""
    said = [{**asdict(rule), "file": place_of(use_case, rule.column)} for rule in broken]
    if as_json:
        answer: dict[str, Any] = {"use_case": use_case, "passed": facts is not None, "broken": said}
        print(json.dumps({**answer, **(facts or {})}, ensure_ascii=False))
        return
    for rule, one in zip(broken, said, strict=True):
        print(f"  {rule.word:12}{rule}")
        change = f"{rule.setting} in {one['file']}" if rule.setting else str(one["file"])
        todo = one_line(f"{rule.remedy}, in {one['file']}") if rule.remedy else ""
        print(f"  {'':12}{todo or f'correct the data, or change {change}'}")
    if facts is None:
        print(f"{use_case}: this table can't be trained on")
        return
    parts = ", ".join(f"{facts[part]:,} {part}" for part in ("train", "validation", "test"))
    print(f"  {'rows':12}{parts}")
    print(f"{use_case}: ready to train: {_train(use_case)}")


def _train(use_case: str) -> str:
    return make(f"train USE_CASE={use_case}", command("train", use_case))
