"""What a draft makes of the target: its labels, their order, and which of them is to be found."""

import re

import numpy as np
import pandas as pd
import pytest
from small_models import drafted, loan_table, prepared

from flows.command_line.drafted import found_in
from modelling.declaration import Source
from modelling.drafting.columns.findings import Wanted
from modelling.drafting.drafting import draft_table
from modelling.drafting.writer import declared_by, draft_text
from modelling.refusals import DataRefused


@pytest.mark.parametrize(
    ("labels", "positive", "certain"),
    [
        (["no", "yes"], "yes", True),
        (["good", "bad"], "bad", True),
        (["paid", "Charged Off"], "Charged Off", True),
        (["정상", "연체"], "연체", True),
        (["0", "1"], "1", True),
        (["blue", "red"], "red", False),
        (["2", "1"], "1", False),
    ],
)
def test_the_positive_label_is_the_worse_or_the_rarer_and_said(labels, positive, certain):
    table = loan_table(400)
    table["default"] = np.where(table["default"] == 1, labels[1], labels[0])
    target = drafted(table, "default").target
    assert (str(target.classes[1]), target.certain) == (positive, certain)
    assert repr(positive) in target.reason


def test_labels_that_differ_in_capital_letters_are_one_label_of_the_target():
    table = loan_table(400)
    bad = np.where(np.arange(400) % 3, "Y", "y")
    table["default"] = np.where(table["default"] == 1, bad, "N")
    findings = drafted(table.assign(flag=bad), "default")
    assert findings.target.classes == ("N", "Y")
    assert findings.worth_a_look[0].endswith(
        "'Y' and 'y' differ only in capital letters: taken for one."
    )
    assert declared_by(draft_text(findings)).merge_classes == {"Y": ("y",)}
    (flag,) = (c for c in findings.columns if c.name == "flag")
    assert flag.notes == ["'Y' and 'y' differ only in capital letters: write them alike."]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["Zu\u0308rich", "z\u00fcrich"], "capital letters"),
        (["Bern", "Bern\u200b"], r"'Bern' and 'Bern\\u200b'"),
        (["\u0130zmir", "izmir"], "capital letters"),
        (["I\u011eDIR", "I\u011fd\u0131r"], "capital letters"),
    ],
)
def test_labels_that_look_the_same_are_told(labels, said):
    table = loan_table(400).assign(city=np.array(labels)[np.arange(400) % 2])
    (city,) = (c for c in drafted(table, "default").columns if c.name == "city")
    assert re.search(
        f"{said}.* letters: write them alike" if "and" in said else said, city.notes[0]
    )


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("Tak", "Nie"),
        ("Sim", "N\u00e3o"),
        ("EVET", "HAYIR"),
        ("\u662f", "\u5426"),
        ("\u0646\u0639\u0645", "\u0644\u0627"),
    ],
)
def test_yes_is_the_positive_label_in_other_languages_too(yes, no):
    table = loan_table(2000)
    table["default"] = np.where(np.arange(2000) % 3, yes, no)  # the rarer one is no
    target = drafted(table, "default").target
    assert (target.classes, target.certain) == ((no, yes), True)


@pytest.mark.parametrize(
    "scale",
    [("AAA", "AA+", "AA-", "A", "BBB+", "BBB"), ("Aaa", "Aa1", "Aa3", "A2", "Baa1", "Baa2")],
)
def test_grades_are_in_the_order_of_their_agency(scale):
    """The few of the best grade count as the next one, not as the worst."""
    rows_of = dict(zip(scale, (5, 80, 80, 80, 80, 75), strict=True))
    grades = [grade for grade, rows in rows_of.items() for _ in range(rows)]
    target = drafted(loan_table(400).assign(grade=grades), "grade").target
    assert (target.classes, target.ordered) == (scale[1:], True)
    assert target.merge_classes == {scale[1]: ()}


def test_nobody_is_asked_for_the_positive_one_of_three_labels():
    labels = np.where(np.arange(400) % 4 > 2, "paid", "Paid")
    three = np.where(np.arange(400) % 3, labels, np.where(np.arange(400) % 2, "late", "lost"))
    findings = draft_table(
        loan_table(400).assign(status=three),
        Source(uri="table.csv"),
        (),
        Wanted("x", "status"),
        ask=lambda _: pytest.fail("asked"),
    )
    assert findings.target.classes == ("Paid", "late", "lost")


