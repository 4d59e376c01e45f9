"""A model that was registered by an earlier release: it carries its own code, and goes on working.

``data/registered_model`` was registered on 2026-11-26, before its registry kept hashes of files and
before the modules that wrote it had the names that they have now.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from small_models import loan_table, loans, small_model

from modelling import scorer
from modelling.refusals import UsageError
from modelling.scorer import decisions
from modelling.scorer.contract import InputRefused
from modelling.scorer.model import Model
from tasks.registry.approvals import promote_manually
from tasks.registry.champions import roll_back
from tasks.registry.registered_model import modules_of
from tasks.registry.scoring_runs import load_registered
from tasks.watching.comparison import watch_version

FOLDER = Path(__file__).parent / "data" / "registered_model"
NAME = "loans_of_an_earlier_release"


@pytest.fixture(scope="module")
def table():
    return loan_table(200)


@pytest.fixture(scope="module")
def registered(store, table):
    """Two versions of it; the first is champion."""
    from tasks.tracking.store import connect

    client = connect()
    client.create_registered_model(NAME)
    for _ in range(2):
        client.create_model_version(NAME, source=str(FOLDER))
    promote_manually(NAME, "1", "it was champion before")
    return client


def test_it_answers_as_it_did(registered, table):
    answers = load_registered(NAME).interface.answer(table)
    expected = json.loads((FOLDER.parent / "registered_model_answers.json").read_text())
    np.testing.assert_allclose(answers["probability"], expected["probability"], rtol=1e-5)
    assert answers["decision"].tolist() == expected["decision"]


def test_its_own_code_and_todays_give_the_same_bits(registered, table):
    answers = load_registered(NAME).interface.answer(table)
    today = Model(FOLDER / "artifacts" / "scorer", "1").answer(table)
    assert answers["probability"].tolist() == today["probability"].tolist()


def test_it_says_that_it_gives_no_reasons(registered, table):
    with pytest.raises(UsageError, match=r"version 1 of .* without --reasons"):
        load_registered(NAME, reasons=4)
    today = Model(FOLDER / "artifacts" / "scorer", "1")
    with pytest.raises(InputRefused, match="before models gave reasons: train again"):
        today.answer(table, reasons=4)


def test_it_says_that_it_can_not_be_watched(registered):
    with pytest.raises(UsageError, match=r"version 1 of .* before models kept what they were judg"):
        watch_version(load_registered(NAME), loans(name=NAME))


def test_it_is_promoted_and_rolled_back(registered):
    assert promote_manually(NAME, "2", "the same once more").outcome == "champion"
    assert roll_back(NAME, "and back") == ("2", "1")
    assert load_registered(NAME).version == "1"


def test_a_model_of_today_runs_the_modules_that_it_carries_and_leaves_no_compiled_code(tmp_path):
    """Those, all of them, and each before the one that imports it."""
    folder = small_model(tmp_path / "model").package.folder
    carried = {file.stem for file in folder.glob("*.py")}
    assert carried == {file.stem for file in Path(scorer.__file__).parent.glob("[!_]*.py")}
    (folder / "decisions.py").write_text(f"{(folder / 'decisions.py').read_text()}\nMARK = 1\n")
    first, second = (modules_of(folder) for _ in range(2))
    assert set(first) == carried
    assert first["decisions"].MARK == 1
    assert first["model"].Model is not second["model"].Model
    assert not hasattr(decisions, "MARK")
    assert not [*folder.rglob("__pycache__")]
