"""Rows as numbers, fitted on training rows only."""
