"""What a training waits for, side by side: other processes boot while this one imports."""

import threading
from importlib import import_module


def warm_up(flow: str = "flows.train") -> None:
    """Import the module of a flow, while a worker imports TensorFlow (where it is to train) and,
    where no Prefect server is configured, a temporary one boots.

    The flow would start both by itself, but one after the other, and wait.
    """
    if flow == "flows.train":
        from tasks.training_workers import start_worker

        start_worker()
    from prefect.settings import PREFECT_API_URL

    if PREFECT_API_URL.value():
        import_module(flow)
        return
    booting = threading.Thread(target=_boot_server)
    booting.start()
    import_module(flow)
    booting.join()


def _boot_server() -> None:
    """Leave no server behind where it answers too late: the flow then starts another one."""
    from prefect.server.api.server import SubprocessASGIServer

    server = SubprocessASGIServer()
    try:
        server.start(90)
    except Exception:
        if server.server_process is not None:
            server.server_process.kill()
