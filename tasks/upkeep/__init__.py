"""Ends what died, and checks for common problems."""
