"""What a use case may say: its source and columns, how it is split, trained and judged."""

from modelling.data.splits.delayed_feedback import DelayedFeedback
from modelling.data.splits.grouped import Grouped
from modelling.data.splits.out_of_time import OutOfTime
from modelling.data.splits.stratified import Stratified
from modelling.declaration.columns import (
    Column,
    Finite,
    InOrder,
    NotAbove,
    RowCount,
    TargetRate,
    UniqueRows,
    amount,
    category,
    count,
    identifier,
    number,
    ratio,
    time,
)
from modelling.declaration.declared_data import SimulatedTransactions, Source
from modelling.declaration.declared_derivations import PriceHistory, TransactionWindows
from modelling.declaration.declared_judgement import (
    AlertBudget,
    Costs,
    CutOff,
    Gate,
    Groups,
    LeastCost,
)
from modelling.declaration.declared_training import Network, Preprocessing, Training
from modelling.declaration.model_card import ModelCard
from modelling.declaration.search_space import Choice, Uniform
from modelling.declaration.use_case import UseCase

__all__ = [
    "AlertBudget",
    "Choice",
    "Column",
    "Costs",
    "CutOff",
    "DelayedFeedback",
    "Finite",
    "Gate",
    "Grouped",
    "Groups",
    "InOrder",
    "LeastCost",
    "ModelCard",
    "Network",
    "NotAbove",
    "OutOfTime",
    "Preprocessing",
    "PriceHistory",
    "RowCount",
    "SimulatedTransactions",
    "Source",
    "Stratified",
    "TargetRate",
    "Training",
    "TransactionWindows",
    "Uniform",
    "UniqueRows",
    "UseCase",
    "amount",
    "category",
    "count",
    "identifier",
    "number",
    "ratio",
    "time",
]
