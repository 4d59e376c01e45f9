"""All use cases at once: each in processes of its own, none stops another."""

import pytest
from conftest import REPOSITORY, trainings
from prefect.settings import PREFECT_UI_URL, temporary_settings

from tasks.separate_training import (
    TrainingFailedError,
    environment_with_server,
    train_in_own_process,
)

BROKEN = '''"""A use case whose data breaks its rules."""

from modelling.declaration import amount
from modelling.declaration import Source, UseCase

USE_CASE = UseCase(
    name="broken",
    title="Broken",
    problem="regression",
    source=Source(uri="nowhere.csv"),
    target="y",
    columns=(amount("x"),),
)
'''


@pytest.mark.services
def test_one_that_fails_stops_no_other_and_the_leaderboard_ends_it(finflows, client, tmp_path):
    (tmp_path / "use_cases").mkdir()
    (tmp_path / "use_cases" / "broken.py").write_text(BROKEN)
    declared = [REPOSITORY, REPOSITORY / "tests" / "declared", tmp_path]
    done = finflows(
        "train-all",
        *("iris", "broken", "diabetes", "--set", "training.epochs=2", "--workers", "2"),
        PYTHONPATH=":".join(map(str, declared)),
    )
    assert done.returncode == 1
    said = f"finflows: broken failed: no such file: nowhere.csv (looked in {tmp_path / 'use_cases'}"
    assert [line for line in done.stderr.splitlines() if line.startswith(said)]
    assert "Traceback" not in done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines if line.startswith(("diabetes:", "iris:"))][
        -2:
    ] == ["diabetes", "iris"]
    for name in ("iris", "diabetes"):
        newest = trainings(client, name)[0]
        assert newest.info.status == "FINISHED"
        assert newest.info.run_id[:8] in done.stdout
    pages = client.get_experiment_by_name("comparison").experiment_id
    assert client.search_runs([pages], "attributes.status = 'FINISHED'")


def test_a_typo_trains_nothing(finflows):
    done = finflows("train-all", "iris", "diabets")
    assert done.returncode == 2
    assert "did you mean 'diabetes'?" in done.stderr


def test_the_reason_of_a_failure_is_its_last_line(store, prefect_server, tmp_path, monkeypatch):
    """Also where a folder has the name of one of ours."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "__init__.py").write_text("raise SystemExit('the code of others')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrainingFailedError, match="unknown use case 'nothing'"):
        train_in_own_process("nothing", [], {})


@pytest.mark.parametrize("pages", ["", "https://prefect.example"])
def test_a_training_prints_links_only_where_the_server_has_pages(pages, prefect_server):
    with temporary_settings({PREFECT_UI_URL: pages}):
        environment = environment_with_server({"OMP_NUM_THREADS": "1"})
    assert environment["PREFECT_UI_URL"] == pages
    assert environment["PREFECT_API_URL"].rstrip("/") == prefect_server
