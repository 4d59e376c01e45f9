"""The scoring server speaks MLflow's protocol, but for the values that MLflow quotes."""

import asyncio
import gzip
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
import requests
import uvicorn
from conftest import REPOSITORY
from mlflow.pyfunc import load_model
from mlflow.pyfunc.scoring_server import init
from servers import PATIENCE, free_port, lives, running, wait_for
from servers import answers as there_is_an_answer
from small_models import loan_table

from tasks.registry.scoring_server import settings
from tasks.registry.scoring_server.__main__ import listening_socket
from tasks.registry.scoring_server.application import Application, Limits
from tasks.registry.scoring_server.following import QUIET_SECONDS, look, say_if_quiet
from tasks.registry.scoring_server.served_model import ServedModel, try_successor
from tasks.registry.scoring_server.tables import read_json
from tasks.registry.serving.following import Follower
from tasks.registry.serving.prepared_server import server_command, server_settings

MODEL = Path(__file__).parent / "data" / "registered_model"
TABLE = loan_table(3, seed=3).drop(columns="default")
ROWS = json.loads(TABLE.to_json(orient="records"))
SPLIT = json.loads(TABLE.to_json(orient="split"))
TOKEN = "a-token-of-a-test-run"
SECRET = "765432.125"


@pytest.fixture(scope="module")
def ours():
    return Application(ServedModel(MODEL), Limits(), token=None)


@pytest.fixture(scope="module")
def mlflows():
    return init(load_model(str(MODEL)))


def ask(application, method, path, **sent):
    async def answer():
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.request(method, path, **sent)

    return asyncio.run(answer())


def post(application, body, content_type="application/json"):
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    headers = {"Content-Type": content_type}
    return ask(application, "POST", "/invocations", content=text, headers=headers)


def broken(row):
    return {**row, "age": 130}


GOOD = {
    "records": {"dataframe_records": ROWS},
    "one record": {"dataframe_records": ROWS[:1]},
    "a refused row": {"dataframe_records": [ROWS[0], broken(ROWS[1]), ROWS[2]]},
    "a refused row alone": {"dataframe_records": [broken(ROWS[1])]},
    "an unknown label": {"dataframe_records": [{**ROWS[0], "region": "7"}]},
    "split": {"dataframe_split": SPLIT},
    "split, one row": {"dataframe_split": {**SPLIT, "data": SPLIT["data"][:1], "index": [7]}},
    "inputs": {"inputs": ROWS},
    "instances": {"instances": ROWS},
}


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD.keys())
@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=UTF-8"])
def test_it_answers_in_the_bytes_of_mlflows_server(ours, mlflows, body, content_type):
    expected, given = (post(client, body, content_type) for client in (mlflows, ours))
    assert given.status_code == expected.status_code == 200
    assert given.content == expected.content
    assert given.headers["content-type"] == expected.headers["content-type"]


@pytest.mark.parametrize(
    "content_type", ['Application/JSON; Charset="utf-8"', "application/json;charset=UTF8"]
)
def test_a_type_is_read_however_a_client_writes_it(ours, content_type):
    assert post(ours, GOOD["records"], content_type).content == post(ours, GOOD["records"]).content


@pytest.mark.parametrize("path", ["/ping", "/health", "/version"])
def test_its_pages_are_mlflows(ours, mlflows, path):
    expected, given = ask(mlflows, "GET", path), ask(ours, "GET", path)
    assert (given.status_code, given.content) == (expected.status_code, expected.content)
    assert given.headers["content-type"] == expected.headers["content-type"]
    for method, page in (("POST", path), ("GET", "/invocations")):
        assert ask(ours, method, page).status_code == ask(mlflows, method, page).status_code == 405
    expected, given = (ask(client, "POST", "/invocations/") for client in (mlflows, ours))
    assert given.status_code == expected.status_code == 307
    assert given.headers["location"] == expected.headers["location"]


