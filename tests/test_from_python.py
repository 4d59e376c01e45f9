"""The entry from Python: a frame goes the way of a file, and a result says what it is."""

import json
import os
import subprocess
import sys

import mlflow
import numpy as np
import prefect  # noqa: F401  as somebody may have imported it
import pytest
from conftest import REPOSITORY
from small_models import loan_table, loans

import finflows
from finflows import session
from finflows.display import Pictures
from finflows.given import declared_with
from modelling.data.fingerprint import fingerprint
from modelling.data.loading import read_table
from modelling.data.sources.frames import in_memory
from modelling.declaration import Source
from modelling.declaration.references import refuse_unreadable
from modelling.declaration.use_case_files import find_use_case
from tasks.tracking.pictures import pictures_of
from tasks.tracking.store import connect, experiment_id


@pytest.fixture(scope="module")
def table():
    return loan_table(600)


@pytest.fixture(scope="module")
def drafted(table):
    return finflows.draft(table, target="default", name="notebook_loans")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder of a notebook, with a folder ``use_cases`` of its own."""
    (tmp_path / "use_cases").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_importing_loads_nothing_heavy_and_leaves_the_streams_alone():
    code = """
import sys, finflows
before = sys.stdout.errors, sys.stderr.errors
finflows.session.configure()
assert (sys.stdout.errors, sys.stderr.errors) == before
heavy = {"tensorflow", "keras", "mlflow", "prefect", "great_expectations", "sklearn", "pandas"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)


def test_a_frame_is_read_like_the_file_of_it(table, tmp_path):
    table.to_csv(tmp_path / "loans.csv", index=False)
    labelled = table.assign(housing=table["housing"].astype("category")).set_index("branch")
    shuffled_labels = labelled.reset_index().set_index(np.arange(len(table))[::-1])
    of_file = finflows_prepared(loans(source=Source(uri=str(tmp_path / "loans.csv"))))
    for frame in (table, labelled, shuffled_labels):
        with declared_with(loans(), frame, {}) as given:
            prepared = finflows_prepared(given.as_trained)
        assert prepared.data_hash == of_file.data_hash
        assert fingerprint(prepared.parts.test) == fingerprint(of_file.parts.test)
        assert prepared.origin.startswith("memory:loans")
        assert "repeated only with it" in prepared.origin


def finflows_prepared(use_case):
    from tasks.preparation import prepare

    return prepare(use_case)


def test_a_frame_is_held_no_longer_than_it_is_used(table):
    with in_memory(table, "loans") as first, in_memory(table, "loans") as second:
        assert first != second
        assert len(read_table(Source(uri=first))) == len(table)
    refuse_unreadable(Source(uri=first))  # it is no path
    with pytest.raises(finflows.UsageError, match="give the frame again") as refused:
        read_table(Source(uri=first))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("frame", [[1], {"a": [1]}, "loans"])
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(finflows.UsageError, match="pandas DataFrame"):
        finflows.check(loans(), frame)


def test_a_draft_of_a_frame_says_what_it_takes(drafted, table):
    assert set(drafted.columns.index) == set(table.columns) - {"default"}
    assert drafted.use_case.name == "notebook_loans"
    assert "name the file or query" in drafted.text
    assert "left out" in repr(drafted)
    assert list(table) == list(loan_table(1))  # it is as it was


@pytest.mark.parametrize("positive", ["paid", "late"])
def test_the_label_to_be_found_may_be_said(table, positive):
    labelled = table.assign(default=table["default"].map({0: "paid", 1: "late"}))
    declared = finflows.draft(labelled, target="default", positive=positive).use_case
    assert declared.classes[1] == positive


def test_pictures_display_themselves_together_by_their_escaped_names():
    pictures = Pictures({"roc": b"png", "<b>": b"other"})
    assert len(pictures) == 2
    assert pictures._repr_html_().count("<img alt=") == 2
    assert 'alt="roc" width="600" src="data:image/png;base64,cG5n"' in pictures._repr_html_()
    assert "<b>" not in pictures._repr_html_()


