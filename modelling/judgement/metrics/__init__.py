"""One module for each family of metrics: its records, and how each is computed."""
