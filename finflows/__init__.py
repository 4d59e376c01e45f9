"""From Python and notebooks: draft a use case, check a table, train, and use the champion.

What the functions need is loaded when they are called.
"""

from finflows.checks import TableCheck, check
from finflows.drafting import draft
from finflows.drafts import Draft
from finflows.models import ScoringModel, load_champion
from finflows.trainings import FinishedTraining, train
from modelling.refusals import DataRefused, MachineError, UsageError

__all__ = [
    "DataRefused",
    "Draft",
    "FinishedTraining",
    "MachineError",
    "ScoringModel",
    "TableCheck",
    "UsageError",
    "check",
    "draft",
    "load_champion",
    "train",
]
