"""``make bench``: rows explained per second on one core, beside shap's permutation explainer.

Both explain the same registered model of credit_scoring, in turns, on the same real rows, against
the same reference. Errors are those against Shapley values by their definition: the model's own
answers to all 1,024 mixtures of a row and the reference.
"""

import argparse
import math
import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.reporting import met_or_missed, open_console, write_results
from flows.command_line.terminal import configure_environment
from modelling.scorer.model import Model

ROWS_PER_SECOND, FASTER_THAN_SHAP = 2000, 20
console = open_console(120)
Explain = Callable[[pd.DataFrame], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reasons_speed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rows")
    rounds, ours, theirs, exact = (
        (2, 500, 5, 3) if parser.parse_args().quick else (10, 5000, 40, 50)
    )
    if find_spec("shap") is None:
        raise SystemExit("shap is not installed: make bench does that")
    configure_environment(verbose=False)
    with TemporaryDirectory() as scratch:
        from benchmarks.scoring_models import load_ours

        registered, _, raw = load_ours(Path(scratch))
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        model = registered.unwrap_python_model().model
        results = compare(model, raw, rounds, {"ours": ours, "shap": theirs}, exact)
    show(results)
    write_results("reasons_speed", results, console)


def compare(
    model: Model, raw: pd.DataFrame, rounds: int, rows: dict[str, int], exact: int
) -> dict[str, dict[str, float]]:
    """Speeds (medians over rounds; the ratio is taken within a round) and errors."""
    explainers = {"ours": our_explainer(model), "shap": shap_explainer(model)}
    rates: dict[str, list[float]] = {name: [] for name in explainers}
    for number in range(rounds):
        for name, explain in explainers.items():
            some = raw.sample(rows[name], random_state=number)
            start = time.perf_counter()
            explain(some)
            rates[name].append(rows[name] / (time.perf_counter() - start))
    some = raw.dropna().sample(exact, random_state=1)
    expected = exact_values(model, some)
    ratios = np.array(rates["ours"]) / np.array(rates["shap"])
    worst = raw.dropna()[(raw.dropna() != pd.Series(model.reasons.reference)).all(axis=1)].head(200)
    results: dict[str, dict[str, float]] = {}
    for name, explain in explainers.items():
        error = np.abs(explain(some) - expected).mean() / np.abs(expected).mean()
        results[name] = {"rows_per_second": float(np.median(rates[name])), "error": float(error)}
    slowest = [ten_columns(explainers["ours"], worst) for _ in range(rounds)]
    results["ours"] |= {"ratio": float(np.median(ratios)), "load": os.getloadavg()[0]}
    results["ours"]["rows_per_second_ten_columns"] = float(np.median(slowest))
    return results


def ten_columns(explain: Explain, rows: pd.DataFrame) -> float:
    """Rows per second of the slowest rows: all ten columns differ from the reference."""
    start = time.perf_counter()
    explain(rows)
    return len(rows) / (time.perf_counter() - start) if len(rows) else math.nan


def our_explainer(model: Model) -> Explain:
    """The contributions that the model itself gives."""

    def explain(rows: pd.DataFrame) -> np.ndarray:
        columns, *_ = model.contract.check(rows)
        return model.reasons.contributions.of(columns, model.scorer.outputs(columns))

    return explain


def shap_explainer(model: Model) -> Explain:
    """shap's permutation explainer with its defaults, over the same answers."""
    import shap

    names = model.reasons.names
    explainer = shap.PermutationExplainer(
        lambda cells: answers(model, pd.DataFrame(cells, columns=names)), reference(model), seed=0
    )
    return lambda rows: explainer(rows[names].to_numpy(), silent=True).values


def reference(model: Model) -> np.ndarray:
    """The reference point, (1, columns)."""
    return np.array([[model.reasons.reference[name] for name in model.reasons.names]], dtype=float)


def answers(model: Model, rows: pd.DataFrame) -> np.ndarray:
    """What is explained: the log-odds of the model's answers to raw rows, (n,)."""
    outputs = model.scorer.outputs(rows)
    return model.reasons.contributions.explained(outputs, np.ones(len(outputs), np.intp))


def exact_values(model: Model, rows: pd.DataFrame) -> np.ndarray:
    """Shapley values by their definition: (n, columns)."""
    names, usual = model.reasons.names, reference(model)
    width = len(names)
    subsets = [s for size in range(width + 1) for s in combinations(range(width), size)]
    members = np.array([[p in subset for p in range(width)] for subset in subsets])
    at = {subset: place for place, subset in enumerate(subsets)}
    found = []
    for cells in rows[names].to_numpy():
        value = answers(model, pd.DataFrame(np.where(members, cells, usual), columns=names))
        shares = np.zeros(width)
        for subset, place in at.items():
            for p in set(range(width)) - {*subset}:
                joined = at[tuple(sorted((*subset, p)))]
                weight = 1 / (width * math.comb(width - 1, len(subset)))
                shares[p] += weight * (value[joined] - value[place])
        found.append(shares)
    return np.array(found)


def show(results: dict[str, dict[str, float]]) -> None:
    """Print a table with the results and their targets."""
    ours, theirs = results["ours"], results["shap"]
    title = f"Reasons for an answer, one core, load {ours['load']:.1f}"
    table = Table(title=title, title_justify="left")
    for name in ("", "rows/s", "error", "target"):
        table.add_column(name, justify="left" if not name else "right")
    better = ours["ratio"] >= FASTER_THAN_SHAP and ours["error"] <= theirs["error"] + 1e-4
    target = f"{FASTER_THAN_SHAP}x at no larger error {met_or_missed(better)}"
    table.add_row("ours", *_row(ours), _met(ours["rows_per_second"]))
    slowest = ours["rows_per_second_ten_columns"]
    table.add_row("ours, rows unusual in all ten columns", f"{slowest:,.0f}", "", _met(slowest))
    table.add_row("shap's permutation explainer", *_row(theirs), f"{ours['ratio']:.0f}x: {target}")
    console.print(table)


def _met(rate: float) -> str:
    return f"{ROWS_PER_SECOND:,} {met_or_missed(rate >= ROWS_PER_SECOND)}"


def _row(result: dict[str, float]) -> tuple[str, str]:
    return f"{result['rows_per_second']:,.0f}", f"{result['error']:.1e}"


if __name__ == "__main__":
    main()