# The messages are those that MLflow's own tests look for.
BAD = {
    "this is,,,, not valid json": "Ensure that input is a valid JSON formatted string.",
    "[1]": "The input must be a JSON dictionary with exactly one of the input fields",
    '{"not": "a serialized dataframe"}': "The input must be a JSON dictionary with exactly one of",
    '{"dataframe_records": [], "dataframe_split": {"data": []}}': "with exactly one of",
    '{"dataframe_split": [1]}': "Dataframe split format must be a dictionary.",
    '{"dataframe_records": {"data": []}}': "Dataframe records format must be a list of records.",
    '{"dataframe_split": {"index": [1, 2], "data": [[1], [2], [3]]}}': (
        "Provided dataframe_split field is not a valid dataframe representation"
    ),
}


@pytest.mark.parametrize(("body", "message"), BAD.items())
def test_errors_have_mlflows_status_code_and_message_without_the_rows(ours, mlflows, body, message):
    expected, given = post(mlflows, body), post(ours, body)
    assert given.status_code == expected.status_code == 400
    assert given.json()["error_code"] == expected.json()["error_code"] == "BAD_REQUEST"
    assert message in given.json()["message"]
    unsupported = post(mlflows, body, "text/xml"), post(ours, body, "text/xml")
    assert [response.status_code for response in unsupported] == [415, 415]


def test_a_compressed_body_is_refused_as_such_and_not_as_broken_json(ours):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    body = gzip.compress(json.dumps(GOOD["records"]).encode())
    refused = ask(ours, "POST", "/invocations", content=body, headers=headers)
    assert refused.status_code == 415
    assert "uncompressed" in refused.json()["message"]
    plain = {**headers, "Content-Encoding": "identity"}
    assert ask(ours, "POST", "/invocations", json=GOOD["records"], headers=plain).is_success


def test_of_two_cells_of_one_column_none_is_chosen_in_silence(ours):
    text = json.dumps({"dataframe_records": ROWS[:1]})
    for twice in (
        text.replace('"age":', f'"age": {SECRET}, "age":'),
        text.replace("[{", f'[], "dataframe_records": [{{"age": {SECRET}, '),
    ):
        refused = post(ours, twice)
        assert (refused.status_code, "the same name twice" in refused.text) == (400, True)
        assert SECRET not in refused.text


def test_empty_params_are_none_as_for_mlflow(ours, mlflows):
    for server in (ours, mlflows):
        sent = {"dataframe_records": ROWS}
        assert post(server, {**sent, "params": {}}).json() == post(server, sent).json()
    for wrong in ([], "", 0, False):
        assert post(ours, {"dataframe_records": ROWS, "params": wrong}).status_code == 400


def test_a_csv_is_read_as_text(ours):
    """001 stays 001, where MLflow's server makes 1 of it."""
    expected = post(ours, {"dataframe_records": ROWS}).json()
    assert post(ours, TABLE.to_csv(index=False), "text/csv").json() == expected
    alone = post(ours, TABLE.head(1).to_csv(), "text/csv").json()["predictions"]
    assert alone == expected["predictions"][:1]
    for text in ("", f"age,income\n40,{SECRET},1\n", f"age,age\n{SECRET},1\n", b"\xff\n1\n", '"a'):
        refused = post(ours, text, "text/csv")
        assert refused.status_code == 400
        assert refused.json()["message"].startswith("the rows can't be read: Failed to parse")
        assert SECRET not in refused.text


@pytest.mark.parametrize("written", [{"decimal": ","}, {"thousands": "."}])
def test_a_csv_is_refused_where_its_numbers_could_be_read_in_two_ways(tmp_path, written):
    """In a file of such a model 1.234 is no number, or 1234."""
    folder = shutil.copytree(MODEL, tmp_path / "model")
    scorer = folder / "artifacts" / "scorer"
    shutil.copy(REPOSITORY / "tasks" / "registry" / "registered_model.py", folder)
    shutil.copytree(REPOSITORY / "modelling" / "scorer", scorer, dirs_exist_ok=True)
    state = json.loads((scorer / "scorer.json").read_text())
    state["contract"]["written"] = written
    (scorer / "scorer.json").write_text(json.dumps(state))
    application = Application(ServedModel(folder), Limits())
    refused = post(application, TABLE.to_csv(index=False), "text/csv")
    assert (refused.status_code, "send JSON" in refused.text) == (415, True)
    assert post(application, {"dataframe_records": ROWS}).status_code == 200


