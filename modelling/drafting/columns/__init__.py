"""Each column of an undeclared table: how it is written, what it holds, and what it gives away."""
