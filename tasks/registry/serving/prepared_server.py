"""Serve a registered model over HTTP, in an environment of its own."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from filelock import FileLock
from mlflow.entities.model_registry import ModelVersion

from tasks.registry.model_files import load_version
from tasks.registry.scoring_runs import version_of
from tasks.registry.serving.environments import (
    prepare_environment,
    server_requirements,
    warn_without_hashes,
)
from tasks.registry.serving.model_copies import copy_model, remove_unused_models, serving_folder
from tasks.tracking.store import connect
from tasks.workers.ports import refuse_taken_port

SERVER = Path(__file__).parents[1] / "scoring_server"
# Other code, other programs' counts, and logins to what a server of scores does not need.
NOT_PASSED_ON = (
    *("PYTHONPATH", "PROMETHEUS_MULTIPROC_DIR"),
    *("MLFLOW_TRACKING_", "MLFLOW_REGISTRY_", "PREFECT_API_"),
)
# The folder with the server's package is the last place where Python looks: nothing else that is in
# it is taken for an installed package.
IMPORT = "import sys; sys.path.append(sys.argv.pop(1)); from scoring_server."
START = f"{IMPORT}__main__ import main; main()"


@dataclass(frozen=True)
class PreparedServer:
    """A version on the disk of this machine, and the interpreter that serves it."""

    registered: ModelVersion
    model_folder: Path
    python: Path

    @property
    def version(self) -> str:
        return str(self.registered.version)

    def command(self, port: int, workers: int = 1, followed: Path | None = None) -> list[str]:
        """The command of the server; it needs nothing of this process's environment, and writes no
        compiled code into the folder of the model. The file ``followed`` says which model it is to
        answer with, and may say another one later."""
        command = server_command(self.python, self.model_folder, port, workers)
        return command if followed is None else [*command, "--followed", str(followed)]

    def run(self, port: int, workers: int = 1, followed: Path | None = None) -> NoReturn:
        """Replace this process by the server, on 127.0.0.1. Raises UsageError where the port is
        taken."""
        refuse_taken_port(port)
        os.execve(self.python, self.command(port, workers, followed), server_settings())


def server_command(python: Path, model_folder: Path, port: int, workers: int = 1) -> list[str]:
    """The command that serves a model on 127.0.0.1, in so many processes."""
    started = [str(python), "-P", "-B", "-c", START, str(SERVER.parent)]
    return [*started, str(model_folder), str(port), "--workers", str(workers)]


def server_settings() -> dict[str, str]:
    """The environment of this process, as the server gets it: whoever breaks into the server finds
    no login to the registry."""
    kept = (name for name in os.environ if not name.startswith(NOT_PASSED_ON))
    return {name: os.environ[name] for name in kept}


def prepare_serving(name: str, version: str | None = None) -> PreparedServer:
    """Copy the champion (or ``version``) and build its environment, unless both exist; the copy is
    kept while this process lives.

    Raises UsageError where there is no such version, its files or their copy have changed, or its
    requirements can't be installed.
    """
    requested = version_of(name, version)
    load_version(name, requested)
    registered = connect().get_model_version(name, requested)
    with serving_lock():
        folder = copy_model(registered, os.getpid())
        remove_unused_models()
        lists = requirement_lists(folder)
        warn_without_hashes(name, requested, lists[0])
        return PreparedServer(registered, folder, prepare_environment(serving_folder(), *lists))


def serving_lock() -> FileLock:
    """Only one process of this machine at a time changes what servers read."""
    home = serving_folder()
    home.mkdir(parents=True, exist_ok=True)
    return FileLock(home / "serving.lock", timeout=1800)


def requirement_lists(model_folder: Path) -> tuple[Path, Path]:
    """The requirements of the model and those of the server, as files."""
    of_server = serving_folder() / "server-requirements.txt"
    of_server.write_text(server_requirements())
    return model_folder / "requirements.txt", of_server
