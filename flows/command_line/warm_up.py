"""Start what a training needs in parallel: other processes start while this one imports."""

from importlib import import_module

import typer

from flows.command_line.stages import end_stage
from tasks.progress import elapsed_line
from tasks.workers.quick_imports import quick_imports
from tasks.workers.temporary_server import TemporaryServer


def warm_up(flow: str = "flows.train") -> None:
    """Import the module of a flow while a temporary Prefect server starts, if none is configured;
    then start a worker that imports TensorFlow, if the flow trains.

    The flow would start both by itself, but one after the other. The worker is needed last, and
    started earlier it would compete for the cores.
    """
    with quick_imports():
        from prefect.settings import PREFECT_API_URL

        server = None if PREFECT_API_URL.value() else TemporaryServer()
        import_module(flow)
        if server:  # a flow imports it when it needs its server
            import_module("prefect.server.api.server")
    if flow == "flows.train":
        from tasks.workers.training_workers import start_worker

        start_worker()
    if server:
        server.use()


def start_flow(flow: str, as_json: bool) -> None:
    """``warm_up`` as the first stage that a person sees, with its seconds."""
    typer.echo(f"  {'starting':11} Prefect, MLflow and Great Expectations", err=as_json)
    with elapsed_line(""):  # below the line that says what
        warm_up(flow)
    end_stage("starting")
