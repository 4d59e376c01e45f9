"""The scoring server over a champion, in its own small environment, over real HTTP."""

import asyncio
import hashlib
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

import httpx
import psutil
import pytest
import requests
from conftest import REPOSITORY
from mlflow.pyfunc import load_model
from mlflow.pyfunc.scoring_server import init
from servers import answers as there_is_an_answer
from servers import free_port, lives, running, wait_for
from small_models import COLUMNS, loan_table, register_and_judge

from modelling.declaration import category
from modelling.scorer.model import Model
from tasks.registry.approvals import promote_manually
from tasks.registry.champions import roll_back
from tasks.registry.file_hashes import HASHES_TAG
from tasks.registry.serving.environments import environment_folder, interpreter
from tasks.registry.serving.model_copies import serving_folder

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("store", "prefect_server")]
SECRET = 765432.125
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def served(store, prefect_server):
    from tasks.registry.serving.prepared_server import prepare_serving

    register_and_judge(name="served", columns=(*COLUMNS, category("branch")))
    return prepare_serving("served")


def ping(port):
    return f"http://127.0.0.1:{port}/ping"


@pytest.fixture(scope="module")
def server(served, tmp_path_factory):
    """The server's process, its address and its log."""
    port, log = free_port(), tmp_path_factory.mktemp("server") / "log.txt"
    environment = {"PATH": os.environ["PATH"], "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    with running(served.command(port), log, env=environment) as process:
        wait_for(lambda: there_is_an_answer(ping(port)) or process.poll(), "the server")
        yield process, f"http://127.0.0.1:{port}/invocations", log


@pytest.fixture
def post(server):
    process, address, log = server

    def send(body, headers=JSON):
        text = body if isinstance(body, str | bytes) else json.dumps(body)
        return requests.post(address, data=text, headers=headers, timeout=120)

    yield send
    assert process.poll() is None, "the server died"
    assert send({"dataframe_records": records(1)}).status_code == 200
    assert "Traceback" not in log.read_text()
    assert str(SECRET) not in log.read_text()


def records(rows):
    table = loan_table(rows, seed=3).drop(columns="default")
    return json.loads(table.to_json(orient="records"))


def test_the_environment_is_a_tenth_of_the_training_one(served):
    def megabytes(folder):
        done = subprocess.run(["du", "-sm", str(folder)], capture_output=True, text=True)
        return int(done.stdout.split()[0])

    import onnxruntime

    training = Path(onnxruntime.__file__).parents[4]
    small, large = megabytes(served.python.parents[1]), megabytes(training)
    print(f"serving environment {small} MB, training environment {large} MB")
    assert small < large / 8
    listed = {path.name for path in served.python.parents[1].glob("lib/*/site-packages/*")}
    assert not listed & {"tensorflow", "keras", "prefect", "sklearn", "great_expectations"}


@pytest.mark.parametrize("rows", [1, 5, 10_000])
def test_good_rows_are_answered_as_the_model_answers_them(post, served, rows):
    sent = records(rows)
    answers = post({"dataframe_records": sent}).json()["predictions"]
    model = Model(next(served.model_folder.rglob("scorer.json")).parent, "1")
    expected = model.answer(loan_table(rows, seed=3))
    assert len(answers) == rows
    assert [one["probability"] for one in answers] == expected["probability"].tolist()
    assert {one["unknown"] for one in answers} == {""}, "001 stays 001 on its way"
    assert {one["model_version"] for one in answers} == {served.version} == {"1"}
    assert [one["decision"] for one in answers] == expected["decision"].tolist()


def test_a_row_that_breaks_the_contract_is_refused_alone_and_not_quoted(post):
    sent = records(3)
    sent[1]["age"] = SECRET
    response = post({"dataframe_records": sent})
    answers = response.json()["predictions"]
    assert response.status_code == 200
    assert [one["decision"] is None for one in answers] == [False, True, False]
    assert answers[1]["broken_rules"] == "age: is at most 120"
    assert str(SECRET) not in response.text


def missing_column(rows):
    return [{name: cell for name, cell in row.items() if name != "age"} for row in rows]


BAD = {
    "bad JSON": '{"dataframe_records": [{"income": 765432.125,',
    "not UTF-8": b"\xff\xfe765432.125",
    "a list": [{"income": SECRET}],
    "a number": "765432.125",
    "an unknown key": {"rows": [{"income": SECRET}]},
    "missing columns": {"dataframe_records": missing_column([{**records(1)[0], "income": SECRET}])},
    "an empty list": {"dataframe_records": []},
    "a ragged split": {"dataframe_split": {"columns": ["age"], "data": [[1, SECRET]]}},
    "scalars": {"dataframe_records": [SECRET, SECRET]},
    "inputs of another kind": {"inputs": {"age": SECRET}},
    "nothing": "",
    "NaN": '{"dataframe_records": [{"income": NaN, "age": 765432.125}]}',
    "Infinity": '{"dataframe_records": [{"income": -Infinity, "age": 765432.125}]}',
    "lists in lists": '{"inputs": ' + "[" * 5000 + "765432.125" + "]" * 5000 + "}",
    "an object in a cell of a cell": {"dataframe_records": [{"income": {"a": [SECRET]}}]},
    "two tables": {"inputs": records(1), "instances": records(1)},
    "a chat": {"messages": [{"role": "user", "content": SECRET}], **records(1)[0]},
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_bad_requests_get_a_clear_4xx_and_nothing_back(post, body):
    response = post(body)
    assert 400 <= response.status_code < 500
    assert list(response.json()) == ["error_code", "message"]
    message = response.json()["message"]
    assert message.startswith(("the rows can't be read", "input contract: "))
    assert "765432" not in response.text
    assert "Traceback" not in response.text


def test_missing_columns_are_named(post):
    response = post({"dataframe_records": missing_column(records(2))})
    assert response.status_code == 400
    assert response.json() == {
        "error_code": "INVALID_PARAMETER_VALUE",
        "message": "input contract: missing columns: age",
    }


ABSURD = {
    "an integer": "1" + "0" * 400,
    "an integer that Python does not read": "9" * 5000,
    "a power of ten": "1e400",
    "a truth": "true",
    "digits with a gap": '"4_5"',
    "digits of another script": '"٤٥"',
}


@pytest.mark.parametrize("cell", ABSURD.values(), ids=ABSURD.keys())
@pytest.mark.parametrize("rows", [1, 3])
def test_what_is_no_number_refuses_its_row_alone(post, cell, rows):
    whole = post({"dataframe_records": records(rows)}).json()["predictions"]
    sent = records(rows)
    sent[0]["balance"] = "HERE"
    response = post(json.dumps({"dataframe_records": sent}).replace('"HERE"', cell).encode())
    assert response.status_code == 200
    answers = response.json()["predictions"]
    assert answers[0]["broken_rules"] == "balance: is a number"
    assert answers[0]["probability"] is None
    assert answers[1:] == whole[1:]


async def answer_of(application, body):
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        return (await client.post("/invocations", json=body)).text


def test_reasons_are_given_where_they_are_asked_for(post, served):
    model = Model(next(served.model_folder.rglob("scorer.json")).parent, "1")
    expected = model.answer(loan_table(3, seed=3), reasons=2)
    for form in ("dataframe_records", "inputs", "instances"):
        answers = post({form: records(3), "params": {"reasons": 2}}).json()["predictions"]
        assert [one["reason_1_column"] for one in answers] == expected["reason_1_column"].tolist()
        assert [one["reason_1_effect"] for one in answers] == expected["reason_1_effect"].tolist()
        assert "reason_3" not in answers[0]
    (alone,) = post({"inputs": records(3)[:1], "params": {"reasons": 2}}).json()["predictions"]
    assert alone == answers[0]
    assert "reason_1" not in post({"inputs": records(1)}).json()["predictions"][0]
    mlflows = init(load_model(str(served.model_folder)))
    usual = dict.fromkeys(records(1)[0]) | {"age": 40, "region": "1"}
    for rows in ([usual], [usual] * 2):  # a missing balance is as in the reference: no reason
        text = post({"dataframe_records": rows, "params": {"reasons": 6}}).text
        answers = json.loads(text, parse_constant=pytest.fail)["predictions"]
        assert [one["reason_6"] for one in answers] == [None] * len(rows)
        assert [one["reason_6_effect"] for one in answers] == [None] * len(rows)
        sent = {"dataframe_records": rows, "params": {"reasons": 6}}
        assert asyncio.run(answer_of(mlflows, sent)) == text
    for params in ({"reasons": "all"}, {"reasons": -1}, {"reason": 4}, {"reasons": 1.5}, [4], "4"):
        refused = post({"inputs": records(1), "params": params})
        assert refused.status_code == 400
        assert refused.json()["message"].startswith('params: send {"reasons": 4}')


def test_too_much_at_once_is_refused_and_the_server_goes_on(post):
    padded = json.dumps({"dataframe_records": records(1)}) + " " * (17 << 20)
    many = {"dataframe_split": {"columns": ["age"], "data": [[1]] * 50_001}}
    wide = {"dataframe_records": [{f"{n} {k}": 1 for k in range(5)} for n in range(2000)]}
    for body, said in ((padded, "16 MB"), (many, "50,000 rows"), (wide, "10,000,000 cells")):
        response = post(body)
        assert response.status_code == 413
        assert said in response.json()["message"]


def test_another_content_type_is_refused(post):
    for refused in ("text/xml", "application/json; charset=latin-1", "text/csv; header=no", ""):
        assert post("<rows/>", {"Content-Type": refused}).status_code == 415


def test_the_other_forms_of_json_are_read_too(post):
    table = loan_table(3, seed=3).drop(columns="default")
    split = json.loads(table.to_json(orient="split"))
    by_column = table.astype(object).where(table.notna(), None).to_dict("list")
    forms = [{"dataframe_split": split}, {"inputs": records(3)}, {"instances": records(3)}]
    forms += [{"inputs": by_column}, {"instances": by_column}]
    expected = post({"dataframe_records": records(3)}).json()
    assert [post(body).json() for body in forms] == [expected] * 5
    expected["predictions"] = expected["predictions"][:1]
    first = records(3)[:1]
    one = [{"inputs": first}, {"inputs": first[0]}, {"instances": first}]
    assert [post(body).json() for body in one] == [expected] * 3
    by_column["balance"][0] = True
    for form in ("inputs", "instances"):
        refused = post({form: by_column}).json()["predictions"]
        assert [row["broken_rules"] for row in refused] == ["balance: is a number", "", ""]


def test_eight_clients_get_their_own_answers(post):
    bodies = [{"dataframe_records": records(20)[n : n + 3]} for n in range(8)]
    alone = [post(body).json() for body in bodies]
    with ThreadPoolExecutor(8) as clients:
        together = list(clients.map(lambda n: post(bodies[n % 8]).json(), range(80)))
    for number, answers in enumerate(together):
        assert answers == alone[number % 8]


def test_the_command_becomes_the_server_and_ends_with_its_signal(served, tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "flows.command_line", "serve", "served", "--port", str(port)]
    with running(command, tmp_path / "log.txt", cwd=REPOSITORY) as process:
        wait_for(lambda: there_is_an_answer(ping(port)) or process.poll() is not None, "the server")
        assert process.poll() is None, (tmp_path / "log.txt").read_text()
        taken = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
        assert taken.returncode == 2
        assert taken.stderr.strip() == f"finflows: port {port} is taken: choose another with --port"
        process.terminate()
        process.wait(timeout=30)
        assert not there_is_an_answer(ping(port))


class Clients:
    """Clients that ask without a pause; the versions that answered each of them."""

    def __init__(self, address, count):
        self.address, self.ended = address, Event()
        self.bodies = [{"dataframe_records": records(rows)} for rows in (1, 2, 3)]
        self.versions = [[] for _ in range(count)]
        self.threads = [Thread(target=self._ask, args=(seen,)) for seen in self.versions]

    def _ask(self, seen):
        with requests.Session() as session:
            while not self.ended.is_set():
                body = self.bodies[len(seen) % 3]
                response = session.post(self.address, json=body, timeout=60)
                response.raise_for_status()
                version = response.headers["Model-Version"]
                answered = {row["model_version"] for row in response.json()["predictions"]}
                assert answered == {version}
                seen.append(version)
                self.ended.wait(0.02)  # the machine is also to load models

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()


@pytest.fixture(scope="module")
def versions(served):
    """The first is champion; the third has another column."""
    register_and_judge(name="followed")
    register_and_judge(name="followed", noise=0.5, gate=None)
    register_and_judge(name="followed", columns=(*COLUMNS, category("branch")), gate=None)
    return "followed"


def test_a_new_champion_takes_over_and_no_request_is_lost(versions, served, tmp_path):
    port = free_port()
    command = [sys.executable, "-P", "-m", "flows.command_line", "serve", versions]
    command += ["--port", str(port), "--workers", "2", "--follow"]
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "__init__.py").write_text("raise SystemExit('the code of others')")
    log, address = tmp_path / "log.txt", f"http://127.0.0.1:{port}"
    copies = serving_folder() / "models"
    held = {*copies.iterdir()}  # by this process, for this test and others

    def metrics():
        return requests.get(f"{address}/metrics", timeout=60).text

    def answering(version):
        wanted = f'finflows_model_processes{{model_version="{version}"}} 2.0'
        wait_for(lambda: wanted in metrics(), f"version {version}")

    with running(command, log, cwd=tmp_path) as process:
        wait_for(lambda: there_is_an_answer(ping(port)) or process.poll(), "the server")
        helpers = psutil.Process(process.pid).children(recursive=True)
        with Clients(f"{address}/invocations", 3) as clients:
            answering("1")
            promote_manually(versions, "2", "a test")
            answering("2")
            roll_back(versions, "a test")
            answering("1")
            promote_manually(versions, "3", "a test")
            refused = 'finflows_champion_refused_timestamp_seconds{model_version="3"}'
            wait_for(lambda: refused in metrics(), "a refusal")
            wait_for(lambda: len({*copies.iterdir()} - held) == 2, "the removal of version 3")
            asked = [len(seen) for seen in clients.versions]
            wait_for(
                lambda: all(len(s) > n + 5 for s, n in zip(clients.versions, asked, strict=True)),
                "answers of all clients after all that",
            )
        for seen in clients.versions:
            assert seen[0] == seen[-1] == "1"
            assert set(seen) == {"1", "2"}
        process.terminate()  # and nobody asks how it ended, as in a container without an init
        for one in [*helpers, process]:
            wait_for(lambda pid=one.pid: not lives(pid), "the end of all its processes")
    assert served.model_folder in {*copies.iterdir()} <= held
    said = log.read_text()
    assert f"finflows: {versions} version 2 is champion, and takes over" in said
    why = "it has other columns: new branch (category); version 1 answers on"
    assert f"{versions}: version 3 is champion, but can't take over: {why}" in said
    assert "Traceback" not in said
    assert not [*serving_folder().glob("followed-*")]


def test_one_can_not_follow_and_ask_for_a_version(finflows):
    done = finflows("serve", "followed", "--version", "1", "--follow")
    assert done.returncode == 2
    assert done.stderr == "finflows: --follow follows the champion: leave out --version\n"


@pytest.fixture(scope="module")
def image(served, finflows, tmp_path_factory):
    """The folder that docker gets, moved to where nobody knows of it."""
    folder = tmp_path_factory.mktemp("image")
    done = finflows("image", "served", "--to", folder / "made")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("served version 1: docker build --tag served:1 ")
    again = finflows("image", "served", "--to", folder / "made")
    assert again.stderr.endswith("exists: remove it, or name another folder\n")
    return (folder / "made").rename(folder / "moved")


def instructions(folder):
    """What the Dockerfile says, as (instruction, arguments)."""
    text = (folder / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def test_the_image_needs_nothing_but_its_folder(image, served, client):
    said = instructions(image)
    assert [name for name, _ in said] == [
        "ARG", "FROM", "ARG", "LABEL", "ENV", "WORKDIR", "COPY", "RUN", "COPY", "COPY", "USER",
        "EXPOSE", "HEALTHCHECK", "ENTRYPOINT",
    ]  # fmt: skip
    for copied in [arguments for name, arguments in said if name == "COPY"]:
        assert all((image / source).exists() for source in copied.split()[:-1])
    base, index = [argument for name, argument in said if name == "ARG"]
    assert re.fullmatch(r"BASE=python:3\.1[1-3]-slim", base)
    assert index == "PIP_INDEX_URL", "which docker ignores where it is not declared"
    assert dict(said)["USER"] == "10001:10001"
    for command in dict(said)["RUN"].split("&&"):
        assert "--no-cache-dir" in command
        assert "--require-hashes" in command
    assert "TOKEN" not in "".join(arguments for _, arguments in said)
    hashes = client.get_model_version("served", "1").tags[HASHES_TAG]
    files = f'finflows.model.files_sha256="{hashlib.sha256(hashes.encode()).hexdigest()}"'
    assert files in dict(said)["LABEL"]
    packages = (image / "requirements.txt").read_text()
    assert "tensorflow" not in packages
    assert "keras" not in packages
    for path in image.rglob("*"):
        assert path.stat().st_mode & 0o005, f"{path.name} can't be read by the image's user"
        text = path.read_bytes() if path.is_file() else b""
        for foreign in (b"/home/", b"/tmp/pytest", str(REPOSITORY).encode(), b"://", b"index-url"):
            assert foreign not in text.replace(b"/tmp ", b""), (path, foreign)


def test_the_image_answers_in_an_empty_environment(image, served):
    """Not in docker: with its packages, command and settings, as a process in another folder."""
    said = dict(instructions(image))
    lists = [image / "requirements.txt", image / "server-requirements.txt"]
    assert interpreter(environment_folder(serving_folder(), *lists)) == served.python
    port = str(free_port())
    start, healthy = (
        [word.replace("8080", port) for word in json.loads(text[text.index("[") :])]
        for text in (said["ENTRYPOINT"], said["HEALTHCHECK"])
    )
    environment = dict(setting.split("=", 1) for setting in said["ENV"].split())
    environment["PATH"] = str(served.python.parent)
    settings = {"cwd": image, "env": environment}
    refused = subprocess.run(start, **settings, capture_output=True, text=True, timeout=120)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "set FINFLOWS_SERVE_TOKEN" in refused.stderr

    environment["FINFLOWS_SERVE_TOKEN"] = "a-token-of-a-test-run"
    before, log = {*image.rglob("*")}, image.parent / "log.txt"
    with running(start, log, **settings) as process:
        wait_for(lambda: there_is_an_answer(ping(port)) or process.poll(), "the server")
        assert subprocess.run(healthy, **settings, timeout=120).returncode == 0
        headers = {"Authorization": f"Bearer {environment['FINFLOWS_SERVE_TOKEN']}"}
        address = f"http://127.0.0.1:{port}"
        version = requests.get(f"{address}/version", headers=headers, timeout=60)
        assert version.headers["Model-Version"] == "1"
        assert version.headers["Model-Files-SHA256"] in said["LABEL"]
        sent = {"dataframe_records": records(3)}
        answers = requests.post(f"{address}/invocations", json=sent, headers=headers, timeout=60)
        assert [row["model_version"] for row in answers.json()["predictions"]] == ["1"] * 3
    assert subprocess.run(healthy, **settings, capture_output=True, timeout=120).returncode == 1
    assert {*image.rglob("*")} == before, "it writes nothing into its folder"
    assert log.read_text() == ""
