"""The artifact is what was judged: no file of a registered version can change unseen."""

import hashlib
import importlib.util
import json
import os
import shutil
import zipfile
from importlib._bootstrap_external import _code_to_timestamp_pyc
from pathlib import Path

import mlflow
import pytest
from small_models import loan_table, register_and_judge

from modelling.refusals import UsageError
from tasks.registry.approvals import promote_manually
from tasks.registry.file_hashes import HASHES_TAG
from tasks.registry.locked_requirements import locked_requirements
from tasks.registry.model_files import load_version, verified_files
from tasks.registry.reproduction import compare_runs
from tasks.registry.scoring_runs import load_registered
from tasks.registry.serving.environments import READY, prepare_environment, server_requirements
from tasks.registry.serving.prepared_server import prepare_serving
from tasks.tracking.addresses import folder_of, local_folder
from tasks.upkeep.health import check_history, check_models

pytestmark = pytest.mark.usefixtures("store", "prefect_server")
NAME = "guarded"
CODE = "import os; os.environ['OWNED'] = 'yes'\n"


@pytest.fixture(scope="module")
def registered(store, prefect_server):
    register_and_judge(name=NAME)
    yield
    mlflow.MlflowClient().delete_registered_model(NAME)


@pytest.fixture
def files(registered, client, monkeypatch, tmp_path):
    """Where the files of the champion lie, to be put back afterwards."""
    monkeypatch.setenv("OWNED", "no")
    folder = folder_of(client.get_model_version_download_uri(NAME, "1"))
    shutil.copytree(folder, tmp_path / "kept")
    yield folder
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "kept", folder)


def owned():
    return os.environ["OWNED"] != "no"


def append(file, text):
    file.write_text(file.read_text() + text)


def add_code_to_the_contract(files):
    append(files / "artifacts/scorer/contract.py", CODE)


def add_code_to_the_model(files):
    append(files / "registered_model.py", CODE)


def change_the_cut_off(files):
    scorer = files / "artifacts/scorer/scorer.json"
    scorer.write_text(json.dumps(json.loads(scorer.read_text()) | {"cut_off": 0.99}))


def add_a_file(files):
    (files / "artifacts/scorer/sitecustomize.py").write_text(CODE)


def remove_a_file(files):
    (files / "input_example.json").unlink()


def change_the_requirements(files):
    append(files / "requirements.txt", "another-package==1.0\n")


