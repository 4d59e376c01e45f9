"""What MLflow's pages say of experiments, runs and models: names and descriptions for people."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from modelling.declaration import UseCase
from modelling.judgement.evaluation import RequirementResult, gate_state
from modelling.secrets import hide_secrets
from modelling.shown_text import shortened

DOSSIER_FILE = "dossier.html"
LONGEST_VALUE, LONGEST_NAME = 40, 200  # characters; the run's parameters are complete
LONGEST_VERDICT = 2000  # PostgreSQL takes 5,000 characters of a description in all


def run_name(subject: str, settings: Mapping[str, Any]) -> str:
    """``subject`` (a use case, a trial) with the settings that were changed:
    ``credit_scoring learning_rate=0.01 hidden_units=(32,16)``."""
    return shortened(f"{subject} {in_words(settings)}".rstrip(), LONGEST_NAME)


def in_words(settings: Mapping[str, Any]) -> str:
    """The settings by their short names, long values cut."""
    short = short_names(settings)
    return " ".join(f"{short[name]}={_shown(value)}" for name, value in settings.items())


def short_names(settings: Iterable[str]) -> dict[str, str]:
    """The last part of each setting's dotted name; the whole name where two end alike."""
    last = {name: name.rpartition(".")[2] for name in settings}
    ends = [*last.values()]
    return {name: end if ends.count(end) == 1 else name for name, end in last.items()}


def dated_run_name(subject: str, settings: Mapping[str, Any]) -> str:
    """``run_name``, or with the date where no setting was changed. The use case stands in both, so
    that runs of several experiments can be told apart in one list."""
    if settings:
        return run_name(subject, settings)
    return f"{subject} {datetime.now():%Y-%m-%d %H:%M}"


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return shortened(f"({','.join(_shown(part) for part in value)})", LONGEST_VALUE)
    text = hide_secrets(" ".join(str(value).split()))
    if "/" in text:  # of an address or a path, the end tells more
        text = text.rstrip("/").rpartition("/")[2]
    return shortened(text, LONGEST_VALUE)


def describe_experiment(use_case: UseCase) -> str:
    """The description of an experiment and its model: what is predicted, and how it is judged."""
    judged = f"Judged on test rows by {' and '.join(use_case.headline)}"
    if use_case.baselines:
        judged += f", beside {', '.join(use_case.baselines)}"
    if gate := use_case.gate:
        judged += f"; the gate wants {gate.metric} {gate.wanted}"
    return f"**{use_case.title}**\n\n{use_case.problem}, target {use_case.target}. {judged}."


def describe_version(
    use_case: UseCase, gate: RequirementResult, curve: str, run_address: str, promotion: str = ""
) -> str:
    """The description of a model's version: the verdicts on it, and a link to its run."""
    lines = [f"**{use_case.title}**", "", f"- gate {gate_state(gate)}: {gate.reason}"]
    lines += [f"- learning curve {curve}"]
    lines += [f"- {shortened(promotion, LONGEST_VERDICT)}"] if promotion else []
    # Links inside the page, whichever address the server has.
    run = run_address.removeprefix("/")
    dossier = dossier_page(run)
    return "\n".join([*lines, f"- [the run that trained it]({run})", f"- [dossier]({dossier})"])


def dossier_page(run_address: str) -> str:
    """The address of the dossier on the page of its run."""
    return f"{run_address.partition('?')[0]}/artifacts/{DOSSIER_FILE}"


def escape_markdown(typed: str) -> str:
    """What somebody typed, for Markdown, without links and pictures: who asks must not lead who
    decides to a page of his own."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", typed)
