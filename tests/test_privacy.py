"""No customer's value in a log, an error, a report or an artifact."""

import sqlite3

import pandas as pd

CANARIES = {"MonthlyIncome": 7654321.0, "DebtRatio": 34567.125, "age": 117}


def test_no_cell_reaches_the_store_or_the_screen(finflows, store, credit_table, tmp_path):
    """Cells that stand out are planted in rows that break warnings, then looked for everywhere."""
    table = credit_table.copy()
    for name, value in CANARIES.items():
        table[name] = table[name].astype("float64")
        table.loc[:3, name] = value
    path = tmp_path / "borrowers.csv"
    table.to_csv(path, index=False)
    done = finflows(
        "train", "credit_scoring", "--data", path, "--set", "training.epochs=2", "--verbose"
    )
    assert done.returncode == 0, done.stderr
    written = done.stdout + done.stderr
    readable = {".md", ".json", ".csv", ".txt", ".yaml", ".yml", ".html"}
    for artifact in store.rglob("*"):
        # The fitted statistics may hold an extreme of a column; reports and tables may not.
        if artifact.suffix in readable and artifact.name != "scorer.json":
            written += artifact.read_text(errors="ignore")
    database = sqlite3.connect(store / "mlflow.db")
    for (name,) in database.execute("select name from sqlite_master where type='table'").fetchall():
        written += pd.read_sql(f"select * from {name}", database).to_csv()
    for value in ("7654321", "34567.125"):
        assert value not in written
