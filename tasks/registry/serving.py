"""Serve a registered model with MLflow's scoring server, in an environment of its own.

The environment holds the model's requirements, pinned by hash, and nothing else: no TensorFlow, no
Prefect, not this project.
"""

import hashlib
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import venv
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from filelock import FileLock

from modelling.refusals import UsageError
from tasks.registry.file_hashes import refuse_difference
from tasks.registry.model_files import files_of
from tasks.registry.scoring_runs import load_registered
from tasks.tracking.store import connect, local_folder, tracking_uri

log = logging.getLogger("finflows")

SERVER = Path(__file__).with_name("scoring_server.py")
READY = "ready"


@dataclass(frozen=True)
class Served:
    """A version on this machine's disk, and the interpreter that serves it."""

    version: str
    model_folder: Path
    python: Path

    def command(self, port: int) -> list[str]:
        """What to run; it needs nothing of this process's environment, and writes no compiled code
        beside the model's."""
        return [str(self.python), "-P", "-B", str(SERVER), str(self.model_folder), str(port)]

    def run(self, port: int) -> NoReturn:
        """Become the server, on 127.0.0.1. Raises UsageError where the port is taken."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise UsageError(f"port {port} is taken: choose another with --port") from None
        settings = {name: one for name, one in os.environ.items() if name != "PYTHONPATH"}
        os.execve(self.python, self.command(port), settings)


def prepare_serving(name: str, version: str | None = None) -> Served:
    """Copy the champion (or ``version``) and build its environment, unless both are there.

    Raises UsageError where there is no such version, its files or their copy were changed, or its
    requirements can't be installed.
    """
    loaded = load_registered(name, version)
    home = local_folder() / "serving"
    folder = home / "models" / _registration(name, loaded.version)
    with (
        FileLock(_made(home) / "serving.lock", timeout=1800),
        files_of(name, loaded.version) as fetched,
    ):
        if not folder.exists():
            aside = folder.with_suffix(".partial")  # a killed copy leaves no half a model
            shutil.rmtree(aside, ignore_errors=True)
            shutil.copytree(fetched, aside)
            os.replace(aside, folder)
        refuse_difference(folder, fetched)
        requirements = folder / "requirements.txt"
        if "--hash=" not in requirements.read_text():
            log.warning(
                "%s version %s names its packages without hashes: what the index has of these "
                "versions is installed unseen",
                name,
                loaded.version,
            )
        return Served(loaded.version, folder, _environment(home, requirements))


def _registration(name: str, version: str) -> str:
    """A name for this registration and no other: a version that is deleted and made again has the
    same number, as may one of another store."""
    one = connect().get_model_version(name, version)
    facts = [tracking_uri(), name, version, one.creation_timestamp, one.source]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


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
        raise UsageError(f"the requirements of the model can't be installed: {_why(done.stderr)}")
    (folder / READY).touch()
    return python


def _why(said: str) -> str:
    """What pip's errors come to, in one line."""
    lines = [line.strip() for line in said.splitlines()] or ["no message"]
    for line, following in pairwise(lines):
        if "DO NOT MATCH THE HASHES" in line:
            return f"the index has another {following.partition(' ')[0]} than the lock knows"
    return lines[-1]
