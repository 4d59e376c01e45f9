"""MLflow's pages as this project shows them, under a name that a wheel has too: MLflow finds it as
the entry point ``finance-flows`` of ``mlflow.app``."""

from tasks.tracking.ui import app

__all__ = ["app"]
