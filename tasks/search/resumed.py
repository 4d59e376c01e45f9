"""Whether an interrupted search can go on with what is declared now."""

import json
from typing import Any

import optuna

from modelling.declaration import UseCase
from modelling.refusals import UsageError

DECLARED = "declared"
# What the validation loss of a trial follows from, beside the table, whose hash is compared.
OF_TRIALS = {
    *(
        "problem",
        "target",
        "columns",
        "classes",
        "merge_classes",
        "derived",
        "unlabelled",
        "duplicates",
    ),
    *("split", "preprocessing", "network", "training", "target_kind", "lags", "search"),
}
OF_NONE = {"training": {"devices", "checkpoint_every_epochs"}}


def refuse_another_declaration(found: optuna.Study, use_case: UseCase) -> None:
    """Raises UsageError where the trials of a study were made with other settings, or of another
    search space; keeps those of a new study."""
    now = json.loads(use_case.model_dump_json(include=OF_TRIALS, exclude=OF_NONE))
    then = found.user_attrs.get(DECLARED)
    if then is None:
        found.set_user_attr(DECLARED, now)
        return
    for name in sorted(then.keys() & now.keys()):
        if then[name] != now[name]:
            raise UsageError(
                "this search was started with another declaration of "
                f"{_differing(name, then[name], now[name])}, so that its trials can't be compared "
                "with further ones: set it back to go on, or start the search anew"
            )


def _differing(name: str, then: Any, now: Any) -> str:
    """The dotted name of the first setting that differs."""
    if not (isinstance(then, dict) and isinstance(now, dict)):
        return name
    inner = sorted(n for n in {**then, **now} if then.get(n) != now.get(n))
    return f"{name}.{inner[0]}" if inner else name
