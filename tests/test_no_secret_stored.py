"""A marked secret is sent through every door, then looked for in all that was written."""

import json
import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from conftest import last_json
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL
from servers import mlflow_ui
from sqlalchemy import create_engine

from flows.deployments import planned_deployments
from flows.train import resume_run, train
from modelling.data.loading import read_table
from modelling.declaration import Source
from modelling.declaration.overrides import override
from modelling.refusals import DataRefused, UsageError
from tasks.separate_training import TrainingFailedError, train_in_own_process
from tasks.tracking.addresses import ui_address
from tasks.tracking.record import TrackedRun
from use_cases import find_use_case

MARK = "MARKED4bQz81"
QUICK = {"training.epochs": 1, "training.members": 1, "baselines": ["constant"]}
QUERY = f"SELECT *, 'password={MARK}q' AS note FROM flowers"


@pytest.fixture
def flowers(tmp_path):
    """The address of a database whose driver takes any parameter, a password too."""
    table = find_use_case("iris").source()
    table.to_sql("flowers", create_engine(f"sqlite:///{tmp_path}/flowers.db"), index=False)
    return f"sqlite:///file:{tmp_path}/flowers.db?uri=true&password={MARK}u"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Servers do log what they are asked for; this one is not ours."""

    def do_GET(self):
        if self.path.startswith("/forbidden"):
            self.send_error(403)
        else:
            super().do_GET()


@pytest.fixture
def signed(tmp_path):
    """The signed address of a Parquet file."""
    find_use_case("iris").source().to_parquet(tmp_path / "flowers.parquet")
    handler = partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        yield f"{address}/flowers.parquet?sv=2024-11-04&sig={MARK}s%3D"
        server.shutdown()


def files_with_the_mark(store):
    """All files of the MLflow store and of Prefect's database that hold it."""
    database = Path(PREFECT_API_DATABASE_CONNECTION_URL.value().partition("///")[2])
    assert database.exists()
    files = [*store.rglob("*"), *database.parent.glob(f"{database.name}*")]
    return [one for one in files if one.is_file() and MARK.encode() in one.read_bytes()]


def test_a_training_on_secrets_stores_none(store, prefect_server, flowers, signed, capfd):
    asked = {**QUICK, "source.uri": flowers, "source.query": QUERY}
    result = train("iris", asked, to_registry=False)
    assert MARK not in str(result)
    with pytest.raises(DataRefused, match="nobody"):  # it was read
        train("iris", {**QUICK, "source": {"uri": signed}, "target": "nobody"})
    assert MARK not in "".join(capfd.readouterr())
    assert files_with_the_mark(store) == []


def test_a_failed_one_is_resumed_with_the_variable_that_it_names(
    store, prefect_server, client, flowers, monkeypatch
):
    secret = {"source.uri": flowers, "source.query": f"{QUERY} WHERE absent = 1"}
    with pytest.raises(UsageError, match=r"the query failed \(OperationalError: no such column\)"):
        train("iris", {**QUICK, **secret})
    experiment = client.get_experiment_by_name("iris").experiment_id
    run = client.search_runs([experiment], order_by=["attributes.start_time DESC"])[0]
    assert MARK not in str(run.to_dictionary())
    assert files_with_the_mark(store) == []
    held = {name: one for name, one in os.environ.items() if MARK in one}
    for name in held:
        monkeypatch.delenv(name)
    with pytest.raises(UsageError, match=r"can't be resumed without \$FINFLOWS_SECRET_\d+"):
        resume_run(run.info.run_id)
    for name, secret_ in held.items():
        monkeypatch.setenv(name, secret_)
    with pytest.raises(UsageError, match="no such column"):  # it is read again
        resume_run(run.info.run_id)


@pytest.mark.services
def test_the_command_line_shows_none(finflows, store):
    address = f"postgresql://risk:{MARK}p@127.0.0.1:1/loans"
    elsewhere = {"MLFLOW_TRACKING_URI": address}
    source = f'source={{"uri": "{address}", "query": "SELECT 1"}}'
    said = [
        (finflows("train", "iris", "--data", address, "--set", "source.query=SELECT 1"), 2),
        (finflows("show", "iris", "--set", source), 0),
        (finflows("champion", "iris", **elsewhere), 2),
        (finflows("doctor", "--json", **elsewhere), 1),
        (finflows("train", "iris", "--data", "postgresql://risk:$NOT_SET@db/loans"), 2),
    ]
    for done, code in said:
        assert done.returncode == code, done.stderr
        assert MARK not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
    assert "postgresql://risk:$FINFLOWS_SECRET_" in said[0][0].stderr
    assert "source.uri needs $NOT_SET, which is not set" in said[4][0].stderr
    assert files_with_the_mark(store) == []


def test_processes_that_are_started_get_references_on_their_command_lines(store, prefect_server):
    seen: list[str] = []
    over = threading.Event()

    def watch():
        while not over.wait(0.05):
            for child in psutil.Process().children(recursive=True):
                try:
                    seen.append(" ".join(child.cmdline()))
                except psutil.Error:
                    continue

    watching = threading.Thread(target=watch)
    watching.start()
    with pytest.raises(TrainingFailedError, match="unknown use case"):
        train_in_own_process("nothing", [f"source.uri=postgresql://risk:{MARK}c@db/loans"], {})
    over.set()
    watching.join()
    assert any("source.uri=postgresql://risk:$FINFLOWS_SECRET" in line for line in seen)
    assert not any(MARK in line for line in seen)