def test_json_may_begin_with_a_byte_order_mark(ours):
    sent = json.dumps({"inputs": ROWS}).encode()
    assert post(ours, b"\xef\xbb\xbf" + sent).json() == post(ours, sent).json()


def test_a_fault_of_the_model_is_not_the_clients_and_quotes_nothing(capsys):
    application = Application(ServedModel(MODEL), Limits())
    application.model.registered.model.scorer = None
    for rows in (ROWS[:1], ROWS):
        response = post(application, {"dataframe_records": rows})
        assert response.status_code == 500
        assert response.json()["error_code"] == "INTERNAL_ERROR"
    said = capsys.readouterr().err.splitlines()  # MLflow may warn of another Python before
    assert {line for line in said if "/invocations" in line} <= {
        f"/invocations: AttributeError at contract.py:{line}" for line in range(999)
    }
    assert str(ROWS[0]["income"]) not in "".join(said)


def test_refused_logins_are_counted():
    application = Application(ServedModel(MODEL), Limits(), TOKEN)
    for method, page in (("POST", "/invocations"), ("GET", "/metrics")):
        assert ask(application, method, page).status_code == 401
    for sent in (f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN[:-1]}"):
        refused = ask(application, "GET", "/metrics", headers={"Authorization": sent})
        assert refused.status_code == 401
    for scheme in ("Bearer", "bearer", "BEARER"):
        headers = {"Authorization": f"{scheme} {TOKEN}"}
        text = ask(application, "GET", "/metrics", headers=headers).text
    assert 'finflows_requests_total{status="401"} 6.0' in text
    assert 'finflows_model_processes{model_version="1"} 1.0' in text
    assert "finflows_answers_in_progress 0.0" in text


def cut_off(folder):
    (network,) = folder.rglob("network.onnx")
    network.write_bytes(network.read_bytes()[:100])


def with_another_column(folder):
    (file,) = folder.rglob("scorer.json")
    state = json.loads(file.read_text())
    columns = state["contract"]["columns"]
    next(column for column in columns if column["name"] == "age")["kind"] = "category"
    file.write_text(json.dumps(state))


def that_refuses_its_example(folder):
    (file,) = folder.rglob("scorer.json")
    state = json.loads(file.read_text())
    for column in state["contract"]["columns"]:
        column["maximum"] = -1e9
    file.write_text(json.dumps(state))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (cut_off, "it does not answer its example ("),
        (with_another_column, "it has other columns: new age (category), without age (number)"),
        (that_refuses_its_example, "it does not answer its example (it breaks a rule of its own: "),
    ],
)
def test_a_model_must_show_that_it_can_take_the_place_of_another(change, said, tmp_path, capsys):
    change(shutil.copytree(MODEL, tmp_path / "model"))
    try_successor(str(MODEL), str(MODEL))
    with pytest.raises(SystemExit) as ended:
        try_successor(str(MODEL), str(tmp_path / "model"))
    assert ended.value.code == 3
    *_, line = capsys.readouterr().err.splitlines()  # MLflow may warn of another Python before
    assert line.startswith(said)


def test_what_prevents_a_new_champion_is_said_once_and_the_present_one_answers(tmp_path, capsys):
    application, file = Application(ServedModel(MODEL), Limits()), tmp_path / "followed.json"
    cut_off(shutil.copytree(MODEL, tmp_path / "cut_off"))
    good, broken = shutil.copytree(MODEL, tmp_path / "good"), tmp_path / "cut_off"
    prevented = ""
    for folder in (broken, broken, good, broken):
        file.write_text(json.dumps({"model_folder": str(folder), "checked": 1.0, "refused": {}}))
        prevented = look(application, file, prevented)
    assert application.model.folder == good
    assert post(application, {"dataframe_records": ROWS}).status_code == 200
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("finflows: ")]
    assert len(said) == 2, "before the good one, and after it"


