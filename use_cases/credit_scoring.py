"""Credit scoring: will this borrower be 90 days past due within two years?

Give Me Some Credit: 150,000 real borrowers, of whom 6.7 % defaulted. The data have errors, as real
data do; the note of a column says what is wrong with it, and how it is treated.
"""

from modelling.declaration import (
    Column,
    Costs,
    Gate,
    Groups,
    LeastCost,
    RowCount,
    Source,
    Stratified,
    TargetRate,
    Training,
    UseCase,
    amount,
    count,
    ratio,
)


def past_due(name: str, days: str) -> Column:
    """How often the borrower was late. 96 and 98 are codes of the credit bureau, not counts."""
    return count(
        name,
        reason={"high": f"Payments {days} days late", "code": "Payment history not on file"},
        maximum=98,
        usual=(0, 20),
        special_codes=(96, 98),
        direction="up",  # more payments past due never make a default less likely
        note="96 and 98 occur in all three columns at once, in 269 rows, of which over half "
        "defaulted: they become missing, with a flag that keeps their information.",
    )


USE_CASE = UseCase(
    name="credit_scoring",
    title="Default within two years (Give Me Some Credit)",
    problem="binary",
    source=Source(uri="package:empulse/empulse/datasets/data/creditscoring1.csv.gz"),
    target="SeriousDlqin2yrs",
    columns=(
        ratio(
            "RevolvingUtilizationOfUnsecuredLines",
            usual=(0, 2),
            reason={"high": "Too much of the available credit is in use"},
            note="A share, but up to 50,708: an amount where the limit is unknown. The log in "
            "addition to the plain value makes both ranges usable.",
        ),
        count(
            "age",
            maximum=120,
            usual=(18, 100),
            special_codes=(0,),
            bands=(25, 35, 45, 55, 65),
            note="One borrower has age 0, which means unknown: it is treated as missing.",
        ),
        past_due("NumberOfTime30-59DaysPastDueNotWorse", "30 to 59"),
        ratio(
            "DebtRatio",
            usual=(0, 10),
            note="Where income is missing, this is the monthly debt itself, an amount up to "
            "329,664, not a ratio. The flag for missing income tells them apart.",
        ),
        amount(
            "MonthlyIncome",
            missing_at_most=0.4,
            reason={"low": "Income too low", "missing": "Income not given"},
            note="Missing for about 20 %: imputed with the median of the training rows, flagged.",
        ),
        count("NumberOfOpenCreditLinesAndLoans", maximum=200),
        past_due("NumberOfTimes90DaysLate", "90 or more"),
        count("NumberRealEstateLoansOrLines", maximum=200, usual=(0, 20)),
        past_due("NumberOfTime60-89DaysPastDueNotWorse", "60 to 89"),
        count("NumberOfDependents", maximum=50, usual=(0, 15), missing_at_most=0.1),
    ),
    # Exact duplicates (about 0.4 %) in both training and test rows would make the test optimistic.
    duplicates="drop",
    split=Stratified(validation=0.2, test=0.2, seed=42),
    # 90,000 rows: val_loss is lowest after about eight epochs.
    training=Training(epochs=12, batch_size=512),
    # Assumed, since the data have no loan amounts: a credit line of three monthly incomes, up to
    # 25,000; a default loses 75 % of it (Bahnsen et al. 2014), a repaid loan earns 10 %.
    costs=Costs(
        amount="MonthlyIncome",
        amount_at_most=8333,
        false_negative_share=2.25,
        false_positive_share=0.3,
    ),
    decision=LeastCost(),
    # Age is protected by law in many places, and allowed in sound scoring systems in some: it stays
    # a feature here, and what the model does to each age is shown.
    groups=Groups(columns=("age",)),
    expectations=(
        RowCount(at_least=1000, because="fewer rows have too few defaults to learn from"),
        TargetRate(
            at_least=0.01,
            at_most=0.30,
            because="6.7 % defaulted; a very different rate is another population or a wrong label",
        ),
    ),
    gate=Gate(metric="roc_auc", at_least=0.85),
)
