"""A comparison as a run in MLflow, with its pages."""

from collections.abc import Mapping

from tasks.tracking.store import connect, experiment_id

COMPARISONS = "comparison"  # the experiment of these runs


def log_comparison(files: Mapping[str, str]) -> str:
    """Log each file's text to a new run; its id."""
    client = connect()
    run = client.create_run(experiment_id(client, COMPARISONS))
    for name, text in files.items():
        client.log_text(run.info.run_id, text, name)
    client.set_terminated(run.info.run_id, "FINISHED")
    return run.info.run_id
