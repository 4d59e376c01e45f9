"""Finished trainings made up for the comparison, without training any."""

from datetime import datetime, timedelta

from modelling.judgement.intervals import Interval
from tasks.tracking.leaderboard.entry import LeaderboardEntry, rank


def compared_run(number: int = 0, **given) -> LeaderboardEntry:
    """The higher its number, the worse by roc_auc; its learning rate is its number."""
    value = given.get("value", 0.87 - number / 1000)
    usual = {
        "use_case": "credit_scoring",
        "run_id": f"{number:08x}" + 24 * "0",
        "experiment_id": "1",
        "started": datetime(2026, 11, 26, 10) + timedelta(hours=number),
        "metric": "roc_auc",
        "value": value,
        "low": value - 0.005,
        "high": value + 0.005,
        "skill": 0.7,
        "skill_low": 0.6,
        "skill_high": 0.8,
        "best_epoch": 2,
        "learning_curve": "healthy",
        "gate": "passed",
        "doubts": "none",
        "seconds": 12106.7,
        "data_hash": "0123456789",
        "code": "abc1234",
        "version": str(number + 1),
        "aliases": ("challenger",) if number else ("champion",),
        "val_losses": (0.3, 0.2, 0.25),
        "losses": (0.4, 0.3, 0.2),
        "name": f"credit_scoring learning_rate={number}",
        "baselines": {"constant": 0.5, "boosting": 0.865},
        "advantages": {
            "constant": Interval(value - 0.5, value - 0.51, value - 0.49),
            "boosting": Interval(value - 0.865, value - 0.867, value - 0.863),
        },
        "settings": {
            "problem": "binary",
            "training.learning_rate": str(number),
            "training.epochs": "12",
            "costs.unit": "EUR",
        },
        "test_metrics": {"roc_auc": value, "log_loss": 0.2, "cost": 12106789.2},
    }
    return LeaderboardEntry(**{**usual, **given})


def many_runs(use_cases: int = 4, runs: int = 25) -> list[LeaderboardEntry]:
    """Of each use case as many runs, in the order of the comparison."""
    made = [
        compared_run(
            100 * case + number,
            value=0.87 - number / 1000,
            use_case=f"case_{case}",
            val_losses=tuple(0.3 + 1 / (epoch + number + 1) for epoch in range(100)),
            losses=tuple(0.2 + 1 / (epoch + number + 1) for epoch in range(100)),
        )
        for case in range(use_cases)
        for number in range(runs)
    ]
    return sorted(made, key=rank)
