"""Machines as they are: proxies, users without a name, folders that can't be written, servers that
ask for a password, experiments that somebody deleted."""

import getpass
import os
import pwd
import resource
import subprocess
import sys
import threading
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import Mock
from uuid import uuid4

import pytest
from conftest import REPOSITORY
from filelock import FileLock

from flows.command_line.terminal import configure_environment, refuse_unusable_prefect
from flows.command_line.warm_up import may_have_prefect_server
from modelling.refusals import UsageError
from tasks.registry.champions import alias_lock
from tasks.registry.identity import current_user
from tasks.tracking.addresses import DATABASE_LOCK, how_to_open, refuse_unusable_store
from tasks.tracking.store import experiment_id


@pytest.mark.parametrize("given", [{}, {"NO_PROXY": "bank"}, {"no_proxy": "bank,localhost"}])
def test_local_servers_are_reached_without_the_proxy(given, monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    configure_environment(verbose=False)
    configure_environment(verbose=False)  # nothing is there twice
    hosts = os.environ["NO_PROXY"].split(",")
    assert sorted(hosts) == sorted({"127.0.0.1", "localhost", "::1", *(["bank"] if given else [])})
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"]


def test_a_socks_proxy_without_its_package_is_one_line(monkeypatch, tmp_path):
    """It was a traceback of httpx, also where only servers of this machine are used."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.delenv("all_proxy", raising=False)
    with pytest.raises(UsageError, match=r"all_proxy is a SOCKS proxy.*and ALL_PROXY"):
        refuse_unusable_prefect()
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    refuse_unusable_prefect()


def test_a_folder_without_room_for_prefect_is_named_before_anything_starts(monkeypatch, tmp_path):
    """Its server would not start, or answer nothing but errors in the midst of a training."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, allowed[1]))
    try:
        with pytest.raises(UsageError, match=r"can't hold the 8 MB .*: free some space"):
            refuse_unusable_prefect()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    refuse_unusable_prefect()
    assert not [*tmp_path.iterdir()]


def test_a_user_without_a_name_gets_one(monkeypatch):
    """As in containers that run with any number."""

    def unknown(_number):
        raise KeyError("uid not found")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    configure_environment(verbose=False)
    assert getpass.getuser() == f"uid-{os.getuid()}"
    monkeypatch.delenv("HOME", raising=False)
    with pytest.raises(UsageError, match="set HOME"):
        configure_environment(verbose=False)


def finflows(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "flows.command_line", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
    )


def refused(done):
    """The one line on stderr, next to the title of the use case."""
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    "uri", ["databricks", "databricks://prod", "databricks-uc", "uc", "s3://runs", "mlflow+x://y"]
)
def test_other_kinds_of_stores_are_refused_as_what_they_are(uri):
    line = refused(finflows("train", "credit_scoring", MLFLOW_TRACKING_URI=uri))
    assert f"{uri.partition(':')[0].partition('+')[0]} is not supported" in line


@pytest.mark.parametrize("uri", ["runs", "/runs", "file:///runs"])
def test_a_store_of_files_is_told_from_a_service(uri):
    line = refused(finflows("train", "credit_scoring", MLFLOW_TRACKING_URI=uri))
    assert "mlflow migrate-filestore" in line


def test_a_folder_that_cant_be_written_is_named_at_once(tmp_path):
    no_folder = tmp_path / "file"
    no_folder.touch()
    store = f"sqlite:///{no_folder}/mlflow.db"
    line = refused(finflows("train", "credit_scoring", MLFLOW_TRACKING_URI=store))
    assert f"{no_folder} can't be written" in line
    home = {"PREFECT_HOME": str(no_folder / "prefect")}
    line = refused(finflows("train", "credit_scoring", **home))
    assert f"{no_folder}/prefect can't be written (PREFECT_HOME)" in line


@pytest.mark.parametrize("name", ["mlflow.db", DATABASE_LOCK])
def test_a_file_of_the_store_that_another_user_made_is_named_at_once(name, tmp_path, monkeypatch):
    """Else MLflow quotes the statement that failed, and its values."""
    file = tmp_path / name
    file.touch(mode=0o400)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    if os.access(file, os.W_OK):  # root may, whatever the mode is
        monkeypatch.setattr(os, "access", lambda path, _: Path(path) != file)
    with pytest.raises(UsageError, match=f"{name} can't be written by this user.*chmod g.w"):
        refuse_unusable_store()


