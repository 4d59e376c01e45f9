"""Files, databases and packages, read as text and typed cell by cell."""
