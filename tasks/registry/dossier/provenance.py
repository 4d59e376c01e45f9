"""Sections of where a version comes from: changes since the one before, and how to repeat it."""

import json

from mlflow.entities import Run

from modelling.judgement.metrics.metric import format_value
from tasks.registry.dossier.facts import Facts
from tasks.registry.dossier.markdown import flat, table

MOST_CHANGES = 40  # settings that a table lists
COMPARED_TAGS = ("data_hash", "git_commit", "lock_hash", "learning_curve")


def changes(facts: Facts) -> str:
    """What differs from the version before: settings, data, code, results."""
    if facts.before is None:
        return "This is the first version."
    if facts.run_before is None:
        return f"The run of version {facts.before.version} is gone, so nothing can be compared."
    now, then = flat(facts.declaration), flat(facts.declaration_before)
    differing = [key for key in {**then, **now} if now.get(key) != then.get(key)]
    rows = [(key, then.get(key, ""), now.get(key, "")) for key in differing[:MOST_CHANGES]]
    rows += _changed_tags(facts, facts.run_before) + _metrics(facts, facts.run_before)
    more = len(differing) - MOST_CHANGES
    left_out = f"\n\n{more} more settings differ." if more > 0 else ""
    return table(("", f"version {facts.before.version}", "this version"), rows) + left_out


def _changed_tags(facts: Facts, before: Run) -> list[tuple[str, str, str]]:
    tags = before.data.tags
    rows = [(name, tags.get(name, ""), facts.tag(name)) for name in COMPARED_TAGS]
    return [(name, then, now) for name, then, now in rows if then != now]


def _metrics(facts: Facts, before: Run) -> list[tuple[str, str, str]]:
    """The headline metrics that both runs have."""
    then, now = before.data.metrics, facts.run.data.metrics
    names = [f"test_{name}" for name in facts.declaration.get("headline", [])]
    return [
        (name, format_value(then[name]), format_value(now[name]))
        for name in names
        if name in then and name in now
    ]


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
