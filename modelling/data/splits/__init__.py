"""How a table is cut into training, validation and test rows: one module per split."""
