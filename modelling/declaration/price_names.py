"""The names of the columns that are derived from prices (``modelling.data.price_history``)."""

from modelling.declaration.declared_data import PriceHistory
from modelling.judgement.baselines.baseline import PriceColumns

RETURN = "return_1_day"
VARIANCE = "realised_variance_1_day"
TARGET_KNOWN_ON = "target_known_on"


def log_variance_name(days: int) -> str:
    """The feature: log of the mean realised variance of the last ``days`` days."""
    return f"log_variance_{_days(days)}"


def negative_return_name(days: int) -> str:
    """The feature: the return over the last ``days`` days where it is negative, else 0."""
    return f"negative_return_{_days(days)}"


def target_name(declared: PriceHistory) -> str:
    """The target: log of the mean realised variance of the next days of the horizon."""
    return f"log_variance_next_{_days(declared.horizon_days)}"


def columns_of(reads: PriceColumns, declared: PriceHistory) -> tuple[str, ...]:
    """The derived columns that hold an array of ``judgement.baselines.baseline.PriceSeries``."""
    columns: dict[PriceColumns, tuple[str, ...]] = {
        "returns": (RETURN,),
        "variances": (VARIANCE,),
        "log_variances": tuple(log_variance_name(days) for days in declared.lags_days),
    }
    return columns[reads]


def _days(days: int) -> str:
    return "1_day" if days == 1 else f"{days}_days"