ATTACKS = {
    add_code_to_the_contract: "artifacts/scorer/contract.py",
    add_code_to_the_model: "registered_model.py",
    change_the_cut_off: "artifacts/scorer/scorer.json",
    add_a_file: "artifacts/scorer/sitecustomize.py",
    remove_a_file: "input_example.json",
    change_the_requirements: "requirements.txt",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_whatever_changed_is_named_and_nothing_of_it_runs(attack, files, client):
    attack(files)
    said = f"the file {ATTACKS[attack]} of {NAME} version 1 is not what was registered"
    for use in (load_version, load_registered, prepare_serving):
        with pytest.raises(UsageError, match=said):
            use(NAME, "1")
    with pytest.raises(UsageError, match=said):
        promote_manually(NAME, "1", "anyway")
    assert not owned()
    assert said in check_models().finding
    run_id = client.get_model_version(NAME, "1").run_id
    ((name, _, found),) = compare_runs(run_id, run_id).differences
    assert name == "files of version 1"
    assert said in found


def test_compiled_code_that_somebody_laid_beside_the_model_does_not_run(files):
    """Python believes it where it names the time and the size of the source."""
    source = files / "registered_model.py"
    code = compile(source.read_text() + CODE, str(source), "exec")
    facts = source.stat()
    compiled = Path(importlib.util.cache_from_source(str(source)))
    compiled.parent.mkdir(exist_ok=True)
    compiled.write_bytes(_code_to_timestamp_pyc(code, int(facts.st_mtime), facts.st_size))
    assert len(load_version(NAME, "1").predict(loan_table(3))) == 3
    assert not owned()
    mlflow.pyfunc.load_model(str(files))
    assert owned(), "MLflow alone runs it"


def test_a_version_of_old_without_hashes_loads_and_says_so(files, client, caplog):
    tag = client.get_model_version(NAME, "1").tags[HASHES_TAG]
    client.delete_model_version_tag(NAME, "1", HASHES_TAG)
    try:
        assert len(load_version(NAME, "1").predict(loan_table(3))) == 3
        load_version(NAME, "1")
        assert caplog.text.count(f"{NAME} version 1 was registered without hashes") == 1
        assert "1 registered without hashes" in check_models().finding
    finally:
        client.set_model_version_tag(NAME, "1", HASHES_TAG, tag)


def test_a_gap_in_the_history_of_a_champion_is_found_by_doctor(registered, client):
    ((key, text),) = [
        one for one in client.get_model_version(NAME, "1").tags.items() if "champion_at" in one[0]
    ]
    client.delete_model_version_tag(NAME, "1", key)
    assert f"{NAME}: all entries are missing" in check_history().finding
    client.set_model_version_tag(NAME, "1", key, text)
    assert NAME not in check_history().finding


def with_an_environment(name):
    """The interpreter of the tests in the place of the one that would take a minute to build."""
    home = local_folder() / "serving"
    with verified_files(name, "1") as folder:
        listed = (folder / "requirements.txt").read_text() + server_requirements()
    digest = hashlib.sha256(listed.encode()).hexdigest()[:12]
    environment = home / f"environment-{digest}"
    environment.mkdir(parents=True, exist_ok=True)
    (environment / READY).touch()
    return environment


@pytest.mark.services
def test_a_version_that_is_made_again_is_not_answered_by_the_old_network(client):
    served = []
    for noise in (0.0, 1.0):
        register_and_judge(noise=noise, name="again", gate=None)
        environment = with_an_environment("again")
        served.append(prepare_serving("again", "1").model_folder)
        client.delete_registered_model("again")
    old, new = [(one / "artifacts/scorer/network.onnx").read_bytes() for one in served]
    assert old != new
    shutil.rmtree(environment)


def test_the_copy_that_is_served_is_looked_at_too(registered):
    environment = with_an_environment(NAME)
    folder = prepare_serving(NAME).model_folder
    assert prepare_serving(NAME).model_folder == folder
    assert folder.stat().st_mode & 0o077 == 0
    compiled = folder / "__pycache__" / "registered_model.cpython-311.pyc"
    compiled.parent.mkdir()
    compiled.write_bytes(b"as MLflow leaves it that loads the copy in place")
    assert prepare_serving(NAME).model_folder == folder
    assert not compiled.exists()
    append(folder / "registered_model_meta", "\n")
    with pytest.raises(UsageError, match=r"the file registered_model_meta in .* has changed"):
        prepare_serving(NAME)
    shutil.rmtree(folder)
    shutil.rmtree(environment)


def test_the_requirements_are_those_of_the_lock_with_all_that_they_need(registered):
    with verified_files(NAME, "1") as folder:
        lines = (folder / "requirements.txt").read_text().splitlines()
    assert all("==" in line and " --hash=sha256:" in line for line in lines)
    named = {line.partition("==")[0] for line in lines}
    assert {"mlflow-skinny", "onnxruntime", "pandas", "numpy", "uvicorn", "protobuf"} <= named
    assert not named & {"mlflow", "tensorflow", "keras", "prefect", "scikit-learn"}


def test_requirements_that_the_lock_does_not_know_are_said(caplog):
    assert locked_requirements(["numpy==0.0.1"]) == []
    assert "numpy==0.0.1 is not in the lock" in caplog.text


def a_wheel(folder):
    """A package of one line, as an index would hold it; the address of the folder."""
    wheel, facts = folder / "tiny-1.0-py3-none-any.whl", "tiny-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr("tiny.py", "")
        packed.writestr(f"{facts}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        packed.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        packed.writestr(f"{facts}/RECORD", "")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


@pytest.mark.services
def test_a_package_that_is_not_the_one_of_the_lock_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    sha256, requirements = a_wheel(tmp_path), tmp_path / "requirements.txt"
    requirements.write_text(f"tiny==1.0 --hash=sha256:{'0' * 64}\n")
    other = r"tiny==1\.0 in the package index is not the one in the lock"
    with pytest.raises(UsageError, match=other):
        prepare_environment(tmp_path, requirements)
    requirements.write_text(f"tiny==1.0 --hash=sha256:{sha256}\n")
    python = prepare_environment(tmp_path, requirements)
    assert list(python.parents[1].glob("lib/*/site-packages/tiny.py"))
