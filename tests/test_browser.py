"""What people see in a real browser: MLflow's own pages, Prefect's, and ours.

``FINFLOWS_SCREENSHOTS=FOLDER`` keeps the pictures there, as the README shows them.

What else is asked of a real training of every shipped use case (gates, reasons, the level of
boosting) stands here as well, since two of the pages show the same ``make train-all``: in a file of
its own it would be trained twice, as each file of tests is run by one process of several.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from compared_runs import many_runs
from conftest import REPOSITORY, last_json
from pictures import losses_in_mlflow
from PIL import Image
from playwright.sync_api import expect, sync_playwright
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from servers import PATIENCE, mlflow_ui, prefect_server, store_client, team_environment
from test_quality import boosted
from test_reasons import contributions_of, from_reference, moved_by_deletion

from flows.deployments import PLAN, deployment_of, planned_deployments
from modelling.figures.self_contained_page import self_contained_page
from modelling.judgement.evaluation import evaluate
from modelling.scorer.model import Model
from modelling.scorer.scoring import Scorer
from tasks.comparison.page import as_html
from tasks.preparation import prepare
from tasks.tracking.addresses import MACHINE_LEARNING
from tasks.tracking.record import TrackedRun
from tasks.tracking.store import EXPERIMENT_TAGS
from use_cases import find_use_case

pytestmark = pytest.mark.services
SHIPPED = ("credit_scoring", "fraud_detection", "credit_grade", "market_volatility")
COMPARED = ("credit_scoring", "market_volatility")
# Whether no cell and no chart reaches beyond the window.
FITS = """[...document.querySelectorAll("td, svg")].every(
    part => part.getBoundingClientRect().right <= innerWidth)"""
# Whether the numbers along each axis stand apart from each other.
APART = """[...document.querySelectorAll(".role-axis-label")].every(axis => {
    const texts = [...axis.querySelectorAll("text")]
    const shown = texts.filter(text => text.getAttribute("opacity") > 0)
    const boxes = shown.map(text => text.getBoundingClientRect())
    return boxes.every(a => boxes.every(b => a === b ||
        a.right + 4 < b.left || b.right + 4 < a.left || a.bottom < b.top || b.bottom < a.top))})"""
expect.set_options(timeout=120_000)


@pytest.fixture(scope="module")
def page():
    """A page in Debian's Chromium, as wide as a laptop's."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 1100})
        page.set_default_timeout(120_000)
        yield page
        browser.close()


@pytest.fixture(scope="module")
def everything(finflows, tmp_path_factory):
    """The store of a real ``make train-all``: its folder, and the shell that it was typed in."""
    folder = tmp_path_factory.mktemp("train-all")
    uri = f"sqlite:///{folder}/mlflow.db"
    shell = {"MLFLOW_TRACKING_URI": uri, "PYTHONPATH": str(REPOSITORY)}
    done = finflows("train-all", **shell)
    assert done.returncode == 0, done.stderr
    return folder, shell


