"""What the name of a column suggests: words of eight languages, found in its parts.

A name is a hint and never a proof: what a column is declared as follows from its cells too.
"""

import re
import unicodedata
from collections.abc import Iterable

# Of the codes of currencies those that are no other word: sek are seconds, too.
MONEY = (
    "amount amt amnt balance bal income inc salary wage revenue turnover price cost fee payment "
    "pay debt limit saving savings deposit instalment installment premium asset assets capital "
    "money fare usd eur gbp chf jpy krw "
    "betrag saldo einkommen gehalt lohn umsatz preis kosten schulden rate sparen vermogen "
    "pramie beitrag miete "
    "montant solde revenu revenus salaire prix cout dette epargne loyer mensualite encours "
    "importe monto ingreso ingresos sueldo salario precio coste costo deuda ahorro cuota renta "
    "valor montante renda rendimento receita preco custo divida poupanca prestacao parcela "
    "importo reddito stipendio prezzo debito risparmio fatturato affitto canone "
    "bedrag inkomen loon salaris omzet prijs schuld spaargeld premie huur "
    "금액 소득 급여 잔액 대출 한도 매출 가격"
)
MONEY_AT_THE_END = (  # of what
    "loan credit paid claim equity value cash utilized utilised owed borrowed kredit pret prestamo "
    "valeur valore waarde wert emprestimo prestito lening"
)
NOT_MONEY = (
    "rate ratio share percent pct utilization utilisation number num count months days rating "
    "score term accounts lines inquiries contracts konten comptes cuentas contas conti rekeningen "
    "anzahl nombre cantidad quantidade numero aantal taux tasa taxa tasso monate mois meses "
    "mesi maanden tage jours dias giorni dagen"
)
SHARES = (
    "share ratio percent percentage pct probability prob utilization utilisation fraction "
    "ltv lti dti "
    "anteil quote prozent wahrscheinlichkeit part taux proportion pourcentage porcentaje tasa "
    "taxa tasso percentuale aandeel "
    "비율 이율"
)
BESIDE = ("to", "zu", "sur", "sobre")  # debt_to_income
TO_BE_DONE = ("pay", "claim")  # amount_to_pay is no comparison
COUNTS = "number num count times cnt n anzahl nombre numero nb cantidad quantidade aantal 건수 횟수"
# Whom or what a row is about. Each of the first names an identifier also by itself; the others do
# with a number, as in loan_number or userid.
CUSTOMERS = (
    "account acct applicant borrower card client contract counterparty cust customer debtor "
    "obligor kunde kunden konto schuldner vertrag compte contrat debiteur cliente cuenta contrato "
    "deudor conta devedor contratto debitore klant"
)
SOMEBODY = (
    f"{CUSTOMERS} case claim company device employee firm hh holder household id insured "
    "invoice loan member merchant order party patient people person policy school shop store "
    "student subject supplier terminal transaction txn user vendor "
    "antrag filiale handler karten mitarbeiter police vertrags tarjeta carte"
)
NUMBERS = "id ids key uuid guid nr no"
NUMBERS_OF_SOMEBODY = f"{NUMBERS} nbr num number nummer numero ref reference code"
NUMBERS_AT_THE_END = f"{NUMBERS} iban uid pid idnr"  # of whatever: of an identifier
IDENTIFIERS = (  # a name of nothing else
    f"{CUSTOMERS} {NUMBERS} iban identifier identifiant index nummer numero row rowname rownames "
    "번호 고객번호 계좌번호 아이디"
)
DATES = "date datetime datum sdatum stichtag fecha dt 날짜 일자 일시"  # and Eröffnungsdatum
DATES_AT_THE_END = ("on", "am", "at")  # opened_on; months_on_book and age_at_entry are none
TIMES = (
    f"{DATES} time timestamp ts epoch day month quarter period snapshot vintage yyyymm zeit "
    "zeitpunkt tag monat quartal periode jour mois trimestre heure hora dia mes periodo at 시간"
)
YEARS = "year jahr annee ano anno jaar 연도 년도"
CODES = (
    "code type class kind branch region sector industry status category group purpose product "
    "channel art typ klasse filiale branche zweck produkt kanal secteur sucursal sector producto "
    "코드 유형 지점 업종"
)
NEVER_SIZES = "mcc naics nace sic"  # codes of industries: there are hundreds


def parts_of(name: str) -> list[str]:
    """The words of a name in lower case without accents: ``MonthlyIncome_EUR`` has three."""
    plain = unicodedata.normalize("NFC", _without_accents(name))
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", plain)
    return [part.lower() for part in re.findall(r"[^\W\d_]+", spaced)]


def _without_accents(text: str) -> str:
    marks = unicodedata.normalize("NFKD", text)
    return "".join(mark for mark in marks if not unicodedata.combining(mark)).replace("ß", "ss")


def suggests(name: str, words: str | Iterable[str]) -> bool:
    """Whether one of the ``words`` is a part of ``name``; longer words and those of other alphabets
    also inside one, as in ``Kundeneinkommen``."""
    listed = words.split() if isinstance(words, str) else words
    parts = parts_of(name)
    plain = [unicodedata.normalize("NFC", _without_accents(word)).lower() for word in listed]
    return any(word in parts or any(_is_inside(word, part) for part in parts) for word in plain)


def _is_inside(word: str, part: str) -> bool:
    """Whether a word inside another still means itself: ``betrag`` in ``kreditbetrag`` does,
    ``age`` in ``mortgage`` does not."""
    if len(word) >= 7 or not word.isascii():
        return word in part
    return len(word) == 6 and part.endswith(word)


def is_called_a_date(name: str) -> bool:
    """Whether a name is that of a date: ``opened_on`` and ``Eröffnungsdatum`` are."""
    return suggests(name, DATES) or (parts_of(name) or [""])[-1] in DATES_AT_THE_END


def names_somebody(name: str) -> bool:
    """Whether a name is that of an identifier: ``customer_no`` and ``customerid`` are,
    ``customer_income``, ``amountpaid`` and ``visits_no`` are not."""
    parts = parts_of(name)
    if not parts:
        return False
    *before, last = parts
    if last in ("no", "nr") and before and re.search("[^s]s$", before[-1]):
        return False  # how many
    if last in NUMBERS_AT_THE_END.split() or _is_number_of_somebody(last):
        return True
    if before and last in NUMBERS_OF_SOMEBODY.split() and before[-1] in SOMEBODY.split():
        return True
    known = {_without_accents(word) for word in IDENTIFIERS.split()}
    known = {unicodedata.normalize("NFC", word) for word in known}
    return all(part in known or _is_number_of_somebody(part) for part in parts)


def _is_number_of_somebody(part: str) -> bool:
    """Whether both words are written as one: ``custid``, ``accountno``, ``idcode``."""
    return any(
        part == who + number for who in SOMEBODY.split() for number in NUMBERS_OF_SOMEBODY.split()
    )
