"""What a training waits for, side by side: other processes boot while this one imports."""

from importlib import import_module

from tasks.workers.quick_imports import quick_imports
from tasks.workers.temporary_server import TemporaryServer


def warm_up(flow: str = "flows.train") -> None:
    """Import the module of a flow while, where no Prefect server is configured, a temporary one
    boots; then have a worker import TensorFlow, where it is to train.

    The flow would start both by itself, but one after the other, and wait. The worker is the last
    to be needed, and would take the others' cores.
    """
    with quick_imports():
        from prefect.settings import PREFECT_API_URL

        booting = None if PREFECT_API_URL.value() else TemporaryServer()
        import_module(flow)
        if booting:  # what a flow imports as soon as it asks for its server
            import_module("prefect.server.api.server")
    if flow == "flows.train":
        from tasks.workers.training_workers import start_worker

        start_worker()
    if booting:
        booting.use()
