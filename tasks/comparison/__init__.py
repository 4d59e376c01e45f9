"""Finished trainings side by side: which is best, by how much, against what, and what differs."""
