"""The end of a training tells how good, what the curve says and what to do next; for people."""

import json
import logging
import os

import pytest
from conftest import REPOSITORY

from flows.command_line.results import show_result
from flows.command_line.stages import StageLines, end_stage, seconds_by_stage
from flows.training_result import TrainingResult
from modelling.checkout import command
from modelling.judgement.metrics.metric import format_value
from tasks.tracking.addresses import how_to_open


def result(remedy=None, **metrics):
    return TrainingResult(
        run_id="0" * 32,
        use_case="credit_scoring",
        metrics=metrics,
        learning_curve={
            "verdict": "overfitting" if remedy else "healthy",
            "evidence": "val_loss fell",
            "leak_suspected": None,
            "remedy": remedy or {},
        },
        gate={"passed": True, "reason": "roc_auc 0.8661, wanted at least 0.85", "declared": True},
        model={},
        paths={"ui": "/#/experiments/1/runs/0"},
        compared="roc_auc 0.8661, better than boosting (0.8641) by 0.0021 [0.0000, 0.0037]",
    )


def test_a_reader_that_is_gone_gets_no_traceback_and_the_work_goes_on(capsys):
    """As behind ``| head -1``."""
    reading, writing = os.pipe()
    os.close(reading)
    lines, log = StageLines(to_stderr=False), logging.getLogger("nobody reads")
    lines.stream = os.fdopen(writing, "w", closefd=False)
    log.addHandler(lines)
    log.warning("%-11s %s", "data", "3,000 rows")
    log.warning("%-11s %s", "validated", "24 rules kept")
    assert capsys.readouterr().err == ""


def test_the_three_things_come_first(capsys):
    show_result(result({"network.dropout": 0.2}, roc_auc=0.8661), {"training.epochs": 3}, False)
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[0] == f"Result:       {result().compared}"
    assert lines[1:4] == [
        "Gate:         passed, roc_auc 0.8661, wanted at least 0.85",
        "Curve:        overfitting, val_loss fell",
        "Try next:     finflows train credit_scoring --set training.epochs=3 "
        "--set network.dropout=0.2",
    ]
    assert lines[6].split() == ["test", "rows", "roc_auc", "0.8661"]


def test_a_gate_that_failed_is_seen_and_one_that_nobody_declared_is_none():
    failed = {"passed": False, "reason": "roc_auc 0.6, wanted at least 0.85", "declared": True}
    for gate, said in (
        (failed, "FAILED, roc_auc 0.6, wanted at least 0.85"),
        ({**failed, "declared": False}, "none declared"),
    ):
        assert result().model_copy(update={"gate": gate}).gate_in_words == said


def test_a_healthy_curve_leads_to_a_search_unless_that_was_done(capsys):
    show_result(result(), {}, as_json=False)
    assert "Try next:     finflows search credit_scoring\n" in capsys.readouterr().out
    show_result(result(), {}, as_json=False, searched=True)
    assert "Try next:" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("called", "on_path", "shown"),
    [
        ("bin/finflows", False, "bin/finflows search credit_scoring"),
        ("bin/finflows", True, "finflows search credit_scoring"),
        ("my env/bin/finflows", True, "'my env/bin/finflows' search credit_scoring"),
        ("ipykernel_launcher.py", False, "finflows search credit_scoring"),
    ],
)
def test_what_to_type_is_what_works_here(called, on_path, shown, tmp_path, monkeypatch):
    program = tmp_path / "bin" / "finflows"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [called, "train"])
    monkeypatch.setenv("PATH", str(program.parent) if on_path else "")
    assert command("search", "credit_scoring") == shown


def test_make_is_named_where_there_is_a_makefile(tmp_path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    assert how_to_open("/#/").startswith("make ui, then http")
    monkeypatch.chdir(tmp_path)
    assert how_to_open("/#/").startswith("finflows ui, then http")


def test_money_has_its_unit_and_no_digits_that_nobody_reads(capsys):
    show_result(result(cost=12106789.2, savings=0.4372), {"costs.unit": "EUR"}, as_json=False)
    assert "cost 12,106,789 EUR  savings 0.4372\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.86614, "", "0.8661"),
        (59.2502, "", "59.25"),
        (-3.14e-5, "", "-3.1e-05"),
        (0.0, "", "0.0000"),
        (-1234.5, "", "-1,234"),
        (431.251, "USD", "431.25 USD"),
    ],
)
def test_a_value_is_shown_with_the_digits_that_matter(value, unit, shown):
    assert format_value(value, unit) == shown


def test_the_words_of_the_comparison_are_for_the_terminal_only(capsys):
    show_result(result(roc_auc=0.8661), {}, as_json=True)
    assert "compared" not in json.loads(capsys.readouterr().out)


def test_all_trials_of_a_search_are_one_stage():
    for stage in ("reading", "trial 0", "trial 1"):
        end_stage(stage)
    assert " in all" in seconds_by_stage()
    assert "trial 0" not in seconds_by_stage()
