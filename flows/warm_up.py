"""What a training waits for, side by side: other processes boot while this one imports."""

import threading
from importlib import import_module

from tasks.quick_imports import quick_imports
from tasks.temporary_server import boot_server


def warm_up(flow: str = "flows.train") -> None:
    """Import the module of a flow while, where no Prefect server is configured, a temporary one
    boots; then have a worker import TensorFlow, where it is to train.

    The flow would start both by itself, but one after the other, and wait. The worker is the last
    to be needed, and would take the others' cores.
    """
    with quick_imports():
        from prefect.settings import PREFECT_API_URL

        booting = None if PREFECT_API_URL.value() else threading.Thread(target=boot_server)
        if booting:
            import_module("prefect.server.api.server")  # two threads would import it no faster
            booting.start()
        import_module(flow)
    if flow == "flows.train":
        from tasks.training_workers import start_worker

        start_worker()
    if booting:
        booting.join()
