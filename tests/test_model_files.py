"""Registered models lie beside their run's artifacts; where their files are gone, that is said."""

import shutil

import pytest
import yaml
from conftest import last_json
from small_models import loan_table, register_and_judge

from modelling.refusals import UsageError
from tasks.registry import relocation
from tasks.registry.approvals import promote_manually
from tasks.registry.champions import roll_back
from tasks.registry.dossier.dossiers import write_dossier
from tasks.registry.file_hashes import HASHES_TAG
from tasks.registry.model_files import load_version
from tasks.registry.relocation import relocate_models
from tasks.registry.scoring_runs import load_registered
from tasks.registry.serving.prepared_server import prepare_serving
from tasks.tracking.addresses import folder_of
from tasks.upkeep.health import check_models

pytestmark = pytest.mark.usefixtures("store", "prefect_server")


def files_of(client, name, version):
    return folder_of(client.get_model_version_download_uri(name, version))


def model_of(client, name, version):
    source = client.get_model_version(name, version).source
    return client.get_logged_model(source.removeprefix("models:/"))


@pytest.fixture
def two_versions(client):
    """The first of them is champion; gone afterwards, as doctor looks at all that are in use."""
    for noise in (0.0, 0.5):
        register_and_judge(noise=noise, name="fragile")
    yield "fragile"
    client.delete_registered_model("fragile")


def test_a_model_lies_beside_the_artifacts_of_its_run_wherever_the_database_was_made(store, client):
    version, _ = register_and_judge(name="settled")
    model = model_of(client, "settled", version)
    run = client.get_run(model.source_run_id)
    assert model.experiment_id == run.info.experiment_id != relocation.DEFAULT_EXPERIMENT
    assert files_of(client, "settled", version).is_relative_to(store / "artifacts")
    assert model.params == run.data.params
    assert model.status == "READY"


def test_a_model_in_the_folder_of_the_first_start_is_brought_home_once(client, tmp_path):
    version, _ = register_and_judge(name="homeless")
    home, model = files_of(client, "homeless", version), model_of(client, "homeless", version)
    astray = tmp_path / "working copy" / "mlruns" / "0" / "models" / model.model_id / "artifacts"
    shutil.move(home, astray)
    relocation.store_location(model.model_id, relocation.DEFAULT_EXPERIMENT, str(astray))
    assert files_of(client, "homeless", version) == astray

    (line,) = [one for one in relocate_models() if "homeless" in one]
    assert line.startswith(f"version {version} of homeless: copied to the artifacts of its run")
    assert str(astray) in line
    shutil.rmtree(tmp_path / "working copy")
    assert files_of(client, "homeless", version) == home
    assert len(load_version("homeless", version).predict(loan_table(3))) == 3
    settled = model_of(client, "homeless", version)
    assert (settled.experiment_id, settled.params) == (model.experiment_id, model.params)
    assert not [one for one in relocate_models() if "homeless" in one]


def test_a_store_whose_folder_was_moved_says_where_it_is_and_takes_no_training(
    client, tmp_path, monkeypatch
):
    """MLflow keeps whole paths: it would make the old folder again, and write on in it."""
    from tasks.tracking.store import connect, experiment_id

    before, after = tmp_path / "checkout" / "mlruns", tmp_path / "renamed" / "mlruns"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{before}/mlflow.db")
    before.mkdir(parents=True)
    version, _ = register_and_judge(name="carried")
    shutil.move(before.parent, after.parent)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{after}/mlflow.db")
    said = f"the folder of the tracking store was moved to {after}, .*link it"
    for refused in (
        lambda: experiment_id(connect(), "carried"),
        lambda: load_version("carried", version),
        lambda: write_dossier("carried", version, tmp_path / "dossier.html"),
    ):
        with pytest.raises(UsageError, match=said):
            refused()
    assert not before.parent.exists()
    before.parent.mkdir()
    before.symlink_to(after)
    assert experiment_id(connect(), "carried")
    assert len(load_version("carried", version).predict(loan_table(3))) == 3


def test_files_that_are_broken_or_gone_are_one_clear_line(client, two_versions, caplog):
    def refused_everywhere(said):
        wanted = f"version 1 of fragile {said} .*artifacts.*: train again .* or promote another"
        for refused in (load_registered, prepare_serving):
            with pytest.raises(UsageError, match=wanted):
                refused(two_versions, "1")
        with pytest.raises(UsageError, match=wanted):
            promote_manually(two_versions, "1", "anyway")

    first = client.get_model_version(two_versions, "1")
    client.delete_model_version_tag(two_versions, "1", HASHES_TAG)  # as in older models
    description = files_of(client, two_versions, "1") / "MLmodel"
    whole = yaml.safe_load(description.read_text())
    without = {name: part for name, part in whole.items() if name != "saved_input_example_info"}
    description.write_text(yaml.safe_dump(without))
    with pytest.raises(UsageError, match="version 1 of fragile has no input example to try it"):
        promote_manually(two_versions, "1", "anyway")
    (network,) = files_of(client, two_versions, "1").rglob("network.onnx")
    network.write_bytes(network.read_bytes()[:100])
    refused_everywhere("can't be read at")
    shutil.rmtree(files_of(client, two_versions, "1"))
    refused_everywhere("has no files any more at")
    client.set_model_version_tag(two_versions, "1", HASHES_TAG, first.tags[HASHES_TAG])
    client._tracking_client.store._hard_delete_run(first.run_id)  # as `mlflow gc` does
    assert "version 1 of fragile has no files" in check_models().finding

    assert promote_manually(two_versions, "2", "the first is gone").outcome == "champion"
    assert "fragile version 2 has no dossier, or its run is gone" in caplog.text
    with pytest.raises(UsageError, match="has no files any more"):
        roll_back(two_versions, "anyway")
    assert load_registered(two_versions).version == "2"
    assert check_models().passed

    run_id = client.get_model_version(two_versions, "2").run_id
    client.delete_run(run_id)  # in the trash, with the dossier, until it is purged
    assert "the run of version 2 of fragile is deleted" in check_models().finding
    client.restore_run(run_id)
    assert check_models().passed


@pytest.mark.services
def test_the_command_says_who_is_champion_and_that_it_is_lost(client, two_versions, finflows):
    shutil.rmtree(files_of(client, two_versions, "1"))
    done = finflows("champion", two_versions, "--json")
    assert done.returncode == 2
    assert last_json(done.stdout)["champion"] == "1"
    assert "version 1 of fragile has no files any more" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
