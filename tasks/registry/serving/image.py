"""A folder that ``docker build`` makes the image of a server of: the model, the server, their
requirements and a Dockerfile. It names neither this machine nor a package index."""

import hashlib
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from tasks.registry.file_hashes import HASHES_TAG, hash_tag
from tasks.registry.model_files import load_version, verified_files
from tasks.registry.scoring_runs import version_of
from tasks.registry.serving.environments import server_requirements, warn_without_hashes
from tasks.registry.serving.prepared_server import SERVER
from tasks.tracking.provenance import installed_version

PORT = 8080  # inside the container
DOCKERFILE = """\
# {name}, version {version}: answers over HTTP what was judged and registered.
#   docker build --tag {name}:{version} .
#   docker run --read-only --tmpfs /tmp --publish 127.0.0.1:5001:{port} \\
#     --env FINFLOWS_SERVE_TOKEN {name}:{version}
# It asks for the token in its environment; add --workers 2 behind the image for two processes.
# The package index of your network: --build-arg PIP_INDEX_URL=..., or, if that holds a login,
# --secret id=pip.conf,src=pip.conf: an argument can be read in the history of the image.
ARG BASE=python:{python}-slim
FROM ${{BASE}}
ARG PIP_INDEX_URL
LABEL org.opencontainers.image.title="{name}" \\
      org.opencontainers.image.version="{version}" \\
      finflows.version="{finflows}" \\
      finflows.model.files_sha256="{files_sha256}"
ENV HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 ORT_DISABLE_TELEMETRY=1 \\
    MLFLOW_DISABLE_TELEMETRY=true MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false \\
    FINFLOWS_SERVE_FILES_SHA256={files_sha256}
WORKDIR /srv/scoring
COPY requirements.txt server-requirements.txt ./
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \\
    {install} requirements.txt \\
 && {install_server} server-requirements.txt
COPY scoring_server scoring_server
COPY model model
USER 10001:10001
EXPOSE {port}
HEALTHCHECK --start-period=60s --timeout=10s CMD {healthy}
ENTRYPOINT ["python", "-m", "scoring_server", "model", "{port}", "--host", "0.0.0.0"]
"""
HEALTHY = (
    '["python", "-c", "import http.client as http; asked = http.HTTPConnection(\'127.0.0.1\', '
    "{port}, timeout=5); asked.request('GET', '/ping'); "
    'exit(asked.getresponse().status != 200)"]'
)
INSTALL = "python -m pip install --no-cache-dir --only-binary=:all: "


def write_image(name: str, version: str | None, folder: Path) -> str:
    """Write the champion of ``name`` (or ``version``) with its server into the new ``folder``, and
    return its version.

    Raises UsageError where there is no such version, or its files have changed or can't be loaded.
    """
    requested = version_of(name, version)
    load_version(name, requested)
    with (
        verified_files(name, requested) as fetched,
        TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.") as partial,
    ):
        warn_without_hashes(name, requested, fetched / "requirements.txt")
        _write(name, requested, fetched, Path(partial, "image"))
        os.replace(Path(partial, "image"), folder)
    return requested


def _write(name: str, version: str, fetched: Path, folder: Path) -> None:
    shutil.copytree(fetched, folder / "model")
    shutil.copytree(SERVER, folder / "scoring_server", ignore=shutil.ignore_patterns("__pycache__"))
    python = _without_paths(folder / "model" / "MLmodel")
    of_model = (fetched / "requirements.txt").read_text()
    (folder / "requirements.txt").write_text(of_model)
    (folder / "server-requirements.txt").write_text(server_requirements())
    (folder / "Dockerfile").write_text(
        DOCKERFILE.format(
            name=name,
            version=version,
            finflows=installed_version(),
            python=python,
            # As the history of champions names the files of a version.
            files_sha256=hashlib.sha256(hash_tag(fetched)[HASHES_TAG].encode()).hexdigest(),
            install=_install(of_model),
            install_server=_install(server_requirements()),
            healthy=HEALTHY.format(port=PORT),
            port=PORT,
        )
    )
    for path in [folder, *folder.rglob("*")]:  # the image's user is nobody's owner
        path.chmod(0o755 if path.is_dir() else 0o644)


def _install(requirements: str) -> str:
    """The command that installs a list; one with hashes is complete."""
    hashed = "--no-deps --require-hashes " if "--hash=" in requirements else ""
    return f"{INSTALL}{hashed}-r"


def _without_paths(description: Path) -> str:
    """Remove from MLflow's description of the model where it was made: nothing reads that. Returns
    the version of Python, as 3.11."""
    model = yaml.safe_load(description.read_text())
    function = model["flavors"]["python_function"]
    model["artifact_path"] = "model"
    function["model_code_path"] = Path(function["model_code_path"]).name
    for artifact in function["artifacts"].values():
        artifact["uri"] = artifact["path"]
    description.write_text(yaml.safe_dump(model, sort_keys=False))
    return ".".join(function["python_version"].split(".")[:2])
