"""The one flow: from a declared use case to a trained, judged and registered model."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from prefect import flow
from prefect.runtime import flow_run
from pydantic import BaseModel

from modelling.evaluation import evaluate_package, judge_gate
from modelling.figures import draw_learning_curve
from modelling.overrides import override
from modelling.packaging import package_model
from modelling.preprocessing import preprocess
from modelling.splitting import split_table
from tasks.loading import load_table, source_name
from tasks.reporting import publish
from tasks.tracking import register_model, tracked_run
from tasks.training import train_on_worker
from tasks.validation import validate_table
from use_cases import find_use_case


class TrainingResult(BaseModel):
    """What a training leaves behind, by name and address; metrics are those of the test rows."""

    run_id: str
    use_case: str
    metrics: dict[str, float]
    gate: dict[str, bool | str]
    model: dict[str, str]
    paths: dict[str, str]


@flow(name="train", flow_run_name="{use_case_name}", persist_result=False)
def train(use_case_name: str, overrides: dict[str, Any] | None = None) -> TrainingResult:
    """Train, judge and register one declared use case.

    ``overrides`` change the declaration for this run by dotted name, as ``--set`` does on the
    command line: ``{"training.epochs": 5}``.
    """
    use_case = override(find_use_case(use_case_name), overrides or {})
    with tracked_run(use_case, flow_run.id) as run, TemporaryDirectory() as scratch:
        table, data_hash = load_table(use_case)
        table, report = validate_table(table, use_case)
        parts = split_table(table, use_case)
        run.log_data(parts, report.markdown(), data_hash, source_name(use_case))

        features = preprocess(parts, use_case)
        network, history = train_on_worker(features, use_case, run.log_epoch)
        curve = draw_learning_curve(history, use_case.title)
        run.log_training(history, network, curve)

        package = package_model(network, features, use_case, Path(scratch) / "scorer")
        metrics = evaluate_package(package, parts.test, use_case)
        gate = judge_gate(metrics, use_case)
        run.log_test(metrics, gate)
        version = register_model(run, package, gate)
        publish(run, use_case, report, history, metrics, gate, version)
    return TrainingResult(
        run_id=run.run_id,
        use_case=use_case.name,
        metrics=metrics,
        gate=gate._asdict(),
        model={
            "name": use_case.name,
            "version": version,
            "uri": f"models:/{use_case.name}/{version}",
        },
        paths=run.paths,
    )
