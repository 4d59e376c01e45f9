"""Where the names of columns stand in a table, and what stands above, below and around them."""

import pandas as pd
import pytest
from small_models import loan_table
from sqlalchemy import create_engine
from written_tables import NAMES, same, table, typed

from modelling.data.loading import read_source, read_table
from modelling.data.sources.frames import in_memory
from modelling.declaration import Source
from modelling.drafting.columns.table_source import read_undeclared
from modelling.refusals import DataRefused, UsageError


def test_a_column_under_a_name_that_looks_alike_is_told_whatever_the_table_came_in(tmp_path):
    spelled = table().rename(columns={"age": "Age", "opened_on": "Opened-On"})
    spelled.to_csv(tmp_path / "a.csv", index=False)
    spelled.to_excel(tmp_path / "a.xlsx", index=False)
    spelled.to_parquet(tmp_path / "a.parquet")
    spelled.to_json(tmp_path / "a.jsonl", orient="records", lines=True, date_format="iso")
    (tmp_path / "parts").mkdir()
    spelled.to_parquet(tmp_path / "parts" / "a.parquet")
    uri = f"sqlite:///{tmp_path}/loans.db"
    spelled.to_sql("loans", create_engine(uri), index=False)
    said = r"called as they are declared: 'age' \(not 'Age'\), 'opened_on' \(not 'Opened-On'\)$"
    for name in ("a.csv", "a.xlsx", "a.parquet", "a.jsonl", "parts"):
        with pytest.raises(DataRefused, match=f"{name}: columns must be {said}"):
            typed(tmp_path / name)
    with pytest.raises(DataRefused, match=said):
        typed(uri, query="SELECT * FROM loans")
    with in_memory(spelled, "loans") as address, pytest.raises(DataRefused, match=said):
        typed(address)
    both = table().assign(Age=1)
    both.to_csv(tmp_path / "a.csv", index=False)
    same(typed(tmp_path / "a.csv")[0])


def test_lines_may_end_in_a_delimiter_that_the_header_lacks_but_hold_no_more(tmp_path):
    lines = table().drop(columns="city").assign(city="x").to_csv(index=False).splitlines()
    path = tmp_path / "a.csv"
    path.write_text("\n".join([lines[0], *(f"{line}," for line in lines[1:])]) + "\n")
    read, _ = typed(path)
    assert read["age"].tolist() == table()["age"].tolist()
    path.write_text("\n".join([lines[0], *(f"{line},7" for line in lines[1:])]) + "\n")
    with pytest.raises(DataRefused, match="lines have 1 more cells than the header has names"):
        typed(path)
    path.write_text("\n".join([*lines[:30], lines[30] + ",987654", *lines[31:]]) + "\n")
    with pytest.raises(DataRefused, match="has 7 cells where the header names 6") as refused:
        typed(path)
    assert "987654" not in str(refused.value)


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_title_above_the_header_is_refused_with_the_line_to_add(tmp_path, delimiter):
    path = tmp_path / "a.csv"
    text = table().to_csv(index=False, sep=delimiter)
    path.write_text(f"Loans\n\nas of{delimiter}2020-01-01\n{text}")
    for read in (typed, read_source):
        with pytest.raises(DataRefused, match="if line 4 names them, add header_line=4"):
            read(path) if read is typed else read(Source(uri=str(path)))
    same(typed(path, header_line=4)[0])
    with pytest.raises(UsageError, match="has no line 900"):
        typed(path, header_line=900)


@pytest.mark.parametrize(
    "title", ["Loans,Zurich,2020,CHF,,", "Loans,Zurich,as of,2020-01-01,page,1", "a,b,c,d"]
)
def test_a_title_may_fill_most_of_the_columns(tmp_path, title):
    path = tmp_path / "a.csv"
    path.write_text(f"{title}\n{table().to_csv(index=False)}")
    with pytest.raises(DataRefused, match="if line 2 names them, add header_line=2"):
        typed(path)


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize(
    "units", [["years", "EUR", "", "", "date", ""], ["[a]", "[€]", *["[-]"] * 4]]
)
def test_a_line_of_units_below_the_header_is_named_as_such(tmp_path, suffix, units):
    """A draft took it for a row without a label, whose columns could then not be trained on."""
    path, rows = tmp_path / f"a.{suffix}", table().astype({"opened_on": "str"})
    with_units = pd.concat([pd.DataFrame([units], columns=NAMES), rows.astype(object)])
    save = pd.DataFrame.to_csv if suffix == "csv" else pd.DataFrame.to_excel
    save(with_units, path, index=False)
    for read in (typed, read_source):
        with pytest.raises(
            DataRefused, match=r"line 2 has words, such as units, over [35] columns"
        ):
            read(path) if read is typed else read(Source(uri=str(path)))
    save(pd.concat([rows.astype(object), pd.DataFrame([units], columns=NAMES)]), path, index=False)
    assert len(read_source(Source(uri=str(path)))[0]) == len(rows) + 1


