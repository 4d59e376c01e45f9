"""The sections of a dossier: those of a model card, with the point of Annex IV that each serves.

References
----------
Mitchell et al. (2019), "Model cards for model reporting".
Regulation (EU) 2024/1689 (AI Act), Annex IV: technical documentation of high-risk systems.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from modelling.shown_text import table_cell
from tasks.registry.dossier.facts import Facts

MOST_CHANGES = 40  # settings that a table lists
# Of what has no cut-off.
UNDECLARED_DECISIONS = {
    "multiclass": "the class with the largest probability",
    "regression": "none: the answer is a forecast",
}
NOTHING: tuple[object, ...] = (None, "", [], {})
MODEL = ("importance", "partial_dependence")
ELSEWHERE = ("importance", "partial dependence", "groups ")  # pictures of other sections


class Section(NamedTuple):
    """A section: its heading, the points of Annex IV that it serves, and its Markdown."""

    title: str
    points: str
    write: Callable[[Facts], str]


def blank(facts: Facts, field: str) -> str:
    """What a person declared, or a blank that says where a person fills it in."""
    where = f'`card=ModelCard({field}="...")` in `use_cases/{facts.name}.py`'
    return facts.card(field) or f"**[ to be filled in by a person: {where} ]**"


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    text = json.dumps(value) if isinstance(value, list | dict | bool) else str(value)
    return table_cell(text.replace("\n", " "))


def _pictures(facts: Facts, *patterns: str, but: tuple[str, ...] = ()) -> str:
    files = [file for pattern in patterns for file in facts.pictures(pattern)]
    files = [file for file in files if not _title_of(file).startswith(but or ("/",))]
    return "\n\n".join(f"![{_title_of(file)}]({file})" for file in files)


def _title_of(file: str) -> str:
    return file.rpartition("/")[2].removesuffix(".png").replace("_", " ")


def _settings(declared: Mapping[str, Any]) -> str:
    said = {
        name: value for name, value in flat(declared).items() if value not in (None, "", [], {})
    }
    return table(("setting", "value"), said.items())


def flat(declared: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted name; columns and rules by their place."""
    found: dict[str, Any] = {}
    for key, value in declared.items():
        name = f"{prefix}{key}"
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = {str(one.get("name", place)): one for place, one in enumerate(value)}
        found |= flat(value, f"{name}.") if isinstance(value, dict) and value else {name: value}
    return found


def model_details(facts: Facts) -> str:
    declared = facts.declaration
    rows = [
        ("Model", f"{facts.name} version {facts.version.version}"),
        ("Title", declared.get("title", "")),
        ("Owner", blank(facts, "owner")),
        ("Predicts", f"`{declared.get('target')}` ({declared.get('problem')})"),
        ("Classes", declared.get("classes") or "none"),
        ("Trained", f"MLflow run `{facts.run.info.run_id}`"),
        ("Program", f"finance-flows {facts.tag('finflows_version')}"),
        ("Code", f"commit `{facts.tag('git_commit')}`, changed since: {facts.tag('git_dirty')}"),
    ]
    return table(("", ""), rows)


def intended_use(facts: Facts) -> str:
    lines = [f"**Purpose.** {blank(facts, 'purpose')}", f"**Users.** {blank(facts, 'users')}"]
    return "\n\n".join([*lines, f"**Out of scope.** {blank(facts, 'out_of_scope')}"])


def decision(facts: Facts) -> str:
    """How an answer becomes a decision, and by what it is judged."""
    declared = facts.declaration
    parts = ("decision", "costs", "headline", "baselines", "gate", "approval", "approval_days")
    said = {name: declared[name] for name in parts if declared.get(name)}
    if (problem := declared.get("problem")) in UNDECLARED_DECISIONS:
        said["decision"] = UNDECLARED_DECISIONS[problem]
    if said.get("approval") == "automatic":
        said.pop("approval_days", None)
    return _settings(said)


