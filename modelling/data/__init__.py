"""From a source to rows that are typed, derived and split."""