def test_a_first_row_without_numbers_is_no_line_of_units(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b,on\n-,-,2021-01-01\n" + "5,6,2021-01-02\n" * 9)
    assert len(read_source(Source(uri=str(path)))[0]) == 10
    path.write_text("a,b\n-,-\n" + "5,6\n" * 9)
    assert len(read_source(Source(uri=str(path), missing=("-",)))[0]) == 10


@pytest.mark.parametrize(
    "text",
    [
        ",name,amount\nx,Ann,5\ny,Ben,6\n",
        "a,,amount\nx,p,n/a\ny,q,n/a\nz,p,5\n",
        "id,1,2\nx,4,5\ny,6,7\n",
        "name,,city\nAnn,x,Rome\nBen,y,Oslo\n",
    ],
)
def test_a_header_with_a_gap_or_a_number_is_no_title(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    assert len(read_source(Source(uri=str(tmp_path / "a.csv")))[0]) == text.count("\n") - 1


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_of_a_name_that_stands_twice_a_draft_takes_neither_and_says_so(tmp_path, suffix):
    """Declared, it is refused: the draft would be of a table that can't be trained on."""
    path = tmp_path / f"a.{suffix}"
    twice = pd.concat([table(), table()[["age"]]], axis="columns")
    twice.to_csv(path, index=False) if suffix == "csv" else twice.to_excel(path, index=False)
    with pytest.raises(DataRefused, match="columns named twice: age"):
        typed(path)
    read, source, said = read_undeclared(Source(uri=str(path)))
    assert sorted(read.columns) == sorted(set(table().columns) - {"age"})
    assert source.model_fields_set <= {"uri", *Source.model_fields}
    assert "columns named twice, left out: age" in said


def test_a_title_above_a_list_between_bars_is_told_by_the_line_of_its_names(tmp_path):
    """As SAP prints lists; the line of names is not taken for units."""
    barred = table().assign(city="x").to_csv(index=False, sep="|").splitlines()
    lines = ["List of loans", *(f"|{line}|" for line in barred)]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    read, source, said = read_undeclared(Source(uri=str(tmp_path / "a.txt")))
    assert (source.header_line, len(read)) == (2, len(table()))
    assert "columns without a name, left out: 2" in said
    (tmp_path / "b.txt").write_text("\n".join(lines[1:]))
    assert len(read_source(Source(uri=str(tmp_path / "b.txt")))[0]) == len(table())


def test_names_in_two_lines_below_a_title_are_refused_as_that(tmp_path):
    """As a pivoted sheet has them: years in one line, and below each what was counted."""
    title, years = ["Portfolio", *[None] * 4], ["Branch", "2021", None, "2022", None]
    counted = [None, "Balance", "Late", "Balance", "Late"]
    cells = [[f"{row:03d}", row * 9.5, row % 3, row * 7.5, row % 2] for row in range(60)]
    path = tmp_path / "a.xlsx"
    pd.DataFrame([title, years, counted, *cells]).to_excel(path, index=False, header=False)
    with pytest.raises(
        DataRefused, match=r"names 1 of 5 columns, and no other line names them all"
    ):
        read_source(Source(uri=str(path)))


def test_the_line_with_another_number_of_cells_is_named_as_an_editor_counts(tmp_path):
    """Such as a remark below the table; cells of two lines and empty lines count, a title too."""
    text = table().to_csv(index=False).replace("\n", "\n\n", 1)
    path = tmp_path / "a.csv"
    path.write_text(f"Loans\n{text}* not audited\n")
    line = path.read_text().count("\n")
    with pytest.raises(DataRefused, match=rf"line {line} has 1 cell where the header names 6"):
        typed(path, header_line=2)


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_a_column_without_a_name_is_left_out_and_that_is_said(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    nameless = table().rename(columns={"branch": " "})
    nameless.to_csv(path, index=False) if suffix == "csv" else nameless.to_excel(path, index=False)
    read, _, said = read_undeclared(Source(uri=str(path)))
    assert "branch" not in read
    assert "columns without a name, left out: 1" in said
    assert read_source(Source(uri=str(path)), {"age"})[1].nameless == 0  # nothing else is wanted


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_a_line_of_names_means_nothing_where_columns_have_names(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        table().to_parquet(path)
    else:
        path.write_text('{"age": 40}\n')
    with pytest.raises(UsageError, match=r"header_line=2 means nothing in .*: remove it"):
        typed(path, header_line=2)


def test_blanks_around_the_names_of_a_header_do_not_count(tmp_path):
    """Nor do they in a spreadsheet, where nobody sees them."""
    padded = table().rename(columns={"age": " age", "city": "city "})
    padded.to_csv(tmp_path / "t.csv", index=False)
    padded.to_excel(tmp_path / "t.xlsx", index=False)
    padded.to_json(tmp_path / "t.jsonl", orient="records", lines=True, date_format="iso")
    for name in ("t.csv", "t.xlsx", "t.jsonl"):
        source = Source(uri=str(tmp_path / name))
        assert list(read_source(source)[0]) == NAMES
        assert " age" in read_source(source, {" age", "branch"})[0]  # as an older draft declares it
    twice = tmp_path / "twice.jsonl"
    twice.write_text('{"age": 4, "note": "a", " note": "b"}\n')
    read, found = read_source(Source(uri=str(twice)))
    assert list(read) == ["age"]
    assert found.in_words() == ("columns named twice, left out: note",)
    assert list(read_source(Source(uri=str(twice)), {" note"})[0][" note"]) == ["b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id   age  default\n1    40   0\n2    55   1\n", "seem to be separated by blanks: save"),
        ("'id';'city'\n1;'Rome'\n2;'Oslo'\n", "stand in single quotes: save it with double"),
        ("id,city\n1,'Rome, IT'\n2,'Oslo'\n", "stand in single quotes: save it with double"),
    ],
)
def test_blanks_between_cells_and_single_quotes_are_refused_with_what_to_do(tmp_path, text, said):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(DataRefused, match=said):
        read_source(Source(uri=str(tmp_path / "a.txt")))
    (tmp_path / "a.txt").write_text("city,name\n's Hertogenbosch,O'Brien\n'n Dam,D'Arc\n")
    assert len(read_source(Source(uri=str(tmp_path / "a.txt")))[0]) == 2


def test_a_title_above_the_header_of_a_sheet(tmp_path):
    path = tmp_path / "a.xlsx"
    with pd.ExcelWriter(path) as book:
        table().to_excel(book, sheet_name="loans", index=False, startrow=3)
        book.sheets["loans"]["A1"] = "Loans, as of 2020"
    with pytest.raises(DataRefused, match="if line 4 names them, add header_line=4"):
        typed(path)
    same(typed(path, header_line=4)[0])


def test_keys_of_json_are_names_as_in_a_header(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = table().assign(opened_on=lambda t: t["opened_on"].dt.strftime("%Y-%m-%d"))
    first = rows.columns[0]
    rows.rename(columns={first: f" {first} "}).to_json(path, orient="records", lines=True)
    same(typed(path)[0])
    rows.assign(**{f" {first} ": 1}).to_json(path, orient="records", lines=True)
    with pytest.raises(DataRefused, match=f"columns named twice: {first}"):
        typed(path)


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_header_on_every_page_and_totals_are_left_out_and_counted(tmp_path, suffix):
    loans = loan_table(60)[["income", "age", "housing"]]
    loans.insert(0, "contract", [f"L{number}" for number in range(60)])
    header = pd.DataFrame([dict(zip(loans.columns, loans.columns, strict=True))])
    total = pd.DataFrame([{"contract": "Grand total: 60", "income": 1e6}])
    printed = pd.concat([loans[:30], header, loans[30:], header, total])
    file = tmp_path / f"loans{suffix}"
    printed.to_csv(file, index=False) if suffix == ".csv" else printed.to_excel(file, index=False)
    read, found = read_source(Source(uri=str(file)))
    assert read["contract"].tolist() == loans["contract"].tolist()
    assert found.in_words() == ("lines with the header again or totals, left out: 3",)


def test_a_row_that_says_total_among_other_words_is_a_row(tmp_path):
    """As a purchase at a petrol station of that name: at a time, or with all numbers elsewhere."""
    file = tmp_path / "cards.csv"
    file.write_text(
        "card,merchant,amount,at\n1,TOTAL,40,2024-01-05 10:00\n2,TOTAL,,2024-01-06 11:00\n"
        "3,Shell,30,\n4,TOTAL,20,2024-01-07\nL5,Total,,\n"
    )
    assert len(read_table(Source(uri=str(file)))) == 5
    file.write_text("card,merchant,amount\n1,TOTAL,40\n2,Shell,50\n3,TOTAL,\n")
    assert len(read_table(Source(uri=str(file)))) == 3
