"""Write the dossier of a version: an artifact of its run at registration, a file for people."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import mlflow
from mlflow import MlflowClient
from prefect import task
from prefect.artifacts import create_link_artifact
from prefect.cache_policies import NO_CACHE

from modelling.figures.self_contained_page import self_contained_page
from modelling.judgement.evaluation import RequirementResult
from modelling.refusals import UsageError
from tasks.prefect_pages import show_in_prefect
from tasks.registry.champions import champion_of, history
from tasks.registry.dossier.facts import Facts, facts_of
from tasks.registry.dossier.markdown import table
from tasks.registry.dossier.sections import SECTIONS
from tasks.registry.file_hashes import sha256_of
from tasks.registry.promotion_history import (
    ChampionChange,
    refuse_absent_version,
    registered_versions,
)
from tasks.tracking.addresses import moved_store, ui_address
from tasks.tracking.descriptions import DOSSIER_FILE, dossier_page
from tasks.tracking.record import TrackedRun
from tasks.tracking.resuming import get_run
from tasks.tracking.store import connect
from tasks.tracking.unfinished_files import write_whole

HTML, MARKDOWN, REQUIREMENTS = DOSSIER_FILE, "dossier.md", "requirements.md"
OF_MARKDOWN = f"<!-- SHA-256 of {MARKDOWN}: "


class Dossier(NamedTuple):
    """The same text as Markdown and as a page."""

    markdown: str
    html: str


@task(name="dossier", cache_policy=NO_CACHE, persist_result=False)
def record_dossier(
    run: TrackedRun, name: str, version: str, fitness: Sequence[RequirementResult]
) -> None:
    """Write the dossier of a registered version to its run, before anybody decides about it: a
    request and its approval name its hash. ``fitness`` is what the version must meet."""
    rows = [(result.reason, "yes" if result.passed else "no") for result in fitness]
    run.log_text(table(("requirement", "met"), rows), REQUIREMENTS)
    dossier = dossier_of(run.client, name, version)
    run.log_text(dossier.markdown, MARKDOWN)
    run.log_text(dossier.html, HTML)
    show_in_prefect(
        create_link_artifact,
        key=f"{name.replace('_', '-')}-dossier",
        link=ui_address() + dossier_page(run.address),
        link_text=f"the dossier of version {version}",
        description="For the local store, run `finflows ui` first",
    )


def dossier_of(client: MlflowClient, name: str, version: str) -> Dossier:
    """The dossier of a version, from what its run recorded."""
    with facts_of(client, name, version) as facts:
        markdown = _as_markdown(facts)
        page = self_contained_page(markdown, _title(facts), facts.pictures())
        return Dossier(markdown, page + _last_line(markdown))


def _last_line(markdown: str) -> str:
    """Of the page: so its hash, which decisions name, is one of the Markdown, too."""
    return f"{OF_MARKDOWN}{sha256_of(markdown)} -->\n"


def _title(facts: Facts) -> str:
    return f"Dossier of {facts.name} version {facts.version.version}"


def _as_markdown(facts: Facts) -> str:
    introduction = (
        "Made by finance-flows from what the training recorded. Its sections are those of a model "
        "card; the numbers beside them are the points of Annex IV of Regulation (EU) 2024/1689 "
        "(AI Act) that each serves. What only people can know is theirs to fill in, and marked."
    )
    parts = [f"# {_title(facts)}", introduction]
    for section in SECTIONS:
        parts += [f"## {section.title}", f"*Annex IV: {section.points}*", section.write(facts)]
    return "\n\n".join(part for part in parts if part) + "\n"


class Written(NamedTuple):
    """Where a dossier was written, and what is to be said of it."""

    file: Path
    said: str


def write_dossier(name: str, version: str | None, output: Path | None) -> Written:
    """Write the dossier of ``version`` (by default the champion, else the newest) to ``output``, a
    page or with the suffix ``.md`` Markdown; by default ``NAME-VERSION.html``.

    It is the one that was recorded at registration, so that its hash is what was approved. Raises
    UsageError where there is no such version, its run or the folder of the store is gone, or the
    dossier is, by which somebody decided.
    """
    client = connect()
    known = registered_versions(client, name)
    champion = champion_of(client, name)
    version = version or str((champion or known[-1]).version)
    refuse_absent_version(name, version, known)
    file = output or Path(f"{name}-{version}.html")
    run = get_run(client, str(client.get_model_version(name, version).run_id))
    if where := moved_store(run.info.artifact_uri, 2):  # ID/artifacts
        raise UsageError(where)
    recorded = _recorded(client, run.info.run_id)
    decisions = [entry for entry in history(client, name) if version in _concerned(entry)]
    of_itself = [entry.dossier for entry in decisions if entry.version == version]
    decided_by = next((sha256 for sha256 in reversed(of_itself) if sha256), "")
    if recorded is None and decided_by:
        raise UsageError(
            f"the dossier of {name} version {version} is gone from its run {run.info.run_id}, and "
            f"it was decided by it (SHA-256 {decided_by}): find out who removed it"
        )
    dossier = recorded or dossier_of(client, name, version)
    write_whole(file, dossier.markdown if file.suffix.lower() == ".md" else dossier.html)
    if recorded is None:
        return Written(file, "made now: the version was registered without one")
    return Written(file, _decided(version, decisions, decided_by, recorded))


def _concerned(entry: ChampionChange) -> tuple[str | None, ...]:
    """The versions that a decision is about: also the champion that it replaced."""
    return (entry.version, entry.previous) if entry.changes_champion else (entry.version,)


def _recorded(client: MlflowClient, run_id: str) -> Dossier | None:
    files = {file.path for file in client.list_artifacts(run_id)}
    if not {HTML, MARKDOWN} <= files:
        return None
    texts = [mlflow.artifacts.load_text(f"runs:/{run_id}/{file}") for file in (MARKDOWN, HTML)]
    return Dossier(*texts)


def _decided(
    version: str, decisions: Sequence[ChampionChange], decided_by: str, dossier: Dossier
) -> str:
    """What was last decided about the version, and whether by this very dossier."""
    said, sha256 = "nobody has decided about it yet", sha256_of(dossier.html)
    if decisions:
        last = decisions[-1]
        replaced = "" if last.version == version else f"replaced by version {last.version}, "
        said = f"{replaced}{last.whose} at {last.at[:16]} UTC: {last.reason}"
    if decided_by and decided_by != sha256:
        said += ". THE DOSSIER HAS CHANGED SINCE"
    # The pages of earlier releases do not name their Markdown.
    if OF_MARKDOWN in dossier.html and not dossier.html.endswith(_last_line(dossier.markdown)):
        said += f". {MARKDOWN} IS NOT THE TEXT OF THE PAGE"
    return f"{said}; SHA-256 {sha256}"
