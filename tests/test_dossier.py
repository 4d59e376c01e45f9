"""The dossier answers for a version: complete, in one file, and nothing in it is made up."""

import hashlib
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from small_models import run_of, small_model

from flows.train import train
from modelling.declaration import ModelCard
from modelling.refusals import UsageError
from tasks.registry.dossier import declaration, findings, provenance
from tasks.registry.dossier.dossiers import HTML, MARKDOWN, dossier_of, write_dossier
from tasks.registry.dossier.facts import Facts, facts_of
from tasks.registry.dossier.markdown import flat, table
from tasks.registry.dossier.sections import SECTIONS
from tasks.registry.promotion_history import append_entry
from tasks.tracking.addresses import folder_of
from tasks.tracking.record import REMEDY_SETTINGS

SERVICES = pytest.mark.services  # two trainings
NAME = "credit_scoring"


@pytest.fixture(scope="module")
def trained(store, prefect_server, credit_file):
    """Two versions, of which the second learns more slowly."""
    settings = {"training.epochs": 2, "source.uri": str(credit_file), "gate.at_least": 0.6}
    return [train(NAME, {**settings, "training.learning_rate": rate}) for rate in (0.002, 0.001)]


@pytest.fixture
def credit_run(trained):
    return trained[-1]


@pytest.fixture
def recorded(credit_run, client):
    """The dossier of the trained version, as its run has it: (version, Markdown, page)."""
    version = credit_run.model["version"]
    folder = Path(client.download_artifacts(credit_run.run_id, ""))
    return version, (folder / MARKDOWN).read_text(), (folder / HTML).read_text()


@SERVICES
def test_every_section_names_its_point_of_annex_iv(recorded):
    _, markdown, _ = recorded
    for section in SECTIONS:
        assert f"## {section.title}\n\n*Annex IV: {section.points}*" in markdown


@SERVICES
def test_what_only_people_know_is_a_blank(recorded):
    _, markdown, _ = recorded
    blanks = re.findall(r"to be filled in by a person: `card=ModelCard\((\w+)=", markdown)
    assert set(blanks) == set(ModelCard.model_fields)


@SERVICES
def test_the_facts_are_those_of_the_run(recorded, credit_run, client):
    version, markdown, _ = recorded
    run = client.get_run(credit_run.run_id)
    assert f"{NAME} version {version}" in markdown
    assert run.data.tags["data_hash"] in markdown
    assert run.data.tags["learning_curve_evidence"] in markdown
    assert f"{credit_run.metrics['roc_auc']:.4f}" in markdown
    assert f"finflows reproduce {credit_run.run_id}" in markdown
    assert "| the learning curve is" in markdown


@SERVICES
def test_the_page_needs_no_other_file(recorded):
    _, _, page = recorded
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert addresses
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in addresses)
    assert "<script" not in page


@SERVICES
def test_a_file_for_people_is_the_recorded_one(recorded, tmp_path):
    version, markdown, page = recorded
    written = write_dossier(NAME, version, tmp_path / "dossier.html")
    assert written.file.read_text() == page
    assert hashlib.sha256(page.encode()).hexdigest() in written.said
    assert write_dossier(NAME, version, tmp_path / "dossier.md").file.read_text() == markdown
    with pytest.raises(UsageError, match="credit_scoring has no version 99; versions: "):
        write_dossier(NAME, "99", tmp_path / "none.html")


@SERVICES
def test_the_same_facts_give_the_same_dossier(recorded, client):
    version, markdown, _ = recorded
    assert dossier_of(client, NAME, version).markdown == markdown


def test_text_of_a_declaration_is_no_markup():
    assert table(("a",), [("x | y\nz",)]) == "| a |\n|---|\n| x \\| y z |"
    assert flat({"a": {"b": 1}, "c": [{"name": "n", "d": 2}], "e": []}) == {
        "a.b": 1,
        "c.n.name": "n",
        "c.n.d": 2,
        "e": [],
    }


@SERVICES
def test_it_says_what_changed_since_the_version_before(trained, client):
    second = dossier_of(client, NAME, trained[-1].model["version"]).markdown
    assert f"| version {trained[0].model['version']} | this version |" in second
    assert "| training.learning_rate | 0.002 | 0.001 |" in second
    assert "| training.epochs |" not in second.partition("## Changes")[2]


def test_the_run_of_the_version_before_may_be_gone(client):
    experiment, name = client.create_experiment("run-is-gone"), "run-is-gone"
    client.create_registered_model(name)
    runs = [client.create_run(experiment).info for _ in range(2)]
    for run in runs:
        client.log_text(run.run_id, "{}", "declaration.json")
        client.create_model_version(name, f"{run.artifact_uri}/model", run.run_id)
    with facts_of(client, name, "2") as known:
        assert "gone" not in provenance.changes(known)
    client._tracking_client.store._hard_delete_run(runs[0].run_id)  # as `mlflow gc` does
    with facts_of(client, name, "2") as known:
        assert provenance.changes(known).startswith("The run of version 1 is gone")


def test_results_of_two_versions_are_written_as_everywhere(tmp_path):
    def run(loss, brier):
        metrics = {"test_rmse": loss, "test_brier": brier}
        return SimpleNamespace(data=SimpleNamespace(tags={}, metrics=metrics))

    (tmp_path / "declaration.json").write_text(json.dumps({"headline": ["rmse", "brier"]}))
    now, then = run(12106789.4, 0.00002), run(13000000.0, 0.1)
    now.data.tags[REMEDY_SETTINGS] = "{}"
    before = SimpleNamespace(version="1")
    told = provenance.changes(Facts(SimpleNamespace(), now, tmp_path, before, then, {}))
    assert "| test_rmse | 13,000,000 | 12,106,789 |" in told
    assert "| test_brier | 0.1000 | 2e-05 |" in told


