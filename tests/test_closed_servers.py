"""The Prefect servers that the program starts are closed to other users and to other web pages."""

import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pytest
from conftest import REPOSITORY, trainings
from httpx import HTTPStatusError
from playwright.sync_api import expect, sync_playwright
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from servers import PATIENCE, answers, free_port, running, store_client, wait_for
from test_schedule import EVERY_MINUTE, plan

from flows.command_line.terminal import exit_code, show_error
from flows.deployments import prefect_server
from modelling.refusals import UsageError
from tasks.upkeep.health import check_prefect
from tasks.workers.server_authentication import AUTH_STRING, stored_auth_string

FOREIGN = {"Origin": "https://evil.example"}
# Whether a text is nowhere cut off at its right end.
FITS = "parts => parts.every(part => part.scrollWidth <= part.clientWidth)"
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
    """``finflows schedule`` with a comparison every minute, and the form of a second person: its
    process, API, folder and shell."""
    folder = tmp_path_factory.mktemp("box")
    comparison = {"name": "comparison", "entrypoint": "flows/compare.py:compare", "tags": []}
    comparison |= {"parameters": {"since": "7d"}, "schedules": EVERY_MINUTE}
    form = {"name": "second-person", "entrypoint": "flows/approve.py:approve", "tags": []}
    form |= {"parameters": {}, "schedules": [], "concurrency_limit": None}
    file = plan(folder / "prefect.yaml", comparison, form)
    shell = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")]),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_RUNNER_POLL_FREQUENCY": "2",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlruns/mlflow.db",
    }
    shell.pop("PREFECT_API_URL", None)
    port = free_port()
    command = [sys.executable, "-m", "flows.command_line", "schedule", "--port", str(port)]
    command += ["--file", str(file), "--workers", "2"]
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
    _, url, _, _ = box
    _, shell = shell_with_the_string(box)
    command = [sys.executable, "-m", "prefect", "deployment", "ls"]
    listed = subprocess.run(command, env=shell, capture_output=True, text=True, timeout=PATIENCE)
    assert "comparison" in listed.stdout, listed.stderr
    with logged_in(f"{url.removesuffix('/api')}/deployments", shell) as page:
        expect(page.get_by_text("comparison").first).to_be_visible(timeout=120_000)


@contextmanager
def logged_in(address, shell):
    """A page in a browser that knows nothing yet, as it asks for the string."""
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(address)
        password = page.locator("input[type=password]")
        password.fill(shell[AUTH_STRING])
        password.press("Enter")
        page.wait_for_url(lambda url: "login" not in url)
        page.reload()  # its complaint that nobody was logged in covers the right corner
        yield page
        browser.close()


REQUEST = """from small_models import register_and_judge
_, decision = register_and_judge(name="two_people", approval="second_person")
print(decision.reason)"""


@pytest.mark.services
def test_a_second_person_follows_the_printed_address_and_approves_in_a_browser(box):
    """Past the login, to a form that says what is asked, whole; a worker does what it answers."""
    _, shell = shell_with_the_string(box)
    command = [sys.executable, "-c", REQUEST]
    done = subprocess.run(command, env=shell, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    form = done.stdout.split("the form in Prefect: ")[1].strip()
    store = store_client(shell["MLFLOW_TRACKING_URI"])
    request = store.get_model_version("two_people", "1").tags
    with logged_in(form, shell) as page:
        expect(page.get_by_text("Suspended").first).to_be_visible(timeout=120_000)
        page.get_by_role("button", name="Resume").click()
        asked = page.get_by_role("dialog")
        for said in ("two_people version 1", request["gate_reason"], "it has no dossier"):
            expect(asked.get_by_text(said).first).to_be_visible()
        assert asked.locator("p, li").evaluate_all(FITS)
        asked.locator(".p-select-button__icon").click()
        page.get_by_role("option", name="approve").click()
        name, reason = asked.locator("textarea").all()
        name.fill("Ben Meyer")
        reason.fill("read the report")
        submit = asked.get_by_role("button", name="Submit")

        def approved():
            # A click is lost while the page has not taken in what was typed.
            submit.evaluate_all("buttons => buttons.forEach(button => button.click())")
            return "champion" in store.get_registered_model("two_people").aliases

        wait_for(approved, "it")


@pytest.mark.services
def test_who_does_not_know_the_string_of_a_server_is_told_what_is_missing(box):
    _, url, _, _ = box
    with temporary_settings({PREFECT_API_URL: url}, restore_defaults={PREFECT_API_AUTH_STRING}):
        assert check_prefect().finding.endswith("export PREFECT_API_AUTH_STRING=...")
        with get_client(sync_client=True) as client, pytest.raises(HTTPStatusError) as refused:
            client.read_deployments()
    assert exit_code(refused.value) == 2


def test_a_configured_server_that_does_not_answer_is_one_line_without_its_login(capsys):
    url = f"http://anna:geheim@127.0.0.1:{free_port()}/api"
    with (
        temporary_settings({PREFECT_API_URL: url}),
        get_client(sync_client=True) as client,
        pytest.raises(RuntimeError) as away,
    ):
        client.raise_for_api_version_mismatch()  # as each flow does at its start
    assert exit_code(away.value) == 2
    show_error(away.value)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("finflows: no Prefect server answers at PREFECT_API_URL: start it")
    assert "geheim" not in line


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