def test_what_a_draft_displays_is_escaped(table):
    shown = finflows.draft(
        table.rename(columns={"branch": "<script>"}).assign(same=1), target="default"
    )._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_a_saved_draft_is_a_use_case_with_its_table(drafted, folder):
    file = drafted.save(table="loans.parquet")
    assert file == folder / "use_cases" / "notebook_loans.py"
    assert (folder / "loans.parquet").stat().st_mode & 0o077 == 0
    (folder / "elsewhere").mkdir()
    with pytest.raises(finflows.UsageError, match=r"loans.parquet is there already"):
        drafted.save(folder=folder / "elsewhere", table="loans.parquet")
    assert not [*(folder / "elsewhere").iterdir()]
    assert "name the file or query" not in file.read_text()
    assert finflows.check("notebook_loans").passed
    with pytest.raises(finflows.UsageError, match=r"force=True"):
        drafted.save()
    drafted.save(force=True)
    assert find_use_case("notebook_loans").source.uri == "notebook_loans.parquet"


def test_a_declaration_that_has_changed_is_read_anew(drafted, folder):
    file = drafted.save()
    before = find_use_case("notebook_loans")
    file.write_text(file.read_text().replace("Stratified()", "Stratified(seed=77)"))
    assert before.split.seed != 77
    assert find_use_case("notebook_loans").split.seed == 77


def test_a_draft_of_a_file_finds_it_from_wherever_it_is_saved(table, folder):
    table.to_csv("loans.csv", index=False)
    drafted = finflows.draft("loans.csv", target="default")
    assert drafted.name == "loans"
    assert finflows.check(drafted).passed
    (folder / "elsewhere").mkdir()
    assert '"../loans.csv"' in drafted.save(folder / "elsewhere").read_text()
    with pytest.raises(finflows.UsageError, match="not drafted from a frame"):
        drafted.save(table="again.parquet")
    assert [file.name for file in folder.glob("use_cases/*.py")] == []


def test_a_check_counts_what_is_broken_and_shows_no_value(drafted, table):
    passed = finflows.check(drafted)
    assert passed.passed
    assert sum(passed.rows.values()) == len(table)
    assert repr(passed).startswith("notebook_loans: ready to train\n  train         360 rows")
    broken = finflows.check(drafted, table.assign(age=table["age"] + 4711))
    assert not broken.passed
    assert repr(broken).startswith("notebook_loans: this table can't be trained on\n")
    assert (broken.broken.set_index("column").loc[["age"], "rows"] == len(table)).all()
    assert "4711" not in repr(broken) + broken._repr_html_()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda _: finflows.train("no_such_use_case"), "unknown use case"),
        (lambda d: finflows.train(d, settings={"training.epoch": 1}), "training.epochs"),
        (lambda _: finflows.check(42), "give a name"),
        (lambda d: finflows.draft(d.frame, target="defaul"), "did you mean 'default'"),
        (lambda d: finflows.draft(d.frame.head(0), target="default"), "holds no rows"),
    ],
)
def test_a_refusal_is_one_line_also_in_a_notebook(drafted, wrong, said):
    with pytest.raises((finflows.UsageError, finflows.DataRefused), match=said) as refused:
        wrong(drafted)
    (line,) = refused.value._render_traceback_()
    assert said in line
    assert "\n" not in line


@pytest.mark.services
def test_a_store_that_is_set_later_is_used_from_then_on(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = os.environ["MLFLOW_TRACKING_URI"]
    before = connect()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    number = experiment_id(connect(), "of_the_other_store")
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "deeper")  # the file stays the same
    location = connect().get_experiment(number).artifact_location
    assert location == (tmp_path / "artifacts").as_uri()
    assert (tmp_path / "other.db").exists()
    with pytest.raises(finflows.UsageError, match="no run"):
        pictures_of("0" * 32)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", first)
    assert connect() is before
    assert before.get_experiment_by_name("of_the_other_store") is None
    assert mlflow.get_tracking_uri() == first


