"""Fraud detection: is this card transaction a fraud?

The data are those of an open standard, the transaction simulator of the Fraud Detection Handbook:
5,000 customers at 10,000 terminals over 183 days, about 1.75 million transactions, of which 0.8 %
are frauds. Split and test week are those of the handbook. A file of your own
(``--data transactions.csv``) needs the columns ``transacted_at``, ``customer_id``,
``terminal_id``, ``amount_usd`` and ``fraud``; for other names, write them in a copy of this file,
also in ``derived``. Set ``split.test_from`` to a date of your own, or to null for the last week.

Where the columns are ready, as in the card frauds of Université Libre de Bruxelles, a declaration
needs no ``derived``: ``source=Source(uri="openml:1597"), target="Class", columns=(amount("Amount"),
*(number(f"V{i}") for i in range(1, 29)))``.
"""

from datetime import date

from modelling.declaration import (
    AlertBudget,
    Column,
    Costs,
    DelayedFeedback,
    Gate,
    Preprocessing,
    RowCount,
    SimulatedTransactions,
    TargetRate,
    Training,
    TransactionWindows,
    UseCase,
    amount,
    count,
    identifier,
    number,
    ratio,
    time,
)


def windows(days: int) -> tuple[Column, ...]:
    """The customer's transactions of the last days, and the terminal's of the days before."""
    return (
        count(f"customer_transactions_{days}d", minimum=1),
        amount(f"customer_mean_amount_{days}d"),
        count(f"terminal_transactions_{days}d"),
        ratio(
            f"terminal_fraud_share_{days}d",
            maximum=1,
            note="Delayed by a week: more recent frauds are not known yet.",
        ),
    )


USE_CASE = UseCase(
    name="fraud_detection",
    title="Fraudulent card transactions (Fraud Detection Handbook)",
    problem="binary",
    source=SimulatedTransactions(),
    derived=TransactionWindows(windows_days=(1, 7, 30), delay_days=7),
    target="fraud",
    columns=(
        time("transacted_at"),
        identifier("customer_id"),
        amount(
            "amount_usd",
            note="Above 220 dollars every transaction is a fraud, so the plain value is kept: "
            "with a logarithm alone this limit is hard to learn.",
        ),
        number("is_weekend", minimum=0, maximum=1, transform="none"),
        number("is_night", minimum=0, maximum=1, transform="none"),
        *windows(days=1),
        *windows(days=7),
        *windows(days=30),
    ),
    # Train 2018-07-25 to 07-31, a week until frauds are known, test 2018-08-08 to 08-14.
    split=DelayedFeedback(
        column="transacted_at",
        customer="customer_id",
        test_from=date(2018, 8, 8),
        train_days=7,
        delay_days=7,
        test_days=7,
    ),
    # A terminal with frauds only is at 14 standard deviations, an amount times five at up to 24:
    # clipped at the usual 8, they would look like milder cases.
    preprocessing=Preprocessing(clip=20),
    training=Training(epochs=40, batch_size=256),
    headline=("average_precision", "card_precision", "roc_auc"),
    baselines=("constant", "linear", "boosting", "random_forest"),
    decision=AlertBudget(alerts_a_day=100, time="transacted_at", card="customer_id"),
    # A missed fraud costs its amount; each card that is checked costs half an hour of work.
    costs=Costs(amount="amount_usd", false_negative_share=1.0, false_positive=20.0),
    expectations=(
        RowCount(at_least=1000, because="fewer rows have too few frauds to learn from"),
        TargetRate(
            at_least=0.001,
            at_most=0.03,
            because="0.8 % are frauds; a very different rate is another population or wrong label",
        ),
    ),
    gate=Gate(metric="average_precision", at_least=0.6),
)
