"""Tables with the traps that a draft must find, and none that it must not."""

import numpy as np
import pandas as pd

RARE_LABEL = "Schloss Bellevue"  # of three rows: somebody could be recognised by it


def german_loans(rows: int = 3000, seed: int = 1) -> pd.DataFrame:
    """Loans as a German bank might export them, sorted by the target, with ten traps."""
    generator = np.random.default_rng(seed)
    income = generator.gamma(2, 1500, rows).round(2)
    utilisation = generator.beta(2, 4, rows).round(4)
    odds = -2 - (income - 3000) / 1500 + 2.5 * utilisation
    defaulted = generator.random(rows) < 1 / (1 + np.exp(-odds))
    opened = pd.Timestamp("2021-01-01") + pd.to_timedelta(generator.integers(0, 700, rows), "D")
    closed = opened + pd.to_timedelta(generator.integers(10, 300, rows), "D")
    home = generator.choice(["Miete", "Eigentum", "Eltern"], rows)
    district = generator.choice(["Süd", "Nord", "Ost", "West"], rows)
    district[:3] = RARE_LABEL
    table = pd.DataFrame(
        {
            "eröffnet_am": opened.strftime("%d.%m.%Y"),
            "Einkommen": np.where(generator.random(rows) < 0.1, np.nan, income),
            "Alter": generator.integers(18, 85, rows),
            "Auslastung": utilisation,
            "verzugstage": np.where(generator.random(rows) < 0.04, 999, generator.poisson(2, rows)),
            "Wohnung": home,
            "Bezirk": district,
            "Postleitzahl": [f"{code:05d}" for code in 1067 + 7 * generator.integers(0, 50, rows)],
            "Währung": "EUR",
            "Rückfluss": np.where(defaulted, generator.gamma(2, 300, rows).round(2), np.nan),
            "Mahnstufe": np.where(defaulted, 3, generator.integers(0, 2, rows)),
            "Bemerkung": [
                f"hat am {n}. Tag {n * 7919} mal gefragt und nichts getan" for n in range(rows)
            ],
            "gekündigt_am": closed.strftime("%d.%m.%Y"),
            "Wohnung_code": pd.Series(home).map({"Miete": 1, "Eigentum": 2, "Eltern": 3}),
            "ausgefallen": np.where(defaulted, "ja", "nein"),
        }
    )
    table["Einkommen_kopie"] = table["Einkommen"]
    table = table.sort_values("ausgefallen", kind="stable")
    table.insert(0, "Kundennummer", np.arange(rows) + 50_000)
    return table


def write_german(table: pd.DataFrame, path) -> None:
    table.to_csv(path, sep=";", decimal=",", index=False, encoding="cp1252")


if __name__ == "__main__":  # the tables of docs/first_ten_minutes.md
    write_german(german_loans(), "kredite.csv")
    new = german_loans(rows=200, seed=2).drop(columns=["ausgefallen", "Rückfluss", "Mahnstufe"])
    write_german(new, "neue_antraege.csv")
