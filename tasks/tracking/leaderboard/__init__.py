"""Finished trainings read back, by use case, the best first."""
