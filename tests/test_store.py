"""Runs that nobody watches wait for a store out of reach; what can't pass is not waited for."""

import logging
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from conftest import REPOSITORY
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from servers import standing_in

from flows.command_line.terminal import exit_code, show_error
from modelling.refusals import UsageError
from tasks.tracking.store import connect, experiment_id, gather_statistics

A_SERVER_THAT_COMES_LATE = """
import socket, threading, time
from http.server import BaseHTTPRequestHandler, HTTPServer
from tasks.tracking import store

class NoExperiments(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"experiments": []}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *_): pass

with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
import os
os.environ["MLFLOW_TRACKING_URI"] = f"http://127.0.0.1:{port}"
store.RETRY_AFTER_SECONDS = (0.5,) * 60
tried = []
def serve():
    while not tried:
        time.sleep(0.05)
    HTTPServer(("127.0.0.1", port), NoExperiments).serve_forever()
threading.Thread(target=serve, daemon=True).start()
try:
    store.connect()
except store.UnreachableError:
    tried.append(1)
print(store.connect_with_retries().search_experiments())
"""
A_STORE_OF_FILES = """
from tasks.tracking import store
store.RETRY_AFTER_SECONDS = (10_000,)
store.connect_with_retries()
"""


TABLES_OF_AN_EARLIER_MLFLOW = """
from alembic import command
from mlflow.store.db import utils
from tasks.tracking import store
from tasks.tracking.addresses import tracking_uri

address = tracking_uri()
engine = utils.create_sqlalchemy_engine(address)
utils._initialize_tables(engine)
with engine.begin() as connection:
    connection.exec_driver_sql("UPDATE alembic_version SET version_num = '6953534de441'")
store.RETRY_AFTER_SECONDS = (10_000,)
try:
    store.connect_with_retries()
except store.UsageError as error:
    print(error)
"""


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        timeout=200,
    )


def test_a_server_that_comes_late_is_waited_for():
    done = run(A_SERVER_THAT_COMES_LATE)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_store_of_files_is_refused_at_once(tmp_path):
    done = run(A_STORE_OF_FILES, MLFLOW_TRACKING_URI=str(tmp_path))
    assert "migrate-filestore" in done.stderr


def test_a_file_that_is_no_database_is_not_called_a_server_to_start(tmp_path, monkeypatch):
    (tmp_path / "mlflow.db").write_text("no database, whatever it is called" * 100)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    with pytest.raises(UsageError, match=r"/mlflow.db, the tracking database, can't be used"):
        connect()


def test_tables_of_an_earlier_mlflow_are_named_at_once_with_the_command_that_helps(tmp_path):
    address = f"sqlite:///{tmp_path}/mlflow.db"
    said = run(TABLES_OF_AN_EARLIER_MLFLOW, MLFLOW_TRACKING_URI=address).stdout
    assert f"the tables in {address} were made by another version of MLflow" in said
    program, *words = shlex.split(re.search("'(.+)'", said)[1])
    assert Path(program).is_file()
    assert words == ["db", "upgrade", address]


def test_a_server_that_lets_its_user_read_only_says_so_in_one_line(capsys):
    with standing_in(403, "Permission denied") as url, pytest.raises(MlflowException) as refused:
        MlflowClient(url).set_tag("1" * 32, "approved", "yes")
    assert exit_code(refused.value) == 2
    show_error(refused.value)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "finflows: the tracking server does not let this user do that (403): ask"
    )


def test_an_experiment_that_can_not_be_made_says_why(client, monkeypatch):
    """On a full disk, say: it was taken for one that another process had made."""

    def full(*_, **__):
        raise MlflowException("(sqlite3.OperationalError) database or disk is full")

    monkeypatch.setattr(type(client), "create_experiment", full)
    with pytest.raises(MlflowException, match="disk is full"):
        experiment_id(client, "never made")
    log = logging.getLogger("mlflow.store.db.utils")
    assert not log.isEnabledFor(logging.ERROR), "it would print a traceback before that line"


def test_sqlite_plans_searches_by_how_many_rows_there_are(store, client):
    database = store / "mlflow.db"
    run = client.create_run(client.create_experiment("planned")).info.run_id
    client.log_metric(run, "loss", 0.5)  # an empty table has no statistics
    client.set_terminated(run)
    gather_statistics(database)
    with closing(sqlite3.connect(database)) as connection:
        tables = {row[0] for row in connection.execute("SELECT tbl FROM sqlite_stat1")}
    assert {"runs", "tags", "latest_metrics"} <= tables
