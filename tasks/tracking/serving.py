"""Serve a registered model with MLflow's scoring server, in an environment of its own.

The environment holds the model's pinned requirements and nothing else: no TensorFlow, no Prefect,
not this project.
"""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import mlflow
from filelock import FileLock

from modelling.refusals import UsageError
from tasks.tracking.model_files import read_or_refused
from tasks.tracking.scoring_runs import load_registered
from tasks.tracking.store import local_folder, tracking_uri

SERVER = Path(__file__).with_name("scoring_server.py")
READY = "ready"


@dataclass(frozen=True)
class Served:
    """A version on this machine's disk, and the interpreter that serves it."""

    version: str
    model_folder: Path
    python: Path

    def command(self, port: int) -> list[str]:
        """What to run; it needs nothing of this process's environment."""
        return [str(self.python), "-P", str(SERVER), str(self.model_folder), str(port)]

    def run(self, port: int) -> NoReturn:
        """Become the server, on 127.0.0.1. Raises UsageError where the port is taken."""
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                raise UsageError(f"port {port} is taken: choose another with --port") from None
        settings = {name: one for name, one in os.environ.items() if name != "PYTHONPATH"}
        os.execve(self.python, self.command(port), settings)


def prepare_serving(name: str, version: str | None = None) -> Served:
    """Copy the champion (or ``version``) and build its environment, unless both are there.

    Raises UsageError where there is no such version, or its requirements can't be installed.
    """
    loaded = load_registered(name, version)
    home = local_folder() / "serving"
    # Another store may have another model of this name and version.
    store = hashlib.sha256(tracking_uri().encode()).hexdigest()[:8]
    folder = home / f"models-{store}" / name / loaded.version
    with FileLock(_made(home) / "serving.lock", timeout=1800):
        if not folder.exists():
            address = f"models:/{name}/{loaded.version}"
            aside = folder.with_suffix(".partial")  # a killed download leaves no half a model
            shutil.rmtree(aside, ignore_errors=True)
            with read_or_refused(name, loaded.version):
                mlflow.artifacts.download_artifacts(address, dst_path=str(_made(aside)))
            os.replace(aside, folder)
        return Served(loaded.version, folder, _environment(home, folder / "requirements.txt"))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _environment(home: Path, requirements: Path) -> Path:
    """The interpreter of the environment for these requirements, built where it is new."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = home / f"environment-{digest}"
    python = folder / "bin" / "python"
    if (folder / READY).exists():
        return python
    venv.EnvBuilder(clear=True, symlinks=True, with_pip=False).create(folder)
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    command += ["--disable-pip-version-check", "-r", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UsageError(f"the requirements of the model can't be installed: {reason}")
    (folder / READY).touch()
    return python