def test_a_lock_that_another_user_made_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    file = tmp_path / "loans.aliases.lock"
    file.touch(mode=0o400)
    if os.access(file, os.W_OK):  # root may, whatever the mode is
        monkeypatch.setattr(FileLock, "acquire", Mock(side_effect=PermissionError))
    with pytest.raises(UsageError, match=r"aliases\.lock can't be written"), alias_lock("loans"):
        raise AssertionError("nobody has the lock")


class Guarded(BaseHTTPRequestHandler):
    """A tracking server that wants a password, and has no experiments."""

    login = "Basic " + b64encode(b"team:word").decode()

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        known = not self.login or self.headers.get("Authorization") == self.login
        self.send_response(200 if known else 401)
        self.end_headers()
        self.wfile.write(b"{}" if known else b"You are not authenticated.")

    def do_GET(self):
        self.do_POST()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def guarded():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Guarded)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_server_that_asks_for_a_password(guarded):
    line = refused(finflows("compare", MLFLOW_TRACKING_URI=guarded))
    assert "refuses this user: set MLFLOW_TRACKING_USERNAME" in line
    known = {"MLFLOW_TRACKING_USERNAME": "team", "MLFLOW_TRACKING_PASSWORD": "word"}
    done = finflows("champion", "credit_scoring", MLFLOW_TRACKING_URI=guarded, **known)
    assert "refuses" not in done.stderr


def test_a_name_is_of_the_operating_system_and_of_a_server_that_asks_for_one(guarded, monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "mallory")
    own = pwd.getpwuid(os.getuid()).pw_name
    assert current_user() == own != "mallory"
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "team")
    assert current_user() == own, "a file asks nobody who it is"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", guarded)
    assert current_user() == own, "a name without its password is anybody's"
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
    assert current_user() == own
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "word")
    assert current_user() == f"{own}, as team on 127.0.0.1"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", guarded.replace("//", "//team:word@"))
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "somebody-else")
    assert current_user() == f"{own}, as team on 127.0.0.1", "requests go out as the address says"
    monkeypatch.setattr(Guarded, "login", "")  # it lets in everybody
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    assert current_user() == f"uid-{os.getuid()}"


def test_a_link_names_the_server_that_is_there_and_no_password(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://team:word@mlflow.bank:8443/risk/")
    assert how_to_open("/#/runs/1") == "https://mlflow.bank:8443/risk/#/runs/1"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://db/mlflow")
    assert how_to_open("/#/runs/1") == "make ui, then http://127.0.0.1:5000/#/runs/1"


def test_a_deleted_experiment_is_named_with_the_command_that_restores_it(client):
    name = f"deleted {uuid4()}"
    number = experiment_id(client, name)
    client.delete_experiment(number)
    with pytest.raises(UsageError, match=f"restore --experiment-id {number}"):
        experiment_id(client, name)


def test_a_prefect_server_is_looked_for_where_prefect_would_look(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert not may_have_prefect_server()
    url = "http://prefect.bank.example/api"
    named = [
        ("profiles.toml", f'[profiles.bank]\nPREFECT_API_URL = "{url}"\n'),
        ("prefect.toml", f'[api]\nurl = "{url}"\n'),
        ("prefect.toml", f'api = {{url = "{url}"}}\n'),
        ("pyproject.toml", f'[tool.prefect.api]\nurl = "{url}"\n'),
        ("pyproject.toml", f'[tool]\nprefect.api.url = "{url}"\n'),
        (".env", f"PREFECT_API_URL={url}\n"),
    ]
    for name, text in named:
        (tmp_path / name).write_text(text)
        assert may_have_prefect_server(), text
        monkeypatch.setenv("PREFECT_API_URL", "")
        assert not may_have_prefect_server(), "an empty address counts, and means none"
        monkeypatch.delenv("PREFECT_API_URL")
        (tmp_path / name).unlink()
    for spelling in ("PREFECT_API_URL", "prefect_api_url"):
        with monkeypatch.context() as environment:
            environment.setenv(spelling, url)
            assert may_have_prefect_server()


def test_packages_of_another_python_on_the_path_are_one_line(tmp_path, finflows):
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text("raise ImportError('IMPORTANT: PLEASE READ')")
    refused = finflows("list", PYTHONPATH=f"{tmp_path}{os.pathsep}{REPOSITORY}")
    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert line.startswith(f"finflows: {tmp_path}/numpy/__init__.py can't be imported: PYTHONPATH")


def test_a_command_that_needs_no_home_is_silent_about_one_that_cant_be_written():
    program = (
        "from flows.command_line.terminal import configure_environment\n"
        "configure_environment(verbose=False)\n"
        "import prefect.context"
    )
    environment = {**os.environ, "PREFECT_HOME": "/proc/nobody", "PYTHONPATH": str(REPOSITORY)}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