def test_a_server_says_once_that_nobody_tells_it_any_more_who_is_champion(capsys):
    """Who follows may have been killed for its memory: a rollback would not reach the server."""
    application = Application(ServedModel(MODEL), Limits())
    long, version = QUIET_SECONDS + 1, application.model.version
    said, lines = False, []
    for seconds in (QUIET_SECONDS - 1, long, long, 0, long):
        said = say_if_quiet(application, seconds, said)
        lines.append(capsys.readouterr().err)
    assert [bool(line) for line in lines] == [False, True, False, False, True]
    assert f"version {version} answers on" in lines[1]
    assert "start finflows serve again" in lines[1]


def test_who_follows_goes_on_where_nothing_can_be_written_and_says_so_once(store, tmp_path, capsys):
    file = tmp_path / "a full disk" / "followed.json"
    follower = Follower("nobody", "1", tmp_path, Path(sys.executable), file, os.getpid())
    follower.look()
    follower.look()
    said = capsys.readouterr().err.splitlines()
    (line,) = (one for one in said if one.startswith("finflows: "))  # MLflow makes the store
    assert line.endswith("can't be followed (FileNotFoundError); version 1 answers on")
    file.parent.mkdir()
    follower.look()
    assert "there is no champion any more; version 1 answers on" in capsys.readouterr().err
    assert json.loads(file.read_text())["model_folder"] == str(tmp_path)


def test_who_follows_ends_with_a_server_that_is_killed_though_the_registry_says_nothing(tmp_path):
    """Of a registry that takes requests and does not answer, MLflow asks for many minutes."""
    file = tmp_path / "followed.json"
    file.write_text("{}")
    follow = shlex.join([sys.executable, "-P", "-m", "tasks.registry.serving.following", "loans"])
    follow += " " + shlex.join(["1", str(tmp_path), sys.executable, str(file)])
    with socket.create_server(("127.0.0.1", 0)) as registry:
        address = f"http://127.0.0.1:{registry.getsockname()[1]}"
        settings = {**os.environ, "PYTHONPATH": str(REPOSITORY), "MLFLOW_TRACKING_URI": address}
        server = subprocess.Popen(["sh", "-c", f"{follow} $$ & wait"], env=settings)
        registry.settimeout(PATIENCE)
        asking = [registry.accept()[0] for _ in ("whether it is there", "who is champion")]
        (follower,) = psutil.Process(server.pid).children()
        server.kill()
        wait_for(lambda: not lives(follower.pid), "the end of who follows")
        for connection in asking:
            connection.close()
    server.wait()
    assert not file.exists()


def test_a_server_gets_its_token_and_no_login_of_the_registry(monkeypatch):
    logins = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_URI", "PREFECT_API_KEY")
    for name in (*logins, "FINFLOWS_SERVE_TOKEN"):
        monkeypatch.setenv(name, TOKEN)
    assert [name for name, value in server_settings().items() if value == TOKEN] == [
        "FINFLOWS_SERVE_TOKEN"
    ]


def test_a_row_without_a_column_is_none_with_a_missing_cell_whoever_is_beside_it(ours):
    without_income = {name: cell for name, cell in ROWS[1].items() if name != "income"}
    alone = post(ours, {"dataframe_records": [without_income]})
    assert (alone.status_code, "missing columns: income" in alone.text) == (400, True)
    for form in ("dataframe_records", "instances"):
        among_others = post(ours, {form: [ROWS[0], without_income, ROWS[2]]})
        assert (among_others.status_code, among_others.json()) == (400, alone.json())
    further = [ROWS[0], {**ROWS[1], "note": SECRET}, ROWS[2]]
    answers = [post(ours, {"dataframe_records": rows}).json() for rows in (ROWS, further)]
    assert answers[0] == answers[1]


LARGE_CODE = 2**53 + 1  # no float holds it


@pytest.mark.parametrize("others", [[], [None], ["7"]], ids=["alone", "one missing", "text"])
def test_a_cell_is_the_same_alone_and_among_others(others):
    body = json.dumps({"inputs": {"region": [LARGE_CODE, *others]}}).encode()
    rows = read_json(body)[0].raw_rows()
    found = rows["region"] if isinstance(rows, dict) else rows["region"].tolist()[0]
    assert (found, type(found)) == (LARGE_CODE, int)


