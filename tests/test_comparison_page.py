"""The comparison shows which run is best, by how much, against what, and what was changed."""

import json
import re
from html import unescape

import pytest
import vl_convert
from compared_runs import compared_run, many_runs

from flows.command_line.leaderboard_table import show_leaderboard
from modelling.judgement.intervals import Interval
from tasks.comparison.cells import cells, warnings
from tasks.comparison.charts import advantage_chart, loss_chart
from tasks.comparison.exports import as_csv, as_json
from tasks.comparison.page import as_html
from tasks.comparison.sections import Section, sections_of

HOSTILE = """</script><script>alert('x')</script>"'<b>"""


@pytest.fixture
def section():
    return Section([compared_run(number) for number in range(3)])


def text_of(*entries):
    page = as_html(entries)
    shown = page[page.index("<main>") : page.index("</main>")]
    shown = re.sub(r"<script.*?</script>|<wbr>", "", shown, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", shown)).split())


def specs_of(page):
    found = re.findall(r'<script type="application/json">(.*?)</script>', page, flags=re.S)
    return [json.loads(spec) for spec in found]


def test_only_what_differs_is_a_column(section):
    assert section.differing == {"training.learning_rate": "learning_rate"}
    assert [*cells(section.entries[0], section)][:3] == [
        "learning_rate",
        "roc_auc ↑",
        "over boosting",
    ]
    other_data = Section([compared_run(1), compared_run(2, data_hash="98765432")])
    assert "data" in other_data.differing
    assert not other_data.same_rows
    assert section.same_rows
    assert "not all judged on the same test rows" in text_of(*other_data.entries)


def test_many_differing_settings_share_a_column():
    runs = [
        compared_run(n, settings={f"network.setting_{k}": str(n) for k in range(20)})
        for n in (0, 1)
    ]
    row = cells(runs[1], Section(runs))
    assert row["setting_5"].text == "1"
    assert row["other settings"].text.startswith("setting_6=1, setting_7=1")


def test_where_nothing_was_trained_no_filter_is_to_be_changed(capsys):
    show_leaderboard([])
    assert "no training is finished yet: " in capsys.readouterr().out
    show_leaderboard([], is_filtered=True)
    assert "no finished training matches: change the filters" in capsys.readouterr().out


def test_an_arrow_says_which_way_is_better():
    lower = Section([compared_run(1, metric="log_loss")])
    assert (lower.arrow, lower.direction) == ("↓", "lower is better")
    assert "log_loss ↓" in text_of(*lower.entries)
    assert "roc_auc ↑" in text_of(compared_run(1))


def test_the_best_is_named_beside_its_strongest_baseline(section):
    assert section.best is section.entries[0]
    assert section.close == 2
    text = text_of(*section.entries)
    assert "Best of 3: credit_scoring learning_rate=0" in text
    assert "better than boosting (0.8650) by 0.0050 [0.0030, 0.0070]" in text
    assert "boosting, a baseline 0.8650" in text
    assert text.count("★ best") == 1
    worse = text_of(compared_run(9))
    assert "WORSE than boosting" in worse


def test_a_suspected_leak_is_said_and_wins_nothing():
    leaky = compared_run(0, leak_suspected="val_loss is too low", gate="failed", doubts="no gate")
    section = Section([leaky, compared_run(1)])
    assert section.best.run_id == compared_run(1).run_id
    assert warnings(leaky) == "a leak is suspected: val_loss is too low; no gate"
    shown = text_of(*section.entries)
    assert warnings(leaky) in shown
    assert "failed" in shown


def test_without_values_or_baselines_there_is_a_page_all_the_same():
    nothing = {"value": None, "low": None, "high": None, "skill": None, "best_epoch": None}
    nothing |= {"baselines": {}, "advantages": {}, "val_losses": (), "losses": ()}
    bare = compared_run(1)._replace(**nothing)
    assert "No run has a value" in text_of(bare)
    assert specs_of(as_html([bare])) == []
    nan = float("nan")
    broken = compared_run(2, val_losses=(1.0, nan, float("inf")), losses=(nan, nan))
    broken = broken._replace(advantages={"boosting": Interval(0.1, nan, nan)})
    assert len(specs_of(as_html([broken]))) == 2
    assert as_html([]).count("No finished training matches") == 1


def test_numbers_are_for_people():
    text = text_of(compared_run(0))
    assert "12,106.7" in text
    assert "12,106,789 EUR" in text
    assert "[60.0%, 80.0%]" in text
    losses = text_of(compared_run(0, val_losses=(0.3, 0.17624, 0.17628)))
    assert {"0.17624", "0.17628"} <= {*losses.split()}, "with the digits of a training's own lines"


def test_every_text_is_escaped():
    entry = compared_run(0, name=HOSTILE, learning_curve=HOSTILE, doubts=HOSTILE)
    other = compared_run(1, settings={"training.learning_rate": HOSTILE, HOSTILE: "1"})
    page = as_html([entry, other])
    assert "<script>alert" not in page
    assert "<b>" not in page[page.index("<table") :]
    rows = [row for spec in specs_of(page) for row in _rows(spec)]
    assert HOSTILE in {row.get("run") for row in rows}, "the charts show it as it is"


def test_the_page_needs_nothing_from_elsewhere():
    page = as_html([compared_run(0)])
    head = page[: page.index("<main>")]
    assert "default-src 'none'" in head
    assert not re.search(r"(<link|@import|<(script|img)[^>]* src=)", page[: page.index("</main>")])


def test_a_chart_draws_the_best_and_says_how_many_it_leaves_out():
    runs = many_runs(use_cases=1, runs=30)
    (section,) = sections_of(runs)
    assert len(section.drawn) == 7
    assert "leave out 23" in text_of(*runs)
    page = as_html(runs)
    assert page.count('<tr role="row"') > 30
    assert len(page) < 2_000_000


def test_charts_say_what_their_axes_are(section):
    shown = json.dumps(advantage_chart(section))
    assert "roc_auc over boosting: right of 0 is better" in shown
    losses = loss_chart(section, "val_losses")
    assert '"title": "val_loss"' in json.dumps(losses)
    assert {"run": "learning_rate=0", "epoch": 2, "loss": 0.2} in _rows(losses)
    far = Section([compared_run(0, val_losses=(1000.0, 1.0, 0.5))])
    assert "val_loss (logarithmic)" in json.dumps(loss_chart(far, "val_losses"))


def test_of_few_epochs_each_has_one_tick():
    chart = loss_chart(Section([compared_run(0, val_losses=(3.0, 2.0, 1.0))]), "val_losses")
    drawn = vl_convert.vegalite_to_svg({**chart, "width": 400})
    assert re.findall(r">(\d)</text>", drawn.partition("Y-axis")[0]) == ["1", "2", "3"]


def _rows(spec):
    """The records of all layers of a chart."""
    return [row for data in spec["datasets"].values() for row in data]


def test_a_bar_says_whether_the_difference_could_be_chance(section):
    rows = [row for row in _rows(advantage_chart(section)) if "verdict" in row]
    assert {row["run"]: row["verdict"] for row in rows} == {
        f"learning_rate={number}": "better" for number in range(3)
    }
    close = compared_run(0)._replace(advantages={"boosting": Interval(0.001, -0.001, 0.003)})
    row = next(row for row in _rows(advantage_chart(Section([close]))) if "verdict" in row)
    assert (row["verdict"], row["said"]) == ("could be chance", "+0.0010 [-0.0010, 0.0030]")


def test_two_runs_of_one_name_can_be_told_apart():
    section = Section([compared_run(n, name="credit_scoring today") for n in (0, 1)])
    assert len({*section.names.values()}) == 2


def test_columns_are_sorted_by_numbers_not_by_their_texts(section):
    page = as_html(section.entries)
    assert f'data-order="{0.87 - 1 / 1000}"' in page
    assert page.count('aria-sort="none"') >= 5
    row = cells(section.entries[2], section)
    assert (row["learning_rate"].order, row["version"].order) == (2.0, 3.0)


def test_the_terminal_table_fits_80_columns(section, capsys, monkeypatch):
    monkeypatch.setattr("flows.command_line.leaderboard_table.WIDTH_OF_LOGS", 80)
    show_leaderboard(section.entries)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "baselines: boosting 0.8650, constant 0.5000" in " ".join(shown.split())
    for said in (
        "learning_rate=2",
        "* 00000000",
        "00000002",
        "@champion",
        "[0.0030, 0.0070]",
        "roc_auc ↑",
    ):
        assert said in shown


def test_programs_get_all_of_it():
    (record,) = json.loads(as_json([compared_run(3)]))
    assert record["settings"]["training.learning_rate"] == "3"
    assert record["advantages"]["boosting"]["low"] == pytest.approx(0.0, abs=1e-9)
    header, line = as_csv([compared_run(3)]).splitlines()
    assert "baseline_boosting" in header.split(",")
    assert "training.learning_rate" in header.split(",")
    assert len(header.split(",")) == len(line.split(","))