@pytest.mark.parametrize("name", ["PREFECT_API_URL", "PREFECT_HOME"])
def test_another_prefect_is_refused(name, store, tmp_path, monkeypatch):
    value = {"PREFECT_API_URL": "http://127.0.0.1:1/api", "PREFECT_HOME": str(tmp_path)}[name]
    monkeypatch.setenv(name, value)
    with pytest.raises(finflows.UsageError, match=f"{name} was changed.*restart") as refused:
        session.start()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("named", ["./prefect", "prefect//", "~//prefect/./"])
def test_the_same_prefect_is_the_same_however_its_folder_is_written(named, monkeypatch):
    from prefect.settings import PREFECT_HOME, temporary_settings

    from flows.command_line.warm_up import prefect_settings, refuse_other_prefect

    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_HOME", named)
    with temporary_settings({PREFECT_HOME: named}):
        refuse_other_prefect(prefect_settings())
        monkeypatch.setenv("PREFECT_HOME", f"{named}/other")
        with pytest.raises(finflows.UsageError, match="PREFECT_HOME was changed"):
            refuse_other_prefect({})


def test_the_declarations_are_those_of_the_current_folder(drafted, tmp_path, monkeypatch):
    for seed in (1, 2):
        folder = tmp_path / str(seed) / "use_cases"
        folder.mkdir(parents=True)
        text = drafted.text.replace("Stratified()", f"Stratified(seed={seed})")
        (folder / "notebook_loans.py").write_text(text)
    for seed in (1, 2, 1):
        monkeypatch.chdir(tmp_path / str(seed))
        assert find_use_case("notebook_loans").split.seed == seed
    monkeypatch.chdir(tmp_path)
    with pytest.raises(finflows.UsageError, match="unknown use case"):
        find_use_case("notebook_loans")


def test_a_declaration_is_written_in_the_same_words():
    import finflows.declaration
    import modelling.declaration

    for name in modelling.declaration.__all__:
        assert getattr(finflows.declaration, name) is getattr(modelling.declaration, name)


@pytest.mark.services
def test_a_training_of_a_frame(drafted, table, folder, store, prefect_server):
    from flows.reproduce import reproduce_run

    drafted.save()
    trained = finflows.train(
        "notebook_loans", table, {"training.epochs": 2}, register=False, quiet=True
    )
    assert trained.metrics["roc_auc"] == trained.baselines.loc["roc_auc", "network"]
    assert list(trained.curve.index) == [1, 2]
    assert ("roc_auc", "linear") in trained.advantages.index
    assert all(picture.png.startswith(b"\x89PNG") for picture in trained.figures.values())
    assert {"learning_curve", "roc"} <= set(trained.figures)
    assert trained._repr_html_().count("<img") == len(trained.figures)
    with pytest.raises(finflows.UsageError, match="registered no model"):
        trained.model  # noqa: B018
    with pytest.raises(finflows.UsageError, match="was a frame in another Python"):
        reproduce_run(trained.run_id)


def test_the_notebook_of_the_documentation_holds_no_output():
    notebook = json.loads((REPOSITORY / "docs" / "notebook.ipynb").read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)


@pytest.mark.services
def test_the_notebook_of_the_documentation_runs(store, folder, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    from nbclient import NotebookClient

    notebook = nbformat.read(REPOSITORY / "docs" / "notebook.ipynb", as_version=4)
    settings = {"PYTHONPATH": str(REPOSITORY), "PREFECT_HOME": str(tmp_path / "prefect")}
    client = NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(folder)}}, kernel_name="python3"
    )
    client.execute(env={**os.environ, **settings})
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", ())]
    assert not [o for o in outputs if o.get("name") == "stderr"]
    assert any("image/png;base64" in o.get("data", {}).get("text/html", "") for o in outputs)
    assert (folder / "use_cases" / "loan_applications.py").exists()