def data(facts: Facts) -> str:
    """Source, rows, split, rules and what broke: counts only."""
    inputs = facts.run.inputs.dataset_inputs if facts.run.inputs else []
    rows = {one.dataset.name: json.loads(one.dataset.profile or "{}")["num_rows"] for one in inputs}
    sources = {json.loads(one.dataset.source)["uri"] for one in inputs}
    known = [
        ("Source", ", ".join(sorted(sources))),
        ("Period", blank(facts, "data_period")),
        ("Rows", ", ".join(f"{count:,} {part}" for part, count in rows.items())),
        ("Fingerprint", f"`{facts.tag('data_hash')}`"),
    ]
    split = _settings({"split": facts.declaration.get("split", {})})
    rules = facts.text("validation_report.md")
    return "\n\n".join([table(("", ""), known), "### Split", split, "### Rules", rules])


def columns(facts: Facts) -> str:
    """The columns and what is declared of them: never a customer's value."""
    declared = facts.declaration.get("columns", [])
    rows = [
        (one["name"], one.get("kind", ""), one.get("role", "feature"), _declared_facts(one))
        for one in declared
    ]
    return table(("column", "kind", "role", "declared"), rows)


def _declared_facts(column: Mapping[str, Any]) -> str:
    plain = {"name", "kind", "role"}
    facts = {k: value for k, value in column.items() if k not in plain and value not in NOTHING}
    return ", ".join(f"{key} {_cell(value)}" for key, value in facts.items())


def network(facts: Facts) -> str:
    declared = facts.declaration
    parts = ("preprocessing", "network", "training")
    settings = _settings({name: declared.get(name, {}) for name in parts})
    summary = facts.text("model_summary.txt")
    return settings + (f"\n\n```text\n{summary}\n```" if summary else "")


def training(facts: Facts) -> str:
    verdict = f"**{facts.tag('learning_curve')}**: {facts.tag('learning_curve_evidence')}."
    return "\n\n".join([verdict, _pictures(facts, "learning_curve.png")])


def results(facts: Facts) -> str:
    """The metrics beside the baselines, the decision with what it costs, and the pictures."""
    parts = ["", *facts.report_sections("Decision", "Metrics")]
    parts[0] = facts.report_head
    return "\n\n".join([*parts, _pictures(facts, "judgement/*.png", but=ELSEWHERE)])


def groups(facts: Facts) -> str:
    """How each group of customers is treated, and what features tell of it."""
    found = facts.report_sections("Groups")
    absent = 'No column with `role="protected"` and no `groups` are declared.'
    return "\n\n".join([*(found or [absent]), _pictures(facts, "judgement/groups_*.png")])


def slices(facts: Facts) -> str:
    """The segments in which the model is worst."""
    found = facts.report_sections("Where the model is weak")
    return found[0] if found else "No segments were judged in this run."


def reasons(facts: Facts) -> str:
    """What the model rests on, and how its answer moves along the columns that matter."""
    rows = facts.rows("judgement/importance.csv")
    if not rows:
        return "This run recorded no importance of columns."
    told = table(tuple(rows[0]), [(name, *map(_short, numbers)) for name, *numbers in rows[1:]])
    return "\n\n".join([told, _pictures(facts, *(f"judgement/{name}.png" for name in MODEL))])


def _short(number: str) -> str:
    return f"{float(number):.3g}"


def leaks(facts: Facts) -> str:
    """What was suspected after training; what was found before it stands among the rules."""
    before = (
        "Columns, missing cells, dates and row numbers that give the target away, and equal rows "
        "on both sides of the split, are looked for before training, and stand among the rules."
    )
    after = facts.tag("leak_suspected") or "not looked for"
    allowed = [
        (one["name"], one["known_leak_free"])
        for one in facts.declaration.get("columns", [])
        if one.get("known_leak_free")
    ]
    said = table(("declared to be free of a leak", "reason"), allowed) if allowed else ""
    return "\n\n".join([before, f"Suspected from the learning curve: {after}.", said]).strip()


