"""What a use case may say: its source and columns, how it is split, trained and judged."""

from modelling.declaration.columns import (
    Column,
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
from modelling.declaration.declared_data import (
    DelayedFeedback,
    Grouped,
    OutOfTime,
    PriceHistory,
    SimulatedTransactions,
    Source,
    Stratified,
    TransactionWindows,
)
from modelling.declaration.declared_judgement import AlertBudget, Costs, CutOff, Gate, LeastCost
from modelling.declaration.search_space import Choice, Uniform
from modelling.declaration.use_case import Network, Preprocessing, Training, UseCase

__all__ = [
    "AlertBudget",
    "Choice",
    "Column",
    "Costs",
    "CutOff",
    "DelayedFeedback",
    "Gate",
    "Grouped",
    "LeastCost",
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
