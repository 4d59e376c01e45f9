"""What a training waits for, side by side: other processes boot while this one imports."""

import threading
from importlib import import_module


def warm_up() -> None:
    """Import what the flow needs, while a worker imports TensorFlow and, where no Prefect server is
    configured, a temporary one boots.

    The flow would start both by itself, but one after the other, and wait.
    """
    from tasks.training_workers import start_worker

    start_worker()
    from prefect.settings import PREFECT_API_URL

    if PREFECT_API_URL.value():
        import_module("flows.train")
        return
    from prefect.server.api.server import SubprocessASGIServer

    booting = threading.Thread(target=SubprocessASGIServer().start, args=(90,))
    booting.start()
    import_module("flows.train")
    booting.join()