@pytest.mark.parametrize(
    "number", ["1e309", "9" * 309, "9" * 299 + "e99", "0." + "9" * 299 + "e309"]
)
def test_a_number_that_is_too_large_is_not_read_as_infinite(number):
    (row,) = read_json(f'{{"inputs": [{{"income": {number}}}]}}'.encode())[0].rows
    assert row["income"] == number


@pytest.mark.parametrize("rows", [ROWS[:1], ROWS])
def test_a_model_of_an_earlier_release_says_that_it_gives_no_reasons(ours, rows):
    refused = post(ours, {"dataframe_records": rows, "params": {"reasons": 2}})
    assert refused.status_code == 400
    assert "registered before models gave reasons" in refused.json()["message"]


def statuses(application, receive):
    """What a request for the scores of a CSV gets, whose body ``receive`` sends."""
    scope = {"type": "http", "method": "POST", "path": "/invocations"}
    scope["headers"] = [(b"content-type", b"text/csv")]
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(application(scope, receive, send))
    return [message["status"] for message in sent if "status" in message]


CSV = TABLE.to_csv(index=False).encode()


def test_rows_of_a_request_that_breaks_off_are_not_answered():
    """The first lines of a CSV are a whole table."""
    parts = [{"type": "http.request", "body": CSV, "more_body": True}, {"type": "http.disconnect"}]

    async def receive():
        return parts.pop(0)

    application = Application(ServedModel(MODEL), Limits())
    assert statuses(application, receive) == [400]
    metrics = ask(application, "GET", "/metrics").text
    assert 'finflows_requests_total{status="400"} 1.0' in metrics
    assert "finflows_rows_total{" not in metrics


def test_neither_a_slow_client_nor_a_slow_answer_is_waited_for(ours):
    async def nothing():
        await asyncio.Event().wait()

    async def whole():
        return {"type": "http.request", "body": CSV}

    impatient = Application(ours.model, Limits(read_seconds=0.01))
    assert statuses(impatient, nothing) == [408]
    impatient = Application(ours.model, Limits(answer_seconds=0))
    assert statuses(impatient, whole) == [504]


@contextmanager
def serving(folder, workers):
    """A server with a token, and ``folder`` for temporary files: its process and its address."""
    port, log = free_port(), folder / "log.txt"
    command = server_command(Path(sys.executable), MODEL, port, workers)
    environment = {"PATH": os.environ["PATH"], "FINFLOWS_SERVE_TOKEN": TOKEN, "TMPDIR": str(folder)}
    with running(command, log, env=environment) as process:
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: there_is_an_answer(f"{address}/ping") or process.poll(), "the server")
        yield process, address
    assert log.read_text() == ""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("server"), workers=2) as (_, address):
        yield address


@pytest.mark.services
def test_without_the_token_there_are_no_answers(guarded):
    address = guarded
    for sent in ({}, {"Authorization": TOKEN}, {"Authorization": "Bearer another-token-of-16"}):
        refused = requests.post(f"{address}/invocations", "{}", headers=sent, timeout=60)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert requests.get(f"{address}/metrics", headers=sent, timeout=60).status_code == 401


@pytest.mark.services
def test_the_metrics_are_those_of_all_processes(guarded):
    address = guarded
    headers = {"Authorization": f"Bearer {TOKEN}"}
    sent = {"dataframe_records": [ROWS[0], broken(ROWS[1])]}
    for _ in range(20):  # each over a connection of its own
        answered = requests.post(f"{address}/invocations", json=sent, headers=headers, timeout=60)
        assert answered.status_code == 200
    text = requests.get(f"{address}/metrics", headers=headers, timeout=60).text
    assert 'finflows_requests_total{status="200"} 20.0' in text
    assert 'finflows_rows_total{model_version="1"} 40.0' in text
    assert 'finflows_rows_with_broken_rules_total{model_version="1"} 20.0' in text
    assert "finflows_request_seconds_count 20.0" in text


