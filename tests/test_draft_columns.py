"""What names and numbers of a column suggest, and what they do not."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from modelling.drafting.columns.findings import ColumnFinding
from modelling.drafting.columns.kinds import is_money, kind_of_numbers, name_units
from modelling.drafting.columns.name_words import names_somebody, parts_of
from modelling.drafting.columns.protected_names import protected_attribute
from modelling.drafting.columns.ranges import round_outwards, special_codes
from modelling.drafting.columns.spelling import lists_of_labels
from modelling.drafting.python_text import Call, expression, literal, width


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("gender", "gender"),
        ("CODE_GENDER", "gender"),
        ("Geschlecht", "gender"),
        ("sexe", "gender"),
        ("género", "gender"),
        ("고객성별", "gender"),
        ("Alter", "age"),
        ("âge", "age"),
        ("edad_cliente", "age"),
        ("DateOfBirth", "age"),
        ("연령대", "age"),
        ("Familienstand", "marital status"),
        ("estado_civil", "marital status"),
        ("Staatsangehörigkeit", "nationality or origin"),
        ("국적", "nationality or origin"),
        ("zip_code", "place of living"),
        ("Pincode", "place of living"),
        ("età", "age"),
        ("geslacht", "gender"),
        ("nazionalità", "nationality or origin"),
        ("stato_civile", "marital status"),
        ("single", "marital status"),
        ("single_premium", None),
        ("health_insurance", None),
        ("Kundenpostleitzahl", "place of living"),
        ("mortgage", None),
        ("average_balance", None),
        ("age_of_account", None),
        ("loan_purpose", None),
        ("usage", None),
        ("percentage", None),
    ],
)
def test_a_protected_attribute_is_known_by_its_name(name, attribute):
    assert protected_attribute(name) == attribute


def test_names_are_read_in_their_parts():
    assert parts_of("MonthlyIncome_EUR2") == ["monthly", "income", "eur"]
    assert names_somebody("customer_no")
    assert names_somebody("Kundennummer")
    assert not names_somebody("customer_income")
    for name in (
        "customerid",
        "CLIENTNUM",
        "card_number",
        "acct_nbr",
        "idcode",
        "kundenid",
        "Kundennr_Vertrag",
    ):
        assert names_somebody(name), name
    for name in ("amountpaid", "valid", "number_of_loans", "card_type", "visits_no"):
        assert not names_somebody(name), name
    assert is_money("Kreditbetrag")
    assert is_money("loan_amount")
    assert is_money("Prämie")
    assert is_money("Wert (€)")
    assert is_money("rent_₹")
    assert not is_money("call_sek"), "seconds"
    assert not is_money("number_of_loans")
    assert not is_money("open_credit_lines")
    assert not is_money("current_installment_accounts")
    assert is_money("total_credit_utilized")
    assert is_money("accounts_balance")
    for name in ("valor_emprestimo", "Montante", "importoPrestito", "Leenbedrag", "renda_mensal",
                 "reddito_annuo", "Maandinkomen", "salario", "cuota", "preço"):  # fmt: skip
        assert is_money(name), name
    for name in ("numero_parcelas", "taxa_valor", "anzahl_raten", "prazo_meses", "aantal_leningen"):
        assert not is_money(name), name


@pytest.mark.parametrize("mark", [";", "|", ", "])
def test_several_labels_in_a_cell_are_told(mark):
    products = ["loan", "card", "savings", "broker"]
    sets = [mark.join(some) for n in range(5) for some in combinations(products, n)]
    told = lists_of_labels(pd.Series(20, index=sets))
    assert told.startswith(f"cells list several of 4 labels between {mark.strip()!r}: give each")
    for others in (products, [f"Berlin{mark}{n}" for n in range(20)],
                   [f"{n}{mark}{m}" for n in range(9) for m in range(9)]):  # fmt: skip
        assert lists_of_labels(pd.Series(20, index=others)) is None


def test_amounts_in_two_currencies_are_not_compared():
    columns = [ColumnFinding(name, "amount") for name in ("income_inr", "loan_amount_USD", "rent")]
    name_units(columns)
    assert [column.unit for column in columns] == ["INR", "USD", None]
    columns = [ColumnFinding("invoice", "amount", unit="USD"), ColumnFinding("open", "number")]
    columns[1].unit = "EUR"
    name_units(columns)
    assert [column.unit for column in columns] == ["USD", "EUR"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("debt_to_income", "ratio"),
        ("LoanToValue", "ratio"),
        ("Schulden_zu_Einkommen", "ratio"),
        ("dette_sur_revenu", "ratio"),
        ("deuda_sobre_ingresos", "ratio"),
        ("DTI", "ratio"),
        ("Prämie_zu_Einkommen", "ratio"),
        ("income", "amount"),
        ("transfer_to_savings", "amount"),
        ("amount_to_pay", "amount"),
        ("months_to_payment", "number"),
    ],
)
def test_one_amount_beside_another_is_a_ratio(name, kind):
    assert kind_of_numbers(name, np.array([0.2, 0.35, 1.4])) == kind


COIN = np.arange(2000) % 2.0


@pytest.mark.parametrize(
    ("sizes", "code", "found"),
    [
        ("age", 999.0, (999.0,)),
        ("age", -1.0, (-1.0,)),
        ("count", 98.0, (98.0,)),
        ("age", 99.0, ()),  # people of 99 there are
        ("income", None, ()),
        ("net", None, ()),
        ("count", None, ()),
        ("few", 999.0, (999.0,)),
        ("few", -1.0, ()),  # -1, 0, 1, 2 may be sizes
    ],
)
def test_codes_lie_apart_and_repeat(sizes, code, found):
    generator = np.random.default_rng(3)
    values = {
        "age": generator.integers(18, 95, 2000),
        "count": generator.poisson(2, 2000),
        "income": generator.lognormal(8, 1.5, 2000),
        "few": generator.integers(0, 3, 2000),
        "net": generator.integers(-2, 3, 2000),
    }[sizes].astype(float)
    if code is not None:
        values[:40] = code
    assert special_codes(values, COIN) == found
    if found:
        few = np.where(values == code, np.nan, values)
        few[:5] = code
        assert special_codes(few, COIN) == ()


@pytest.mark.parametrize(
    ("value", "up", "rounded"),
    [(0.0, True, 0), (3.2, True, 5), (3.2, False, 2), (-3.2, False, -5), (-3.2, True, -2)],
)
def test_ranges_are_round_and_outside(value, up, rounded):
    assert round_outwards(value, up) == rounded


def test_a_line_that_is_too_long_stands_below_one_another():
    call = Call("category", ("c" * 60, "d" * 40), (("note", "word " * 40 + "end"),))
    lines = expression(call, 8)
    assert all(width(line) <= 100 for line in lines)
    text = "".join(lines).strip().removesuffix(",")
    assert eval(text, {"category": lambda one, other, note: (one, other, note)}) == (
        "c" * 60,
        "d" * 40,
        "word " * 40 + "end",
    )


@pytest.mark.parametrize("text", ["a", 'a"b', "it's", "both \" and '", "\\", "\n", "\u2028"])
def test_text_is_written_as_python_reads_it(text):
    assert eval(literal(text)) == text
