"""What changed since a version was judged: drift of columns and answers, and outcomes."""