def directions(facts: Facts) -> str:
    """The columns with which the score may only rise or fall, and the sweep that shows it."""
    rows = facts.rows("directions.csv")
    return table(tuple(rows[0]), map(tuple, rows[1:])) if rows else "No direction is declared."


def ethics(facts: Facts) -> str:
    said = f"**Whom it may harm.** {blank(facts, 'ethics')}"
    return f"{said}\n\n**Human oversight.** {blank(facts, 'oversight')}"


def caveats(facts: Facts) -> str:
    return (
        f"**Known limits.** {blank(facts, 'limits')}\n\n**Watching.** {blank(facts, 'monitoring')}"
    )


def requirements(facts: Facts) -> str:
    """The gate and what a version must meet before it may serve, as they were found."""
    gate = f"Gate {facts.tag('gate')}: {facts.tag('gate_reason')}."
    after = f"`finflows champion {facts.name}` prints who made which version champion, and why."
    return "\n\n".join([gate, facts.text("requirements.md"), after])


def changes(facts: Facts) -> str:
    """What differs from the version before: settings, data, code, results."""
    if facts.before is None:
        return "This is the first version."
    if facts.run_before is None:
        return f"The run of version {facts.before.version} is gone, so nothing can be compared."
    now, then = flat(facts.declaration), flat(facts.declaration_before)
    differing = [key for key in {**then, **now} if now.get(key) != then.get(key)]
    rows = [(key, then.get(key, ""), now.get(key, "")) for key in differing[:MOST_CHANGES]]
    tags = ("data_hash", "git_commit", "lock_hash", "learning_curve")
    before = facts.run_before.data
    rows += [
        (name, before.tags.get(name, ""), facts.tag(name))
        for name in tags
        if before.tags.get(name, "") != facts.tag(name)
    ]
    metrics = [f"test_{name}" for name in facts.declaration.get("headline", [])]
    rows += [
        (name, f"{before.metrics[name]:.4f}", f"{facts.run.data.metrics[name]:.4f}")
        for name in metrics
        if name in before.metrics and name in facts.run.data.metrics
    ]
    more = len(differing) - MOST_CHANGES
    left_out = f"\n\n{more} more settings differ." if more > 0 else ""
    return table(("", f"version {facts.before.version}", "this version"), rows) + left_out


def reproduction(facts: Facts) -> str:
    """Environment, hashes, and the command that trains it again."""
    known = [("Lock", facts.tag("lock_hash")), ("Weights", facts.tag("weights_hash"))]
    known += [("Seed", facts.tag("seed"))]
    files = json.loads(facts.version.tags.get("files_sha256", "{}"))
    return "\n\n".join(
        [
            f"```sh\nfinflows reproduce {facts.run.info.run_id}\n```",
            table(("", ""), known),
            table(("file of the model", "SHA-256"), ((f, f"`{sha}`") for f, sha in files.items())),
        ]
    )


SECTIONS = (
    Section("Model details", "1", model_details),
    Section("Intended use", "1(a), 2(b)", intended_use),
    Section("Metrics and decision", "2(b), 4", decision),
    Section("Training and evaluation data", "2(d)", data),
    Section("Columns", "2(d), 3", columns),
    Section("Preprocessing and network", "2(b), 2(c)", network),
    Section("Training and learning curve", "2(b), 2(g)", training),
    Section("Quantitative analyses", "2(g), 3", results),
    Section("Factors: groups", "2(g), 3", groups),
    Section("Factors: slices", "2(g), 3", slices),
    Section("Why the model says so", "2(e), 3", reasons),
    Section("Directions", "2(b), 2(g)", directions),
    Section("Leaks", "2(g)", leaks),
    Section("Ethical considerations and human oversight", "2(e), 5", ethics),
    Section("Caveats and recommendations", "3, 9", caveats),
    Section("Gate and requirements", "2(g), 4", requirements),
    Section("Changes since the version before", "6", changes),
    Section("Environment and reproduction", "2(a), 2(h)", reproduction),
)
