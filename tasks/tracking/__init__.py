"""Runs in MLflow: what is recorded of a training, and read again."""
