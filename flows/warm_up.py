"""What a training waits for, side by side: Prefect's temporary server boots while we import."""

import threading
from importlib import import_module


def warm_up() -> None:
    """Import what a training needs; where no Prefect server is configured, start one meanwhile.

    The flow would start the same temporary server by itself, but only after all imports, and then
    wait for it. With a server configured TensorFlow is left to the training task, which refused
    data never reaches.
    """
    from prefect.settings import PREFECT_API_URL

    if PREFECT_API_URL.value():
        import_module("flows.train")
        return
    from prefect.server.api.server import SubprocessASGIServer

    booting = threading.Thread(target=SubprocessASGIServer().start, args=(90,))
    booting.start()
    import_module("flows.train")
    import_module("modelling.training")
    booting.join()
