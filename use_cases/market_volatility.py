"""Market volatility: how much will the S&P 500 move over the next five trading days?

Daily prices from 1999 to 2018. Volatility is persistent and its log is nearly normal, so a linear
model of past logs (HAR) is hard to beat: a network that is much better has probably seen the
future.
"""

from modelling.declaration import (
    Column,
    Gate,
    Network,
    NotAbove,
    OutOfTime,
    Preprocessing,
    PriceHistory,
    RowCount,
    Source,
    TargetRate,
    Training,
    UseCase,
    amount,
    number,
    time,
)


def log_variance(name: str) -> Column:
    """The log of a daily variance, which needs no other transform."""
    return number(
        name,
        usual=(-15, -5),
        missing_at_most=0,
        transform="none",
        note="-15 is a daily move of 0.06 %, -5 one of 8 %.",
    )


def negative_return(name: str) -> Column:
    """The leverage effect: losses raise volatility more than gains of the same size."""
    return number(name, maximum=0, usual=(-0.4, 0), missing_at_most=0, transform="none")


USE_CASE = UseCase(
    name="market_volatility",
    title="Variance of the S&P 500 over the next five trading days",
    problem="regression",
    source=Source(uri="package:arch/arch/data/sp500/sp500.csv.gz"),
    derived=PriceHistory(
        time="Date", high="High", low="Low", close="Close", horizon_days=5, lags_days=(1, 5, 22)
    ),
    target="log_variance_next_5_days",
    target_kind="log_variance",
    columns=(
        time("Date"),
        amount("High", role="context", missing_at_most=0),
        amount("Low", role="context", missing_at_most=0),
        amount("Close", role="context", missing_at_most=0),
        time("target_known_on"),
        amount("realised_variance_1_day", role="context", missing_at_most=0),
        number("return_1_day", usual=(-0.12, 0.12), missing_at_most=0, transform="none"),
        log_variance("log_variance_1_day"),
        log_variance("log_variance_5_days"),
        log_variance("log_variance_22_days"),
        negative_return("negative_return_1_day"),
        negative_return("negative_return_5_days"),
        negative_return("negative_return_22_days"),
    ),
    # Five trading days spanned up to 13 calendar days, in September 2001, when the exchange was
    # closed for four: with a gap of 14 days no target of one part reaches into the next.
    split=OutOfTime(column="Date", validation=0.2, test=0.2, gap_days=14),
    # No bins: values in a crash are beyond the last bin, which has only a few rows.
    preprocessing=Preprocessing(piecewise_bins=0),
    # Prices of an index are not personal data, and the few crashes are what matters.
    minimum_rows_per_value=1,
    # Three thousand overlapping rows allow only one smooth, strongly regularised layer.
    network=Network(hidden_units=(64,), activation="elu", dropout=0.3, l2=1e-2),
    training=Training(epochs=60, batch_size=64, learning_rate=1e-3),
    headline=("qlike", "rmse"),
    baselines=("random_walk", "riskmetrics_ewma", "log_har", "garch", "linear", "boosting"),
    expectations=(
        RowCount(at_least=1000, because="four years have hardly one crash to learn from"),
        TargetRate(
            at_least=-13,
            at_most=-7,
            because="a mean log variance outside means constant prices, or no prices at all",
        ),
        NotAbove(
            low="Low", high="Close", severity="warning", because="a close is within the day's range"
        ),
        NotAbove(
            low="Close",
            high="High",
            severity="warning",
            because="a close is within the day's range",
        ),
    ),
    gate=Gate(metric="r2", at_least=0.4),
)
