"""Card frauds with ready-made columns, as the docstring of ``fraud_detection`` declares them."""

from modelling.declaration import Source, UseCase, amount, number

USE_CASE = UseCase(
    name="ready_made_cards",
    title="Card frauds (Universite Libre de Bruxelles)",
    problem="binary",
    source=Source(uri="openml:1597"),
    target="Class",
    columns=(amount("Amount"), *(number(f"V{i}") for i in range(1, 29))),
)
