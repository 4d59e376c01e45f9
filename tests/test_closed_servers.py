"""The Prefect servers that the program starts are closed to other users and to other web pages."""

import json
import os
import shutil
import socket
import subprocess
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pytest
from conftest import REPOSITORY, trainings
from httpx import HTTPStatusError
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from servers import PATIENCE, answers, free_port, running, store_client, wait_for
from test_schedule import EVERY_MINUTE, plan

from flows.command_line.terminal import exit_code
from flows.deployments import prefect_server
from modelling.refusals import UsageError
from tasks.upkeep.health import check_prefect
from tasks.workers.server_authentication import AUTH_STRING, stored_auth_string

FOREIGN = {"Origin": "https://evil.example"}
FLOW = {"Content-Type": "application/json"}
WRITTEN = {  # by a page that has a browser send them
    "flows/": {"name": "forged"},
    "deployments/filter": {},
    "variables/": {"name": "forged", "value": 1},
}


def asked(address, headers=None, content=None, method=None):
    """The status and the headers of an answer."""
    body = None if content is None else json.dumps(content).encode()
    request = Request(address, data=body, headers={**FLOW, **(headers or {})}, method=method)
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers
    except HTTPError as error:
        return error.code, error.headers


def assert_closed(url):
    """What another user, or another web page, tries at the address of Prefect's API."""
    for headers in ({}, FOREIGN, {"Authorization": "Basic Z3Vlc3M6Z3Vlc3M="}):
        assert asked(f"{url}/admin/settings", headers)[0] == 401
        assert asked(f"{url}/csrf-token?client=x", headers)[0] == 401
        for path, content in WRITTEN.items():
            status, answered = asked(f"{url}/{path}", headers, content)
            assert status in (401, 403)
            assert answered["Access-Control-Allow-Origin"] is None
    preflight = {**FOREIGN, "Access-Control-Request-Method": "POST"}
    status, answered = asked(f"{url}/flows/", preflight, method="OPTIONS")
    assert status == 400
    assert answered["Access-Control-Allow-Origin"] is None


def command_lines(processes):
    """Those of processes that live, as anybody can read them."""
    lines = []
    for one in processes:
        try:
            lines.append(" ".join(one.cmdline()))
        except psutil.Error:
            continue
    return lines


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    """``finflows schedule`` with a comparison every minute: its process, API, folder and shell."""
    folder = tmp_path_factory.mktemp("box")
    comparison = {"name": "comparison", "entrypoint": "flows/compare.py:compare", "tags": []}
    comparison |= {"parameters": {"since": "7d"}, "schedules": EVERY_MINUTE}
    file = plan(folder / "prefect.yaml", comparison)
    shell = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "PREFECT_HOME": str(folder / "prefect"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlruns/mlflow.db",
    }
    shell.pop("PREFECT_API_URL", None)
    port = free_port()
    command = [sys.executable, "-m", "flows.command_line", "schedule", "--port", str(port)]
    command += ["--file", str(file)]
    url = f"http://127.0.0.1:{port}/api"
    with running(command, folder / "schedule.log", cwd=folder, env=shell) as process:
        wait_for(lambda: process.poll() is not None or answers(f"{url}/health"), "its server")
        assert process.poll() is None, (folder / "schedule.log").read_text()
        yield process, url, folder, shell
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def shell_with_the_string(box):
    """What the file that the schedule names exports."""
    _, url, folder, shell = box
    (file,) = (folder / "prefect").glob("schedule-*.env")
    lines = [line.partition("=") for line in file.read_text().splitlines()]
    exported = {name: value for name, _, value in lines}
    assert exported["PREFECT_API_URL"] == url
    return file, {**shell, **exported}


@pytest.mark.services
def test_one_box_runs_by_cron_and_lets_nobody_else_in(box):
    process, url, folder, _ = box
    assert_closed(url)
    file, shell = shell_with_the_string(box)
    string = shell[AUTH_STRING]
    assert file.stat().st_mode & 0o777 == 0o600
    known = {"Authorization": _basic(string)}
    assert asked(f"{url}/admin/version", known)[0] == 200
    assert asked(f"{url}/flows/", {**known, **FOREIGN}, WRITTEN["flows/"])[0] == 403

    store = store_client(shell["MLFLOW_TRACKING_URI"])
    lines = []

    def compared():
        lines.extend(command_lines(psutil.Process(process.pid).children(recursive=True)))
        return process.poll() is not None or trainings(
            store, "comparison", "attributes.status = 'FINISHED'"
        )

    wait_for(compared, "a comparison by cron")
    said = (folder / "schedule.log").read_text()
    assert process.poll() is None, said
    assert str(file) in said
    assert any("prefect" in line for line in lines), "its flow runs were seen"
    for text in (said, *lines):
        assert string.partition(":")[2] not in text


def _basic(string):
    from base64 import b64encode

    return "Basic " + b64encode(string.encode()).decode()


@pytest.mark.services
def test_the_pages_open_with_the_string_and_prefect_in_another_shell_too(box):
    from playwright.sync_api import expect, sync_playwright

    _, url, _, _ = box
    _, shell = shell_with_the_string(box)
    command = [sys.executable, "-m", "prefect", "deployment", "ls"]
    listed = subprocess.run(command, env=shell, capture_output=True, text=True, timeout=PATIENCE)
    assert "comparison" in listed.stdout, listed.stderr
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{url.removesuffix('/api')}/deployments")
        password = page.locator("input[type=password]")
        password.fill(shell[AUTH_STRING], timeout=120_000)
        password.press("Enter")
        expect(page.get_by_text("comparison").first).to_be_visible(timeout=120_000)
        browser.close()


@pytest.mark.services
def test_who_does_not_know_the_string_of_a_server_is_told_what_is_missing(box):
    _, url, _, _ = box
    with temporary_settings({PREFECT_API_URL: url}, restore_defaults={PREFECT_API_AUTH_STRING}):
        assert check_prefect().finding.endswith("export PREFECT_API_AUTH_STRING=...")
        with get_client(sync_client=True) as client, pytest.raises(HTTPStatusError) as refused:
            client.read_deployments()
    assert exit_code(refused.value) == 2


def test_who_sits_at_the_port_already_is_told_nothing():
    """Whoever was there first would be handed the string, and could start flows of his own."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = f"port {port} is taken: choose another with --port, or export PREFECT_API_URL="
        with (
            temporary_settings(restore_defaults={PREFECT_API_URL}),
            pytest.raises(UsageError, match=said),
            prefect_server(port),
        ):
            pass


def test_the_string_is_the_owners_alone_and_stays_the_same(tmp_path):
    file = tmp_path / "prefect" / "schedule-4200.env"
    string = stored_auth_string(file, "http://127.0.0.1:4200/api")
    assert len(string) > 40
    assert stored_auth_string(file, "http://127.0.0.1:4200/api") == string
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("spoiled", ["readable", "link", "empty"])
def test_a_string_that_others_could_know_is_not_used_again(spoiled, tmp_path):
    file = tmp_path / "schedule-4200.env"
    string = stored_auth_string(file, "http://127.0.0.1:4200/api")
    if spoiled == "readable":
        file.chmod(0o644)
    elif spoiled == "link":
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
    else:
        file.write_text("")
    another = stored_auth_string(file, "http://127.0.0.1:4200/api")
    assert another != string
    assert len(another) > 40
    assert file.stat(follow_symlinks=False).st_mode & 0o777 == 0o600
