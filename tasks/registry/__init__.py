"""Registered models: versions, champions, serving."""
