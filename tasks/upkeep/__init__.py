"""Ends what died, and checks for the usual traps."""
