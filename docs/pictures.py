"""Make all pictures of README and docs from today's program: ``python docs/pictures.py``.

Three use cases are trained in a temporary folder. MLflow's page, the comparison and a dossier are
photographed in Debian's Chromium. ``python docs/pictures.py NAME...`` makes only those of these use
cases, of ``watch``, or of ``pages``.
"""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pandas as pd
from PIL import Image
from playwright.sync_api import FloatRect, Page, sync_playwright

from modelling.data.loading import read_table
from use_cases import find_use_case

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
COLOURS = 128
PATIENCE_MS = 300_000
WINDOW = {"width": 1000, "height": 700}  # so that it is readable at 600 pixels
WIDE = {"width": 1400, "height": 760}
# Of each use case the pictures that the pages show, by their names there.
SHOWN: dict[str, dict[str, str]] = {
    "credit_scoring": {
        "learning_curve.png": "learning_curve",
        "judgement/advantages.png": "advantages",
        "judgement/roc.png": "roc",
        "judgement/precision_recall.png": "precision_recall",
        "judgement/reliability.png": "reliability",
        "judgement/scores_by_class.png": "scores_by_class",
        "judgement/confusion.png": "confusion",
        "judgement/cost_by_cut_off.png": "cost_by_cut_off",
        "judgement/importance.png": "importance",
        "judgement/partial_dependence.png": "partial_dependence",
        "judgement/groups_age.png": "groups",
    },
    "credit_grade": {
        "judgement/scores_by_class.png": "scores_of_five_classes",
        "judgement/confusion.png": "confusion_of_five_classes",
    },
    "market_volatility": {
        "judgement/forecast_against_actual.png": "forecast_against_actual",
        "judgement/residuals.png": "residuals",
        "judgement/forecast_over_time.png": "forecast_over_time",
    },
}
# What the other trainings of the comparison change.
COMPARED = (
    ("training.learning_rate=0.02", "network.hidden_units=[64,32]"),
    ("network.dropout=0.5", "training.batch_size=4096"),
    ("training.learning_rate=3e-5", "training.epochs=15"),
)


