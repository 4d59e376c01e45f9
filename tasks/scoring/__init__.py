"""A table of any size in, its answers and the rows that were refused out."""
