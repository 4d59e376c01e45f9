"""Runs of two use cases side by side in MLflow's own comparison page, in a real browser.

``FINFLOWS_SCREENSHOTS=FOLDER`` keeps the pictures there, as the README shows them.
"""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright
from servers import mlflow_ui

from tasks.comparison import as_html
from tasks.tracking.leaderboard import read_leaderboard

pytestmark = pytest.mark.slow
ADDRESS = ("run_id", "experiment_id")
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
def standings(finflows):
    """A real ``train-all`` of two use cases."""
    names = ("credit_scoring", "diabetes")
    done = finflows("train-all", *names, "--set", "training.epochs=12")
    assert done.returncode == 0, done.stderr
    newest = {one.use_case: one for one in read_leaderboard(names, since="1h")}
    return [newest[name] for name in names]


def keep(page, name):
    if folder := os.environ.get("FINFLOWS_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / name)


def test_mlflow_compares_runs_of_two_use_cases(page, standings, store):
    """Both validation losses over the epochs, and the parameters that differ."""
    runs, experiments = ([getattr(one, name) for one in standings] for name in ADDRESS)
    query = f"runs={json.dumps(runs)}&experiments={json.dumps(experiments)}".replace(" ", "")
    with mlflow_ui(store, os.environ["MLFLOW_TRACKING_URI"]) as address:
        page.goto(f"{address}/#/compare-runs?{query}")
        expect(page.get_by_text("Comparing 2 Runs from 2 Experiments").first).to_be_visible()
        page.get_by_role("button", name="Close").click()  # MLflow's assistant
        page.get_by_text("Show diff only").first.click()
        parameters = page.get_by_role("table").nth(1)
        for name in ("problem", "network.hidden_units", "training.batch_size"):
            expect(page.get_by_text(name, exact=True).last).to_be_attached()
        expect(parameters.get_by_text("split.method")).to_have_count(0)
        page.get_by_text("Show diff only").first.scroll_into_view_if_needed()
        keep(page, "mlflow_parameters.png")

        metric = "metric=%22val_loss%22&plot_metric_keys=[%22val_loss%22]&x_axis=step"
        page.goto(f"{address}/#/metric?{query}&{metric}")
        expect(page.locator(".js-line").first).to_be_visible()
        for one in standings:
            expect(page.get_by_text(f"{one.use_case} ").first).to_be_visible()
            last = f"{one.val_losses[-1]:.12f}"[:10]
            expect(page.get_by_text(last).first).to_be_visible()
        expect(page.get_by_text("Step", exact=True).first).to_be_visible()
        keep(page, "mlflow_curves.png")


def test_our_page_shows_the_same_runs(page, standings, tmp_path):
    """The self-contained page, opened as a file: a row and a drawn curve for each run."""
    file = tmp_path / "comparison.html"
    file.write_text(as_html(standings))
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    assert page.locator("tbody tr").count() == len(standings)
    for curve in page.locator("polyline").all():
        box = curve.bounding_box()
        assert box["width"] > 50
        assert box["height"] > 5
    assert asked == [file.as_uri()]
    assert re.search("roc_auc", page.inner_text("table"))
    keep(page, "comparison.png")