def test_addresses_of_the_tracking_server_are_shown_without_the_password(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"https://risk:{MARK}t@mlflow.bank.example/base/")
    run = TrackedRun(None, "1", "1", "mlflow-artifacts:/1")  # no client: nothing is asked of it
    assert run.paths["tracking_uri"] == "https://risk:***@mlflow.bank.example/base/"
    assert ui_address() == "https://mlflow.bank.example/base"


@pytest.mark.services
def test_a_tracking_server_with_a_password_trains_and_tells_nobody(finflows, tmp_path):
    with mlflow_ui(tmp_path, f"sqlite:///{tmp_path}/mlflow.db") as server:
        address = server.replace("://", f"://risk:{MARK}t@")
        settings = [f"--set={name}={json.dumps(value)}" for name, value in QUICK.items()]
        elsewhere = {"MLFLOW_TRACKING_URI": address}
        done = finflows("train", "iris", *settings, "--json", **elsewhere)
        assert done.returncode == 0, done.stderr
        examined = finflows("doctor", **elsewhere)
    for one in (done, examined):
        assert MARK not in one.stdout + one.stderr
        assert "Traceback" not in one.stderr
    assert len(done.stdout.splitlines()) == 1
    assert last_json(done.stdout)["paths"]["tracking_uri"] == server.replace("://", "://risk:***@")
    assert files_with_the_mark(tmp_path) == []


def test_a_declared_secret_is_not_in_the_declaration_that_is_stored(flowers):
    declared = override(find_use_case("iris"), {"source.uri": flowers, "source.query": QUERY})
    assert MARK not in declared.model_dump_json()
    assert MARK in declared.source.uri


def connect_by_hand():
    raise OSError(f"can't connect to postgresql://risk:{MARK}@db as somebody@example.com")


def test_what_a_library_says_in_a_source_is_not_repeated():
    with pytest.raises(UsageError) as refused:
        read_table(connect_by_hand)
    assert "OSError in connect_by_hand of test_no_secret_stored.py, line" in str(refused.value)
    assert "somebody" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "said"), [("forbidden", r"access is denied \(403\)"), ("absent", "no such file")]
)
def test_a_signed_address_that_is_refused_keeps_its_signature(signed, name, said):
    with pytest.raises(UsageError, match=said) as refused:
        read_table(Source(uri=signed.replace("flowers", name)))
    assert MARK not in str(refused.value)


def test_a_run_can_not_send_a_variable_of_the_machine_to_an_address_of_its_own(
    store, prefect_server, signed, monkeypatch, capfd
):
    """As a forged flow run would, whose parameters name a host of the attacker's."""
    monkeypatch.setenv("SOMEBODYS_SECRET", f"{MARK}v")
    asked = []
    monkeypatch.setattr(QuietHandler, "do_GET", lambda self: asked.append(self.path))
    host = signed.partition("/flowers")[0]
    for leak in ("?leak=$SOMEBODYS_SECRET", "?leak=x$SOMEBODYS_SECRET", "/$SOMEBODYS_SECRET.csv"):
        overrides = {"source.uri": f"{host}/loans.csv{leak}"}
        with pytest.raises(UsageError, match=r"\$SOMEBODYS_SECRET is not read"):
            train("iris", {**QUICK, **overrides}, to_registry=False)
    assert asked == []
    assert MARK not in "".join(capfd.readouterr())


def test_a_signed_address_out_of_reach_says_so():
    with pytest.raises(UsageError, match="can't be read: ConnectionRefusedError") as refused:
        read_table(Source(uri=f"http://127.0.0.1:1/loans.csv?sig={MARK}"))
    assert MARK not in str(refused.value)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("unheard_of://risk:{}@host/db", "no installed package reads 'unheard_of' addresses"),
        ("postgresql://risk:{}@host:port/db", "is not the address of a database"),
        ("oracle+oracledb://risk:{}@host/db", "pip install oracledb"),
        ("postgresql://risk:{}@127.0.0.1:1/db", r"OperationalError: connection refused"),
    ],
)
def test_any_database_is_known_by_its_address_and_refused_in_one_line(uri, said):
    source = Source(uri=uri.format(MARK), query="SELECT 1")
    with pytest.raises(UsageError, match=said) as refused:
        read_table(source)
    assert MARK not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_plan_that_holds_a_secret_is_refused(tmp_path):
    plan = """
deployments:
  - name: nightly
    entrypoint: flows/train.py:train
    parameters: {use_case_name: iris, overrides: {source.uri: "postgresql://risk:%s@db/loans"}}
    schedules: [{cron: "0 2 * * *", timezone: UTC}]
    concurrency_limit: {limit: 1, collision_strategy: CANCEL_NEW}
"""
    (tmp_path / "prefect.yaml").write_text(plan % MARK)
    with pytest.raises(UsageError, match=r"nightly: its parameters contain a secret") as refused:
        planned_deployments(tmp_path / "prefect.yaml")
    assert MARK not in str(refused.value)
    (tmp_path / "prefect.yaml").write_text(plan % "$LOANS_PASSWORD")
    assert planned_deployments(tmp_path / "prefect.yaml")
