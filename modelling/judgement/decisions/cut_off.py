"""Refuse from a declared probability on."""

import numpy as np

from modelling.data.splitting import Parts
from modelling.declaration import CutOff, UseCase
from modelling.judgement.decisions.decision_rule import DecisionRule


def declared_cut_off(parts: Parts, probabilities: np.ndarray, use_case: UseCase) -> float:
    """The cut-off as declared; no row is read."""
    del parts, probabilities
    assert isinstance(use_case.decision, CutOff)
    return use_case.decision.cut_off


DECISION_RULES = (DecisionRule(declared=CutOff, choose_cut_off=declared_cut_off),)