def main(wanted: list[str]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        trained = {one: train(folder, one) for one in SHOWN if not wanted or one in wanted}
        for use_case, run in trained.items():
            artifacts = Path(run["paths"]["artifacts"].removeprefix("file://"))
            for file, shown in SHOWN[use_case].items():
                save((artifacts / file).read_bytes(), shown)
        if not wanted or "watch" in wanted:
            if "credit_scoring" not in trained:
                trained["credit_scoring"] = train(folder, "credit_scoring")
            save(watched(folder), "watch")
        if not wanted or "pages" in wanted:
            first = trained.get("credit_scoring") or train(folder, "credit_scoring")
            others = [train(folder, "credit_scoring", *settings) for settings in COMPARED]
            photograph(folder, [first, *others])


def finflows(folder: Path, *arguments: str) -> str:
    """What the program prints, over a store in ``folder``."""
    command = [sys.executable, "-m", "flows.command_line", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment(folder), check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def environment(folder: Path) -> dict[str, str]:
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    return {**os.environ, **store, "PREFECT_HOME": str(folder / "prefect"), "DO_NOT_TRACK": "true"}


def train(folder: Path, use_case: str, *settings: str) -> dict:
    changed = [word for setting in settings for word in ("--set", setting)]
    return json.loads(finflows(folder, "train", use_case, "--json", *changed).splitlines()[-1])


def watched(folder: Path) -> bytes:
    """The drift of borrowers whose incomes have risen, and of whom a form no longer asks all."""
    rows = read_table(find_use_case("credit_scoring").source).sample(20_000, random_state=1)
    rows["MonthlyIncome"] = pd.to_numeric(rows["MonthlyIncome"], errors="coerce") * 1.6
    rows.loc[rows.sample(frac=0.3, random_state=2).index, "NumberOfDependents"] = None
    rows.to_csv(folder / "last_month.csv", index=False)
    asked = ["watch", "credit_scoring", str(folder / "last_month.csv"), "--version", "1", "--json"]
    command = [sys.executable, "-m", "flows.command_line", *asked]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(folder), capture_output=True, text=True
    )
    assert done.returncode == 1, f"no alarm: {done.stderr}"
    (picture,) = folder.rglob("watch.png")
    return picture.read_bytes()


def photograph(folder: Path, runs: list[dict]) -> None:
    """The losses of two runs on MLflow's page, the page of ``finflows compare``, and a dossier."""
    page_file, dossier = folder / "comparison.html", folder / "dossier.html"
    finflows(folder, "compare", "--use-case", "credit_scoring", "--html", str(page_file))
    finflows(folder, "dossier", "credit_scoring", "--output", str(dossier))
    with browser() as page, mlflow_ui(folder) as address:
        save(losses_in_mlflow(page, address, runs[:2]), "mlflow_comparison")
        page.goto(page_file.as_uri())
        page.wait_for_load_state("networkidle")
        save(page.screenshot(full_page=True, clip=down_to_the_best(page)), "comparison")
        page.goto(dossier.as_uri())
        save(page.screenshot(), "dossier")


def down_to_the_best(page: Page) -> FloatRect:
    """The comparison with its charts and the first runs of its table, which stand side by side."""
    rows = [row.bounding_box() for row in page.locator(".sortable tbody tr").all()]
    found = [box for box in rows if box is not None]
    top = min(box["y"] for box in found)
    bottom = max(box["y"] + box["height"] for box in found if box["y"] == top)
    return {"x": 0, "y": 0, "width": WINDOW["width"], "height": bottom + 8}


def losses_in_mlflow(page: Page, address: str, runs: list[dict]) -> bytes:
    """The part of MLflow's page that draws the losses of ``runs``, by epoch: the whole page would
    be too small to read."""
    page.set_viewport_size(WIDE)
    asked = {
        "runs": json.dumps([run["run_id"] for run in runs]),
        "metric": json.dumps("val_loss"),
        "experiments": json.dumps([runs[0]["paths"]["ui"].split("/")[3]]),
        "plot_metric_keys": json.dumps(["val_loss", "loss"]),
    }
    query = "&".join(f"{name}={quote(value)}" for name, value in asked.items())
    page.goto(f"{address}/#/metric?{query}")
    page.locator(".js-line").first.wait_for()
    page.get_by_text("Step", exact=True).first.click()  # by epoch, not by time
    page.wait_for_timeout(1000)  # the lines are drawn little by little
    chart = page.locator(".js-plotly-plot").first.bounding_box()
    assert chart is not None
    left, top = chart["x"] - 20, chart["y"] - 60  # with its title
    right, bottom = chart["x"] + chart["width"] + 20, chart["y"] + chart["height"] + 65  # legend
    size = {"width": right - left, "height": bottom - top}
    png = page.screenshot(clip={"x": left, "y": top, **size}, full_page=True)
    page.set_viewport_size(WINDOW)
    return png


@contextmanager
def browser() -> Iterator[Page]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = chromium.new_page(viewport=WINDOW)
        page.set_default_timeout(PATIENCE_MS)
        yield page
        chromium.close()


@contextmanager
def mlflow_ui(folder: Path) -> Iterator[str]:
    sys.path.insert(0, str(ROOT / "tests"))
    import servers

    with servers.mlflow_ui(folder, environment(folder)["MLFLOW_TRACKING_URI"]) as address:
        yield address


def save(png: bytes, name: str) -> None:
    """As small as a page of documentation wants it: few colours, well below 100 kB."""
    image = Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS)
    image.save(IMAGES / f"{name}.png", optimize=True)
    print(f"{name}.png", (IMAGES / f"{name}.png").stat().st_size)


if __name__ == "__main__":
    main(sys.argv[1:])
