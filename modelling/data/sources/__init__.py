"""Where tables come from: one module per kind of source."""