@pytest.mark.parametrize(
    ("cell", "said"),
    [("inf", "2 cells of the target are infinite"), ("#DIV/0!", "2 cells of the target are some")],
)
def test_a_target_with_cells_that_are_no_sizes_is_refused_with_how_many(cell, said):
    table = loan_table(400)
    losses = table["income"].astype("str")
    losses[:2] = cell
    with pytest.raises(DataRefused, match=said):
        drafted(table.assign(loss=losses), "loss")


@pytest.mark.parametrize(
    ("rows_of", "classes", "merged", "ordered"),
    [
        ({"A": 300, "B": 200, "C": 80, "D": 12, "E": 3}, ("A", "B", "C"), "C", True),
        ({"1": 9, "2": 300, "3": 200, "4": 90}, (2, 3, 4), "2", True),
        ({"1": 9, "2": 300, "3": 200, "4": 90, "5": 15}, (2, 3, 4, "other"), "other", False),
        ({"red": 300, "blue": 200, "tan": 90, "pink": 5}, ("blue", "red", "tan"), "tan", False),
    ],
)  # fmt: skip
def test_a_class_of_few_rows_is_counted_and_not_named(rows_of, classes, merged, ordered):
    labels = [label for label, rows in rows_of.items() for _ in range(rows)]
    table = loan_table(len(labels)).assign(default=labels).drop(columns="region")
    findings = drafted(table, "default")
    target = findings.target
    assert (target.classes, target.ordered) == (classes, ordered)
    assert target.merge_classes == {merged: ()}
    text = draft_text(findings)
    assert not [label for label, rows in rows_of.items() if rows < 20 and f'"{label}"' in text]
    data = prepared(declared_by(text), table)
    assert data.report.critical == ()
    assert sum(map(len, data.parts)) == len(table)


@pytest.mark.parametrize(
    ("labels", "word"),
    [
        (("no", "yes"), "Unknown"),
        (("good", "bad"), "?"),
        (("0", "1"), "-999"),
        (("1", "2"), "9"),
    ],
)
def test_a_word_or_code_for_no_label_is_no_class(labels, word):
    """As it is written beside two labels; those rows are left out, and that is said."""
    table = loan_table(400)
    table["default"] = np.where(table["default"] == 1, labels[1], labels[0])
    table.loc[::10, "default"] = word
    findings = drafted(table, "default")
    assert tuple(map(str, findings.target.classes)) in (labels, labels[::-1])
    assert (findings.rows, findings.unlabelled) == (360, 40)
    assert f"'default': {word!r} is taken for no label, as an empty cell is" in findings.source.said
    assert declared_by(draft_text(findings)).unlabelled == "drop"
    assert dict(found_in(findings))["rows"] == "360; 40 more without a label that can be learnt"


@pytest.mark.parametrize("third", ["current", "7", "-1"])
def test_a_third_label_that_means_something_is_a_class(third):
    table = loan_table(400).astype({"default": "str"})
    table.loc[::10, "default"] = third
    findings = drafted(table, "default")
    assert (len(findings.target.classes), findings.unlabelled) == (3, 0)


def test_a_header_on_every_page_is_no_row():
    """Nor is a page's number or the total below a report, which have no label."""
    table = loan_table(400).astype("str").replace({"default": {"0": "STD", "1": "NPA"}})
    header = pd.DataFrame([dict(zip(table.columns, table.columns, strict=True))])
    pages = [table.iloc[first : first + 40] for first in range(0, 400, 40)]
    printed = pd.concat([part for page in pages for part in (page, header)], ignore_index=True)
    findings = drafted(printed, "default")
    assert (findings.target.classes, findings.target.certain) == (("STD", "NPA"), True)
    assert (findings.rows, findings.unlabelled) == (400, 10)


def test_a_date_of_default_is_no_target():
    day = pd.Series(pd.date_range("2020-01-01", periods=400)).dt.strftime("%Y-%m-%d")
    with pytest.raises(DataRefused, match=r"defaulted_on: points in time, .* whether there is one"):
        drafted(loan_table(400).assign(defaulted_on=day.where(day.index % 4 == 0)), "defaulted_on")


def test_numbers_of_a_target_that_were_not_read_are_told():
    amounts = (loan_table(400)["income"].fillna(900) + np.arange(400) / 100).map("{:.2f}".format)
    written = amounts.str.replace(".", ",")
    with pytest.raises(DataRefused, match=r"numbers with fractions: say in the source how they"):
        drafted(loan_table(400).assign(loss=written), "loss")


def test_single_letters_far_apart_are_in_no_order():
    votes = np.array(["A", "N", "U", "Y"])[np.arange(400) % 4]
    assert not drafted(loan_table(400).assign(vote=votes), "vote").target.ordered