@pytest.fixture
def decided_about(client, prefect_server, tmp_path):
    """A version that became champion after its dossier was recorded: (name, version, run)."""
    small = small_model(tmp_path / "model", name="decided_about")
    with run_of(small.trained.use_case) as run:
        version = small.register(run)
        dossier = dossier_of(client, "decided_about", version)
        client.log_text(run.run_id, dossier.markdown, MARKDOWN)
        client.log_text(run.run_id, dossier.html, HTML)
        assert small.judge(run, version).promoted
    yield "decided_about", version, run.run_id
    client.delete_registered_model("decided_about")


def test_a_dossier_that_is_not_the_one_of_a_decision_is_not_passed_off_as_it(
    decided_about, client, tmp_path
):
    name, version, run_id = decided_about
    page, text = tmp_path / "page.html", tmp_path / "text.md"

    def said(file=page):
        return write_dossier(name, version, file).said

    assert "SINCE" not in said()
    assert "IS NOT" not in said(text)
    assert said().startswith("promoted in a training by ")
    client.create_model_version(name, "file:///nowhere", run_id)
    append_entry(client, name, "2", "complaints", "manual", "anna")
    assert said().startswith("replaced by version 2, promoted by anna")
    client.log_text(run_id, text.read_text() + "No limits.", MARKDOWN)
    assert "dossier.md IS NOT THE TEXT OF THE PAGE" in said(text)
    client.log_text(run_id, page.read_text().replace("Dossier", "dossier"), HTML)
    assert "THE DOSSIER HAS CHANGED SINCE" in said()
    artifacts = folder_of(client.get_run(run_id).info.artifact_uri)
    (artifacts / HTML).unlink()
    with pytest.raises(UsageError, match=f"dossier of {name} version {version} is gone from"):
        said()
    client._tracking_client.store._hard_delete_run(run_id)  # as `mlflow gc` does
    with pytest.raises(UsageError, match=f"there is no run {run_id}"):
        said()


def run_with(tags):
    return SimpleNamespace(data=SimpleNamespace(tags=tags))


def facts(folder, tags=None):
    return Facts(SimpleNamespace(name="loans"), run_with(tags or {}), folder, None, None, {})


def test_the_settings_are_those_that_the_remedies_left(tmp_path):
    declared = {"training": {"learning_rate": 0.1, "epochs": 9}}
    (tmp_path / "declaration.json").write_text(json.dumps(declared))
    tags = {REMEDY_SETTINGS: json.dumps({"training.learning_rate": 0.01})}
    trained = facts(tmp_path, tags).declaration["training"]
    assert trained == {"learning_rate": 0.01, "epochs": 9}


def test_names_with_commas_and_declared_zeros_are_kept(tmp_path):
    (tmp_path / "judgement").mkdir()
    table = 'column,rise,low,high\n"income, net",0.5,0.25,0.75\n'
    (tmp_path / "judgement" / "importance.csv").write_text(table)
    assert "| income, net | 0.5 | 0.25 | 0.75 |" in findings.reasons(facts(tmp_path))
    column = {"name": "income, net", "kind": "number", "minimum": 0.0, "usual": None, "note": ""}
    (tmp_path / "declaration.json").write_text(json.dumps({"columns": [column]}))
    assert "| income, net | number | feature | minimum 0 |" in declaration.columns(facts(tmp_path))


def test_what_nearly_every_column_declares_is_said_once(tmp_path):
    usual = {"missing_at_most": 0.5, "unknown_at_most": 0.05}
    columns = [
        {"name": "a", "kind": "category", "categories": ["RENT", "OWN"], **usual},
        {"name": "b", "kind": "number", "usual": [1.0, 2.5], **usual, "missing_at_most": 0.95},
    ]
    (tmp_path / "declaration.json").write_text(json.dumps({"columns": columns}))
    told = declaration.columns(facts(tmp_path))
    assert "`missing_at_most` is 0.5, `unknown_at_most` is 0.05." in told
    assert "| a | category | feature | categories RENT, OWN |" in told
    assert "| b | number | feature | usual 1, 2.5; missing_at_most 0.95 |" in told


def test_a_table_is_for_people():
    """Lists and flags without the brackets and quotes of a program, numbers under each other."""
    told = table(("name", "share"), [("A, B", 0.25), (["C", "D"], 3.0), (True, -1)])
    lines = ["| name | share |", "|---|---:|", "| A, B | 0.25 |", "| C, D | 3 |", "| yes | -1 |"]
    assert told.splitlines() == lines
    assert table(("name", "share"), []).splitlines()[1] == "|---|---|"


def test_a_cut_off_is_said_only_of_what_is_decided_by_one(tmp_path):
    rule = {"method": "cut_off", "cut_off": 0.5}

    def said(problem, **declared):
        declared = {"problem": problem, "decision": rule, "approval_days": 14, **declared}
        (tmp_path / "declaration.json").write_text(json.dumps(declared))
        return declaration.decision(facts(tmp_path))

    assert "| decision.cut_off | 0.5 |" in said("binary")
    assert "| decision | the class with the largest probability |" in said("multiclass")
    assert "| decision | none: the answer is a forecast |" in said("regression")
    assert "cut_off" not in said("multiclass") + said("regression")
    assert "approval_days" not in said("binary", approval="automatic")
    assert "| approval_days | 14 |" in said("binary", approval="second_person")
