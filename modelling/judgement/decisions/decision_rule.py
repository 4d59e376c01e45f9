"""The record of a way to decide: all that is known of it beside its declaration."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from modelling.data.splitting import Parts
from modelling.declaration import UseCase
from modelling.schema import Declaration
from modelling.variants import variants_in

ROOM = "modelling.judgement.decisions"


def probabilities_themselves(
    probabilities: np.ndarray, rows: pd.DataFrame, use_case: UseCase, known: pd.DataFrame | None
) -> np.ndarray:
    """A row is refused where its probability reaches the cut-off."""
    del rows, use_case, known
    return probabilities


def cut_off_itself(cut_off: float, rows: pd.DataFrame, use_case: UseCase) -> np.ndarray:
    """All rows are refused from the same probability on."""
    del use_case
    return np.full(len(rows), cut_off)


@dataclass(frozen=True)
class DecisionRule:
    """One way to decide between two classes.

    Attributes
    ----------
    declared : type
        Its class in ``modelling.declaration``, where its settings are.
    choose_cut_off : callable
        From the parts, the probabilities (n,) of the validation rows and the use case to the
        cut-off.
    compared : callable
        From probabilities (n,), their rows, the use case and the training rows (None to count what
        was decided) to what is compared with the cut-off (n,): a row is refused where it reaches
        it.
    compared_title : str
        What is compared with the cut-off, in figures.
    refused_from : callable
        From the cut-off, rows and the use case to the probability (n,) from which each row is
        refused.
    by_cost : bool
        Whether the costs travel with the model: it compares expected costs.
    refused_at_least : float
        The share of the positives of which fewer refused ones make a model doubtful; with 0 one
        row is enough.
    scored : callable, optional
        From the rows and the use case to the arrays that metrics of this decision read, by their
        name in ``Scored``.
    """

    declared: type[Declaration]
    choose_cut_off: Callable[[Parts, np.ndarray, UseCase], float]
    compared: Callable[[np.ndarray, pd.DataFrame, UseCase, pd.DataFrame | None], np.ndarray] = (
        probabilities_themselves
    )
    compared_title: str = "probability"
    refused_from: Callable[[float, pd.DataFrame, UseCase], np.ndarray] = cut_off_itself
    by_cost: bool = False
    refused_at_least: float = 0.1
    scored: Callable[[pd.DataFrame, UseCase], dict[str, Any]] | None = None


def decision_rule(use_case: UseCase) -> DecisionRule:
    """The rule of the declared decision."""
    return _rules()[type(use_case.decision)]


@cache
def _rules() -> dict[type[Declaration], DecisionRule]:
    return {rule.declared: rule for rule in variants_in(ROOM, "DECISION_RULES")}