@pytest.mark.services
def test_a_server_that_is_asked_to_end_answers_first(tmp_path):
    body = json.dumps({"dataframe_records": ROWS[:1]}).encode()
    head = [
        "POST /invocations HTTP/1.1", "Host: 127.0.0.1", "Expect: 100-continue",
        f"Authorization: Bearer {TOKEN}", "Content-Type: application/json",
        f"Content-Length: {len(body)}", "", "",
    ]  # fmt: skip
    with serving(tmp_path, workers=1) as (process, address):
        port = int(address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall("\r\n".join(head).encode())
            assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")  # it waits for the body
            process.terminate()
            wait_for(lambda: not there_is_an_answer(f"{address}/ping"), "the end of its listening")
            connection.sendall(body)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        process.wait(timeout=60)
    assert [file.name for file in tmp_path.iterdir()] == ["log.txt"]


@pytest.mark.services
@pytest.mark.parametrize("workers", [1, 2])
def test_who_sends_one_request_after_the_other_loses_none_when_the_server_ends(tmp_path, workers):
    """The last answer says that the connection ends, before the next request is sent."""
    sent = {"dataframe_records": ROWS[:1]}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with serving(tmp_path, workers) as (process, address), requests.Session() as kept_alive:

        def answered():
            return kept_alive.post(f"{address}/invocations", json=sent, headers=headers, timeout=60)

        assert "Connection" not in answered().headers
        process.terminate()
        while "Connection" not in (last := answered()).headers:
            assert last.status_code == 200
        assert (last.status_code, last.headers["Connection"]) == (200, "close")
        process.wait(timeout=60)


def test_connections_of_several_processes_send_at_once():
    config = uvicorn.Config("none", host="127.0.0.1", port=0, log_level="error")
    with listening_socket(config) as listening:
        listening.listen()
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.services
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP], ids=["killed", "no terminal"])
def test_no_process_answers_on_after_the_server_has_ended(tmp_path, number):
    with serving(tmp_path, workers=2) as (process, address):
        process.send_signal(number)
        wait_for(lambda: not there_is_an_answer(f"{address}/ping"), "the end of its processes")


@pytest.mark.services
def test_an_address_for_others_without_a_token_is_refused_in_one_line():
    command = [*server_command(Path(sys.executable), MODEL, free_port()), "--host", "0.0.0.0"]
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("finflows: set FINFLOWS_SERVE_TOKEN: other machines")


@pytest.mark.services
@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_that_can_not_start_says_so_in_one_line_and_fails(tmp_path, workers):
    cut_off(shutil.copytree(MODEL, tmp_path / "model"))
    command = server_command(Path(sys.executable), tmp_path / "model", free_port(), workers)
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"finflows: the model in {tmp_path / 'model'} can't be loaded (")


def test_settings_that_are_no_limit_or_no_secret_are_refused_and_not_quoted(monkeypatch):
    monkeypatch.setenv("FINFLOWS_SERVE_ROWS", "many")
    with pytest.raises(ValueError, match="FINFLOWS_SERVE_ROWS must be a whole number above 0"):
        settings.limits()
    for guessed in ("", "short", "with blanks in between"):
        monkeypatch.setenv("FINFLOWS_SERVE_TOKEN", guessed)
        with pytest.raises(ValueError, match="must have at least 16 letters") as error:
            settings.token()
        assert not guessed or guessed not in str(error.value)


@pytest.mark.services
def test_a_request_with_two_lengths_is_refused_and_nothing_behind_it_is_read(guarded):
    """By Content-Length a proxy would end the request behind ``0``, and take what follows for the
    next one."""
    head = f"POST /invocations HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {TOKEN}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"
    behind = "GET /ping HTTP/1.1\r\nHost: here\r\n\r\n"
    with socket.create_connection(("127.0.0.1", int(guarded.rpartition(":")[2]))) as connection:
        connection.sendall(f"{head}\r\n0\r\n\r\n{behind}".encode())
        answered = b"".join(iter(lambda: connection.recv(65_536), b"")).decode()
    assert answered.startswith("HTTP/1.1 400"), answered
    assert answered.count("HTTP/1.1") == 1
    assert "send Content-Length or Transfer-Encoding, not both" in answered
