"""Sections of what people declared: purpose, decision, columns, network, known limits."""

from collections.abc import Mapping
from typing import Any

from modelling.declaration import Column
from tasks.registry.dossier.facts import Facts
from tasks.registry.dossier.markdown import NOTHING, cell, settings_table, table

# What nearly every column has, and is said once.
USUAL_SHARES = {
    name: Column.model_fields[name].default for name in ("missing_at_most", "unknown_at_most")
}
# Of what has no cut-off.
UNDECLARED_DECISIONS = {
    "multiclass": "the class with the largest probability",
    "regression": "none: the answer is a forecast",
}


def blank(facts: Facts, field: str) -> str:
    """What a person declared, or a blank that says where a person fills it in."""
    where = f'`card=ModelCard({field}="...")` in `use_cases/{facts.name}.py`'
    return facts.card(field) or f"**[ to be filled in by a person: {where} ]**"


def model_details(facts: Facts) -> str:
    declared = facts.declaration
    beyond = ", and changes that are in no commit" if facts.tag("git_dirty") == "true" else ""
    rows = [
        ("Model", f"{facts.name} version {facts.version.version}"),
        ("Title", declared.get("title", "")),
        ("Owner", blank(facts, "owner")),
        ("Predicts", f"`{declared.get('target')}` ({declared.get('problem')})"),
        ("Classes", declared.get("classes") or "none"),
        ("Trained", f"MLflow run `{facts.run.info.run_id}`"),
        ("Program", f"finance-flows {facts.tag('finflows_version')}"),
        ("Code", f"commit `{facts.tag('git_commit')}`{beyond}"),
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
    return settings_table(said)


def columns(facts: Facts) -> str:
    """The columns and what is declared of them: never a customer's value."""
    declared = facts.declaration.get("columns", [])
    rows = [
        (one["name"], one.get("kind", ""), one.get("role", "feature"), _declared_facts(one))
        for one in declared
    ]
    usual = ", ".join(f"`{name}` is {value:g}" for name, value in USUAL_SHARES.items())
    said = f"Where a column says nothing else, {usual}."
    return f"{said}\n\n{table(('column', 'kind', 'role', 'declared'), rows)}"


def _declared_facts(column: Mapping[str, Any]) -> str:
    plain = {"name", "kind", "role"}
    facts = {
        key: value
        for key, value in column.items()
        if key not in plain and value not in NOTHING and value != USUAL_SHARES.get(key)
    }
    return "; ".join(f"{key} {cell(value)}" for key, value in facts.items())


def network(facts: Facts) -> str:
    declared = facts.declaration
    parts = ("preprocessing", "network", "training")
    settings = settings_table({name: declared.get(name, {}) for name in parts})
    summary = facts.text("model_summary.txt")
    return settings + (f"\n\n```text\n{summary}\n```" if summary else "")


def ethics(facts: Facts) -> str:
    said = f"**Whom it may harm.** {blank(facts, 'ethics')}"
    return f"{said}\n\n**Human oversight.** {blank(facts, 'oversight')}"


def caveats(facts: Facts) -> str:
    return (
        f"**Known limits.** {blank(facts, 'limits')}\n\n**Watching.** {blank(facts, 'monitoring')}"
    )
