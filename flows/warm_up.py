"""What a training waits for, side by side: other processes boot while this one imports."""

import threading
from importlib import import_module

from tasks.processes import own_servers
from tasks.quick_imports import quick_imports


def warm_up(flow: str = "flows.train") -> None:
    """Import the module of a flow while, where no Prefect server is configured, a temporary one
    boots; then have a worker import TensorFlow, where it is to train.

    The flow would start both by itself, but one after the other, and wait. The worker is the last
    to be needed, and would take the others' cores.
    """
    with quick_imports():
        from prefect.settings import PREFECT_API_URL

        booting = None if PREFECT_API_URL.value() else threading.Thread(target=_boot_server)
        if booting:
            import_module("prefect.server.api.server")  # two threads would import it no faster
            booting.start()
        import_module(flow)
    if flow == "flows.train":
        from tasks.training_workers import start_worker

        start_worker()
    if booting:
        booting.join()


def _boot_server() -> None:
    """Leave no server behind where it answers too late: the flow then starts another one.

    Trainings that start together boot one after the other: each server looks for a free port at
    random, and all bring the same database up to date.
    """
    from filelock import FileLock
    from prefect.server.api.server import SubprocessASGIServer
    from prefect.settings import PREFECT_HOME

    home = PREFECT_HOME.value()
    home.mkdir(parents=True, exist_ok=True)
    own_servers()
    server = SubprocessASGIServer()
    try:
        with FileLock(home / "boot.lock", timeout=300):
            server.start(90)
    except Exception:
        if server.server_process is not None:
            server.server_process.kill()
