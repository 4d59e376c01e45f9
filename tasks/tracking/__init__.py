"""All that talks to MLflow: the store, the run of a training, the registry."""
