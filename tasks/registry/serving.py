"""Serve a registered model over HTTP, in an environment of its own.

The environment holds the requirements of the model and of the server, pinned by hash, and nothing
else: no TensorFlow, no Prefect, not this project.
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
from importlib.metadata import version as installed
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from filelock import FileLock

from modelling.refusals import UsageError
from tasks.registry.file_hashes import refuse_difference
from tasks.registry.locked_requirements import locked_requirements
from tasks.registry.model_files import verified_files
from tasks.registry.scoring_runs import load_registered
from tasks.tracking.store import connect, local_folder, tracking_uri

log = logging.getLogger("finflows")

SERVER = Path(__file__).with_name("scoring_server")
SERVER_REQUIREMENTS = ("prometheus-client",)  # beside what every model needs
READY = "ready"
NOT_PASSED_ON = ("PYTHONPATH", "PROMETHEUS_MULTIPROC_DIR")  # other code, other programs' counts
# The folder with the server's package is the last place where Python looks: nothing else that is in
# it is taken for an installed package.
START = (
    "import sys; sys.path.append(sys.argv.pop(1)); from scoring_server.__main__ import main; main()"
)


@dataclass(frozen=True)
class PreparedServer:
    """A version on the disk of this machine, and the interpreter that serves it."""

    version: str
    model_folder: Path
    python: Path

    def command(self, port: int, workers: int = 1) -> list[str]:
        """The command of the server; it needs nothing of this process's environment, and writes no
        compiled code into the folder of the model."""
        return server_command(self.python, self.model_folder, port, workers)

    def run(self, port: int, workers: int = 1) -> NoReturn:
        """Replace this process by the server, on 127.0.0.1. Raises UsageError where the port is
        taken."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise UsageError(f"port {port} is taken: choose another with --port") from None
        settings = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
        os.execve(self.python, self.command(port, workers), settings)


def server_command(python: Path, model_folder: Path, port: int, workers: int = 1) -> list[str]:
    """The command that serves a model on 127.0.0.1, in so many processes."""
    started = [str(python), "-P", "-B", "-c", START, str(SERVER.parent)]
    return [*started, str(model_folder), str(port), "--workers", str(workers)]


def prepare_serving(name: str, version: str | None = None) -> PreparedServer:
    """Copy the champion (or ``version``) and build its environment, unless both exist.

    Raises UsageError where there is no such version, its files or their copy have changed, or its
    requirements can't be installed.
    """
    loaded = load_registered(name, version)
    home = local_folder() / "serving"
    folder = home / "models" / _registration_key(name, loaded.version)
    home.mkdir(parents=True, exist_ok=True)
    with (
        FileLock(home / "serving.lock", timeout=1800),
        verified_files(name, loaded.version) as fetched,
    ):
        if not folder.exists():
            # Copied under another name, so that a killed process leaves no incomplete model.
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(fetched, partial)
            os.replace(partial, folder)
        refuse_difference(folder, fetched)
        requirements = folder / "requirements.txt"
        if "--hash=" not in requirements.read_text():
            log.warning(
                "%s version %s lists its packages without hashes: they are installed from the "
                "package index without a check",
                name,
                loaded.version,
            )
        of_server = home / "server-requirements.txt"
        of_server.write_text(server_requirements())
        return PreparedServer(loaded.version, folder, _environment(home, requirements, of_server))


def _registration_key(name: str, version: str) -> str:
    """A key for this registration only: a version that is deleted and registered again has the same
    number, as may one of another store."""
    registered = connect().get_model_version(name, version)
    facts = [tracking_uri(), name, version, registered.creation_timestamp, registered.source]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def server_requirements() -> str:
    """What the server needs beside the packages of every model, as lines for pip."""
    pinned = [f"{package}=={installed(package)}" for package in SERVER_REQUIREMENTS]
    return "\n".join(locked_requirements(pinned) or pinned)


def _environment(home: Path, *lists: Path) -> Path:
    """The interpreter of the environment with these lists of requirements, which is built if it is
    new."""
    digest = hashlib.sha256(b"".join(listed.read_bytes() for listed in lists)).hexdigest()[:12]
    folder = home / f"environment-{digest}"
    python = folder / "bin" / "python"
    if (folder / READY).exists():
        return python
    venv.EnvBuilder(clear=True, symlinks=True, with_pip=False).create(folder)
    for listed in lists:  # not in one call: pip takes no list where only some have hashes
        command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
        command += ["--disable-pip-version-check", "-r", str(listed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UsageError(
                f"the requirements of the model can't be installed: {_pip_error(done.stderr)}"
            )
    (folder / READY).touch()
    return python


def _pip_error(pip_output: str) -> str:
    """The cause of an error of pip, in one line."""
    lines = [line.strip() for line in pip_output.splitlines()] or ["no message"]
    for line, following in pairwise(lines):
        if "DO NOT MATCH THE HASHES" in line:
            return f"{following.partition(' ')[0]} in the package index is not the one in the lock"
    return lines[-1]
