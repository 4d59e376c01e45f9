"""Tables that are declared for the suite alone, as a user would with the defaults, tuned by nobody.

Those of several columns of one unit say so, as a user would who wants to compare them.
"""

import numpy as np
import pandas as pd

from benchmarks.by_hand import BY_HAND, amounts, counts, declare, labels, numbers, r_table
from benchmarks.by_hand import empulse as empulse_table
from modelling.data.loading import read_table
from modelling.declaration import (
    Column,
    Grouped,
    OutOfTime,
    Source,
    Training,
    amount,
    category,
    identifier,
    number,
    time,
)

LAGS = ("log_variance_day", "log_variance_week", "log_variance_month")
DEFAULT = {"training": Training()}


def of_unit(unit: str, names: str) -> list[Column]:
    return [amount(name, unit=unit) for name in names.split()]


def nasdaq_days() -> pd.DataFrame:
    """The variance of each day, from its range (Parkinson 1980), with lags computed in
    a notebook, to forecast that of the next day."""
    prices = read_table(Source(uri="package:arch/arch/data/nasdaq/nasdaq.csv.gz"))
    high, low = (prices[name].astype(float) for name in ("High", "Low"))
    variance = (np.log(high / low) ** 2 / (4 * np.log(2))).clip(lower=1e-8)
    lags = {
        name: np.log(variance.rolling(days).mean())
        for name, days in zip(LAGS, (1, 5, 22), strict=True)
    }
    returns = prices["Close"].astype(float).transform("log").diff()
    days = {"day": pd.to_datetime(prices["Date"]), **lags, "daily_return": returns}
    table = pd.DataFrame({**days, "fall": returns.clip(upper=0)})
    return table.assign(next_log_variance=lags[LAGS[0]].shift(-1)).dropna()


def card_applications() -> pd.DataFrame:
    """Without the twelve rows whose cells stand in the wrong columns."""
    table = read_table(empulse_table("creditscoring2"))
    return table[table["TARGET_LABEL_BAD=1"].isin(["0", "1"])]


def freedom_scores() -> pd.DataFrame:
    """The countries and years for which personal freedom was scored."""
    return read_table(r_table("openintro/hfi")).dropna(subset=["pf_score"])


NASDAQ_VOLATILITY = declare(
    "nasdaq_volatility",
    nasdaq_days,
    "next_log_variance",
    time("day"),
    *numbers(" ".join(LAGS)),
    *numbers("daily_return fall"),
    problem="regression",
    target_kind="log_variance",
    headline=("qlike", "rmse"),
    split=OutOfTime(column="day", gap_days=2),
    minimum_rows_per_value=1,
    **DEFAULT,
)
CRASHES = declare(
    "crashes",
    r_table("DAAG/nassCDS"),
    "dead",
    # The severity of the injury is the outcome, the weight that of a sample of crashes.
    *labels("dvcat airbag seatbelt frontal sex abcat occRole deploy"),
    *counts("ageOFocc"),
    *numbers("yearacc yearVeh"),
    classes=("alive", "dead"),
    **DEFAULT,
)
DELIVERIES = declare(
    "deliveries",
    r_table("modeldata/deliveries"),
    "time_to_delivery",
    number("hour", minimum=0, maximum=24),
    category("day"),
    amount("distance", unit="miles"),
    *of_unit("items", " ".join(f"item_{position:02}" for position in range(1, 28))),
    problem="regression",
    **DEFAULT,
)
POLICIES = {"P": "contribution", "A": "policies"}
CARAVAN_IN_UNITS = BY_HAND["caravan"].model_copy(
    update={
        "columns": tuple(
            column.model_copy(update={"unit": POLICIES[column.name[0]]})
            if column.name[0] in POLICIES
            else column
            for column in BY_HAND["caravan"].columns
        ),
        **DEFAULT,
    }
)
CARD_APPLICATIONS = declare(
    "card_applications",
    card_applications,
    "TARGET_LABEL_BAD=1",
    *labels(
        "ID_SHOP MARITAL_STATUS FLAG_RESIDENCIAL_PHONE AREA_CODE_RESIDENCIAL_PHONE PAYMENT_DAY"
    ),
    *labels("SHOP_RANK RESIDENCE_TYPE FLAG_MOTHERS_NAME FLAG_FATHERS_NAME PROFESSION_CODE"),
    *labels("FLAG_RESIDENCE_TOWN_eq_WORKING_TOWN FLAG_RESIDENCE_STATE_eq_WORKING_STATE"),
    *labels("FLAG_RESIDENCIAL_ADDRESS_eq_POSTAL_ADDRESS"),
    *counts("MONTHS_IN_RESIDENCE MONTHS_IN_THE_JOB QUANT_ADDITIONAL_CARDS_IN_THE_APPLICATION"),
    *counts("AGE"),
    *amounts("MATE_INCOME PERSONAL_NET_INCOME"),
    category("SEX", role="protected"),
    classes=("0", "1"),
    **DEFAULT,
)
FREEDOM = declare(
    "freedom",
    freedom_scores,
    "pf_score",
    identifier("ISO_code"),
    *of_unit(
        "score",
        (
            "ef_government_consumption ef_government_transfers ef_government_enterprises "
            "ef_government_tax_income ef_government_tax_payroll ef_legal_judicial ef_legal_courts "
            "ef_legal_protection ef_legal_military ef_legal_integrity ef_legal_enforcement "
            "ef_legal_restrictions ef_legal_police ef_legal_crime ef_legal_gender ef_money_growth "
            "ef_money_sd ef_money_inflation ef_money_currency ef_trade_tariffs_revenue "
            "ef_trade_tariffs_mean ef_trade_tariffs_sd ef_trade_regulatory_nontariff "
            "ef_trade_regulatory_compliance ef_trade_black ef_regulation_credit "
            "ef_regulation_labor ef_regulation_business"
        ),
    ),
    problem="regression",
    split=Grouped(column="ISO_code"),
    **DEFAULT,
)
RIDERSHIP = declare(
    "ridership",
    r_table("modeldata/Chicago"),
    "ridership",
    time("date"),
    # Riders at twenty stations two weeks before, in thousands; weather and matches of the day.
    *of_unit(
        "riders",
        (
            "Austin Quincy_Wells Belmont Archer_35th Oak_Park Western Clark_Lake Clinton "
            "Merchandise_Mart Irving_Park Washington_Wells Harlem Monroe Polk Ashland Kedzie "
            "Addison Jefferson_Park Montrose California"
        ),
    ),
    *numbers("temp dew humidity pressure wind gust percip weather_rain weather_snow weather_cloud"),
    *counts("Blackhawks_Home Bulls_Home Bears_Home WhiteSox_Home Cubs_Home"),
    problem="regression",
    split=OutOfTime(column="date"),
    **DEFAULT,
)
HOTEL_RATES = declare(
    "hotel_rates",
    r_table("modeldata/hotel_rates"),
    "avg_price_per_room",
    *labels("meal country market_segment distribution_channel reserved_room_type"),
    *labels("assigned_room_type agent company customer_type"),
    *counts("lead_time stays_in_weekend_nights stays_in_week_nights adults children babies"),
    *counts("is_repeated_guest previous_cancellations previous_bookings_not_canceled"),
    *counts("booking_changes days_in_waiting_list required_car_parking_spaces"),
    *counts("total_of_special_requests near_christmas near_new_years"),
    *numbers("arrival_date_num"),
    amount("historical_adr"),
    problem="regression",
    **DEFAULT,
)
