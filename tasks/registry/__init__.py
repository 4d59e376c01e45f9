"""Registered models: versions, champions, approvals, dossiers, serving."""