def keep(page, name):
    if folder := os.environ.get("FINFLOWS_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / name)


def test_an_experiment_opens_on_its_training_runs(page, tmp_path):
    """In a browser that knows nothing yet: by its address, and by a click. MLflow's assistant waits
    until it is asked for, and the runs stand beside their metrics; no banner is about usage data,
    which is not collected; other choices of a person stay."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = store_client(uri)
    number = client.create_experiment("loans", tmp_path.as_uri(), EXPERIMENT_TAGS)
    run = client.create_run(number, run_name="loans epochs=3", tags={"gate": "passed"}).info
    client.log_metric(run.run_id, "test_roc_auc", 0.8125)
    tracked = TrackedRun(client, run.run_id, number, run.artifact_uri)
    with mlflow_ui(tmp_path, uri) as ui:
        page.goto(f"{ui}{tracked.address}")
        expect(page.get_by_text(run.run_id).first).to_be_visible()
        runs = page.get_by_role("row").filter(has_text="loans epochs=3")
        page.goto(f"{ui}/#/experiments/{number}{MACHINE_LEARNING}")
        expect(runs.first).to_be_visible()
        page.goto(f"{ui}/#/experiments")
        page.get_by_role("table").get_by_role("link", name="loans").click()
        expect(runs.first).to_be_visible()
        for name in ("test_roc_auc", "gate"):
            expect(page.get_by_role("columnheader").get_by_text(name, exact=True)).to_be_visible()
        expect(page.get_by_text("0.8125").first).to_be_visible()
        expect(page.get_by_placeholder("Ask a question")).to_have_count(0)
        keep(page, "mlflow_runs.png")
        page.goto(f"{ui}/#/")
        banner = page.get_by_text("MLflow collects usage data")
        expect(page.get_by_text("Welcome to MLflow")).to_be_visible()
        expect(page.get_by_role("row").filter(has_text="loans")).to_be_visible()
        expect(banner).to_have_count(0)
        keep(page, "mlflow_home.png")
        page.evaluate("localStorage.setItem('mlflow.telemetry.info.alert.dismissed_v1', 'false')")
        page.evaluate("localStorage.setItem('mlflow.workflowType_v1', '\"genai\"')")
        page.reload()
        expect(banner).to_be_visible()  # so this is what it looks like, and where it stands
        assert page.evaluate("localStorage.getItem('mlflow.workflowType_v1')") == '"genai"'


def test_the_losses_of_runs_can_be_photographed_for_the_documentation(page, tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = store_client(uri)
    number = client.create_experiment("loans", tmp_path.as_uri(), EXPERIMENT_TAGS)
    runs = []
    for rate in (0.1, 0.3):
        run = client.create_run(number, run_name=f"loans rate={rate}").info
        for epoch in range(5):
            client.log_metric(run.run_id, "loss", (1 - rate) ** epoch, step=epoch)
            client.log_metric(run.run_id, "val_loss", (1 - rate) ** epoch + 0.1, step=epoch)
        tracked = TrackedRun(client, run.run_id, number, run.artifact_uri)
        runs.append({"run_id": run.run_id, "paths": {"ui": tracked.address}})
    before = page.viewport_size
    with mlflow_ui(tmp_path, uri) as ui:
        picture = Image.open(BytesIO(losses_in_mlflow(page, ui, runs)))
    page.set_viewport_size(before)
    assert picture.width > 600
    assert picture.height < picture.width


@pytest.fixture(scope="module")
def prefect(tmp_path_factory):
    """A real Prefect server after a real training: the address of its pages, and a client."""
    folder = tmp_path_factory.mktemp("prefect")
    with prefect_server(folder) as url:
        command = [sys.executable, "-m", "flows.command_line", "train", "iris"]
        done = subprocess.run(
            [*command, "--set", "training.epochs=1"], cwd=folder, capture_output=True, text=True,
            env=team_environment(folder, url), timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
            yield url.removesuffix("/api"), client


def test_prefect_shows_the_pictures_of_a_training_and_its_name(page, prefect):
    address, client = prefect
    artifacts = {found.key: found for found in client.read_artifacts()}
    for key in ("iris-learning-curve", "iris-advantages"):
        page.goto(f"{address}/artifacts/artifact/{artifacts[key].id}")
        picture = page.locator("img[src^='data:image/png']")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.naturalWidth") == 700
        expect(page.get_by_text(artifacts[key].description)).to_be_visible()
        expect(page.get_by_text("base64")).to_have_count(0)
    keep(page, "prefect_picture.png")
    page.goto(f"{address}/runs/flow-run/{artifacts[key].flow_run_id}")
    expect(page.get_by_text(re.compile(r"^iris 20\d\d-\d\d-\d\d \d\d:\d\d$"))).to_be_visible()


def test_the_form_of_a_deployment_explains_itself_and_offers_the_use_cases(page, prefect):
    address, _ = prefect
    (entry,) = (one for one in planned_deployments(PLAN) if one["name"] == "nightly-iris")
    deployment = deployment_of(entry, PLAN).apply(_sync=True)  # Playwright's loop runs here
    page.goto(f"{address}/deployments/deployment/{deployment}/run")
    expect(page.get_by_text("A declared use case.")).to_be_visible()
    expect(page.get_by_text("How often to train again")).to_be_visible()
    # To choose from; what may be any text is a box to type in.
    expect(page.get_by_role("button", name="iris", exact=True)).to_be_visible()
    keep(page, "prefect_form.png")


def test_mlflow_compares_runs_of_two_use_cases(page, everything, finflows):
    """As a person goes: tick two experiments, tick their runs, press Compare. Both validation
    losses stand over the epochs, and the parameters are those that differ."""
    folder, shell = everything
    rows = last_json(finflows("compare", "--json", **shell).stdout)
    losses = {row["use_case"]: row["val_losses"] for row in rows}
    with mlflow_ui(folder, shell["MLFLOW_TRACKING_URI"]) as ui:
        page.goto(f"{ui}/#/experiments")
        for name in COMPARED:
            link = page.get_by_role("link", name=name, exact=True)
            page.get_by_role("row").filter(has=link).get_by_role("checkbox").check()
        page.get_by_role("button", name="Compare").click()
        for name in COMPARED:
            run = page.get_by_role("row").filter(has_text=f"{name} 20")
            run.get_by_role("checkbox", name="row selection").first.check()
        page.get_by_role("button", name="Compare").click()

        expect(page.get_by_text("Comparing 2 Runs from 2 Experiments").first).to_be_visible()
        page.get_by_text("Show diff only").first.click()
        parameters = page.get_by_role("table").nth(1)
        for name in ("problem", "network.hidden_units", "training.batch_size"):
            expect(page.get_by_text(name, exact=True).last).to_be_attached()
        expect(parameters.get_by_text("preprocessing.scaling")).to_have_count(0)
        page.get_by_text("Show diff only").first.scroll_into_view_if_needed()
        keep(page, "mlflow_parameters.png")

        val_loss = page.get_by_role("link", name="val_loss", exact=True)
        # The page holds only those metrics that are in sight; while it draws them, a click is lost.
        for _ in range(50):
            if "#/metric?" in page.url:
                break
            if val_loss.count():
                val_loss.click()
            else:
                page.get_by_role("link").last.scroll_into_view_if_needed()
            page.wait_for_timeout(200)
        expect(page.locator(".js-line").first).to_be_visible()
        for name in COMPARED:
            expect(page.get_by_text(f"{name} ").first).to_be_visible()
            last = f"{losses[name][-1]:.12f}"[:10]
            expect(page.get_by_text(last).first).to_be_visible()
        expect(page.get_by_text("Step", exact=True).first).to_be_visible()
        keep(page, "mlflow_curves.png")


def test_the_command_prints_a_table_and_publishes_what_it_compared(everything, finflows):
    _, shell = everything
    filters = ("--tag", "use_case=credit_scoring", "--since", "1d")
    done = finflows("compare", *filters, "--use-case", "credit_scoring", **shell)
    assert done.returncode == 0, done.stderr
    assert "by roc_auc on test rows, higher is better; baselines: " in done.stdout
    done = finflows("compare", *filters, "--json", "--publish", **shell)
    (row,) = last_json(done.stdout)
    assert row["use_case"] == "credit_scoring"
    published = done.stderr.split("published as run ")[1].split()[0]
    files = store_client(shell["MLFLOW_TRACKING_URI"]).list_artifacts(published)
    assert {one.path for one in files} == {"comparison.html", "comparison.csv"}


def test_every_shipped_use_case_passes_its_gate_on_all_of_its_data(everything, finflows):
    rows = last_json(finflows("compare", "--json", **everything[1]).stdout)
    assert {row["use_case"]: row["gate"] for row in rows} == dict.fromkeys(SHIPPED, "passed")


@pytest.mark.parametrize("name", SHIPPED)
def test_reasons_name_what_moves_the_answers_of_every_shipped_use_case(name, everything):
    """On real test rows: they add up, and deleting them moves the answer more than chance does."""
    model = Model(scorer_of(name, everything), "1")
    test = prepare(find_use_case(name)).parts.test
    rows = test.iloc[:: max(len(test) // 150, 1)]
    found, outputs = contributions_of(model, rows)
    np.testing.assert_allclose(found.sum(axis=1), from_reference(model, outputs), atol=1e-9)
    weightiest, drawn = moved_by_deletion(model, rows)
    print(f"{name}: moved by {weightiest:.3f}, random columns by {drawn:.3f}")
    assert weightiest > drawn


def scorer_of(name, everything):
    """The folder of the packaged model of a use case."""
    states = everything[0].rglob("scorer.json")
    return next(one.parent for one in states if json.loads(one.read_text())["use_case"] == name)


def test_credit_grade_is_level_with_gradient_boosting(everything):
    """The registered model beside two libraries on the same test rows: `make evidence` has five
    splits."""
    use_case = find_use_case("credit_grade")
    parts = prepare(use_case).parts
    answers = {
        "ours": Scorer(scorer_of("credit_grade", everything)).outputs(parts.test),
        **boosted(parts, use_case),
    }
    losses = {
        name: evaluate(parts.test, answered, answered.argmax(axis=1), use_case)["log_loss"]
        for name, answered in answers.items()
    }
    assert losses["ours"] <= min(losses.values()) + 0.02


def test_our_page_shows_the_same_runs(page, everything, finflows, tmp_path):
    """The self-contained page, opened as a file: a section for each use case, its charts drawn."""
    _, shell = everything
    file = tmp_path / "comparison.html"
    done = finflows("compare", "--html", file, **shell)
    assert done.returncode == 0, done.stderr
    assert file.read_text().startswith("<!doctype html>")
    asked = opened_alone(page, file)
    assert page.locator(".sortable tbody tr.winner").count() == 4
    assert page.locator(".chart svg .mark-line path").count() >= 8
    assert asked == [file.as_uri()]
    assert re.search("roc_auc", page.inner_text("main"))
    keep(page, "comparison.png")


def opened_alone(page, file):
    """Open a file, and wait for its charts; the addresses that it asked for."""
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    expect(page.locator(".chart:not(:has(svg))")).to_have_count(0)
    return asked


def test_a_report_is_readable_on_a_phone(page, tmp_path):
    """Its tables, and the summary of the network, scroll by themselves: the page would else be as
    wide as the widest of them, and lines that are drawn side by side would be broken."""
    cells = " | ".join(f"a_long_name_of_a_metric_{number}" for number in range(12))
    table = f"| {cells} |\n|{'---|' * 12}\n| {cells} |"
    long = "x" * 400
    file = tmp_path / "report.html"
    file.write_text(self_contained_page(f"# {long}\n\n{table}\n\n    {long}\n", "Report", {}))
    page.goto(file.as_uri())
    for width in (360, 900, 1500):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("pre").evaluate("block => block.clientHeight") < 60  # one line


def test_our_page_is_readable_on_a_phone_and_sorted_by_a_click(page, tmp_path):
    """A hundred runs of four use cases, and one with a hostile name."""
    runs = many_runs()
    runs[0] = runs[0]._replace(name="</script><script>document.title = 'taken over'</script>")
    file = tmp_path / "comparison.html"
    file.write_text(as_html(runs), encoding="utf-8")
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    asked = opened_alone(page, file)
    assert (problems, asked) == ([], [file.as_uri()])
    assert page.title() == "Trainings compared"
    assert page.locator(".chart svg").count() == 12
    for width in (360, 700, 1000, 1500):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(FITS)  # charts follow the window
        assert page.evaluate(APART), width
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    table = page.locator(".sortable").first
    heading = table.get_by_role("columnheader", name="learning_rate")
    rates = table.locator("td[data-label=learning_rate]:not(.empty)")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert rates.all_inner_texts() == [str(number) for number in range(25)]
    heading.get_by_role("button").click()
    assert rates.first.inner_text() == "24"
    expect(table.locator("tr").last).to_contain_text("a baseline")
