"""Sections of what the training found: data, curve, results, groups, leaks, requirements."""

import json

from tasks.registry.dossier.declaration import blank
from tasks.registry.dossier.facts import Facts
from tasks.registry.dossier.markdown import pictures, settings_table, table

EXPLANATIONS = ("importance", "partial_dependence")
ELSEWHERE = ("importance", "partial dependence", "groups ")  # pictures of other sections


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
    split = settings_table({"split": facts.declaration.get("split", {})})
    rules = facts.text("validation_report.md")
    return "\n\n".join([table(("", ""), known), "### Split", split, "### Rules", rules])


def training(facts: Facts) -> str:
    verdict = f"**{facts.tag('learning_curve')}**: {facts.tag('learning_curve_evidence')}."
    return "\n\n".join([verdict, pictures(facts, "learning_curve.png")])


def results(facts: Facts) -> str:
    """The metrics beside the baselines, the decision with what it costs, and the pictures."""
    parts = ["", *facts.report_sections("Decision", "Metrics")]
    parts[0] = facts.report_head
    return "\n\n".join([*parts, pictures(facts, "judgement/*.png", but=ELSEWHERE)])


def groups(facts: Facts) -> str:
    """How each group of customers is treated, and what features tell of it."""
    found = facts.report_sections("Groups")
    absent = 'No column with `role="protected"` and no `groups` are declared.'
    return "\n\n".join([*(found or [absent]), pictures(facts, "judgement/groups_*.png")])


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
    return "\n\n".join([told, pictures(facts, *(f"judgement/{name}.png" for name in EXPLANATIONS))])


def _short(number: str) -> str:
    return f"{int(number):,}" if number.isdecimal() else f"{float(number):.3g}"


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
    if not rows:
        return "No direction is declared."
    titles = [title.replace("_", " ") for title in rows[0]]
    return table(tuple(titles), [(*row[:2], *map(_short, row[2:])) for row in rows[1:]])


def requirements(facts: Facts) -> str:
    """The gate and what a version must meet before it may serve, as they were found."""
    gate = f"Gate {facts.tag('gate')}: {facts.tag('gate_reason')}."
    after = f"`finflows champion {facts.name}` prints who made which version champion, and why."
    return "\n\n".join([gate, facts.text("requirements.md"), after])
