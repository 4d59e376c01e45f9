"""From an undeclared table to the file of a use case, with the reason beside each line."""
