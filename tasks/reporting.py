"""What people read after a run: a Markdown report, in Prefect and in MLflow."""

from collections.abc import Mapping

from prefect.artifacts import create_link_artifact, create_markdown_artifact

from modelling.evaluation import HEADLINE, Verdict
from tasks.tracking.record import REPORT, TrackedRun
from tasks.tracking.store import tracking_uri
from tasks.training import Attempt
from tasks.validation import ValidationReport


def publish(
    run: TrackedRun,
    trained: Attempt,
    report: ValidationReport,
    metrics: Mapping[str, float],
    gate: Verdict,
    version: str,
) -> None:
    """The report beside the run in MLflow, and in Prefect with a link to the run."""
    use_case = trained.use_case
    headline = f"{HEADLINE[use_case.problem]} {metrics[HEADLINE[use_case.problem]]:.4f}"
    note = f"{use_case.title}: test {headline}, version {version}, learning curve "
    run.log_tags({"mlflow.note.content": note + trained.diagnosis.verdict})
    markdown = _markdown(trained, report, metrics, gate, version)
    run.log_text(markdown, REPORT)
    key = use_case.name.replace("_", "-")
    create_markdown_artifact(markdown, key=f"{key}-report", description=use_case.title)
    uri = tracking_uri()
    server = uri.rstrip("/") if uri.startswith("http") else "http://127.0.0.1:5000"
    create_link_artifact(
        server + run.address,
        link_text="the run in MLflow",
        key=f"{key}-mlflow-run",
        description=f"MLflow run {run.run_id}; for the local store, run `make ui` first",
    )


def _markdown(
    trained: Attempt,
    report: ValidationReport,
    metrics: Mapping[str, float],
    gate: Verdict,
    version: str,
) -> str:
    use_case, history, diagnosis = trained.use_case, trained.history, trained.diagnosis
    network, training = use_case.network, use_case.training
    units = "-".join(map(str, network.hidden_units)) or "none (a linear model)"
    rows = "\n".join(f"| {name} | {value:.5g} |" for name, value in metrics.items())
    return f"""# {use_case.title}

**{use_case.name} version {version}**. Gate {"passed" if gate.passed else "failed"}: {gate.reason}.

- Network: hidden units {units}, {network.activation}, dropout {network.dropout:g}
- Training: {training.optimizer} at {training.learning_rate:g}, batch size {training.batch_size},
  {len(history.metrics["loss"])} epochs; best epoch {history.best_epoch + 1} with val_loss
  {history.best_val_loss:.5g}
- Learning curve: {diagnosis.verdict}. {diagnosis.evidence}

| metric on the test rows | value |
|---|---:|
{rows}

## Validation of the data

{report.markdown()}"""
