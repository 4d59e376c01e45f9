"""The charts of a comparison, as Vega-Lite: advantages over the baseline, and losses by epoch.

Their texts are data or titles, never expressions: whatever a run is called, it is only shown.
"""

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
from altair.utils.schemapi import Undefined, UndefinedType

from modelling.figures.palette import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY_BLUE, VERMILLION
from tasks.comparison.cells import over_baseline, signed
from tasks.comparison.sections import Section
from tasks.tracking.leaderboard.entry import LeaderboardEntry

# Okabe and Ito (2008), "Color universal design", without the yellow that white swallows.
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY_BLUE, BLACK)
VERDICTS = {"better": "#009E73", "could be chance": "#767676", "worse": "#D55E00"}
INK, LINE = "#1b1f24", "#d8dee4"
EPOCHS_DRAWN = 300
FEW_EPOCHS = 20
WIDE_RANGE = 20  # between the highest and the lowest loss: from here on the scale is logarithmic
FONT = "system-ui, sans-serif"


def colours(section: Section) -> dict[str, str]:
    """The colour of each drawn run, by its id."""
    return {one.run_id: PALETTE[n % len(PALETTE)] for n, one in enumerate(section.drawn)}


def advantage_chart(section: Section) -> dict[str, Any] | None:
    """A bar for each drawn run: how much better than its strongest baseline, with the interval.
    None where no run has a baseline."""
    rows = [_bar(section, one) for one in section.drawn if one.strongest_baseline]
    if not rows:
        return None
    over = over_baseline(section)
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("run:N", sort=[row["run"] for row in rows], axis=None)
    )
    title = f"{section.metric} {over}: right of 0 is better"
    values = alt.X("value:Q", title=title)
    colour = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=[*VERDICTS], range=[*VERDICTS.values()]),
        legend=alt.Legend(title=None, orient="bottom"),
    )
    tooltip = [alt.Tooltip("run:N"), alt.Tooltip("said:N", title=over)]
    bars = base.mark_bar(size=12, yOffset=9).encode(x=values, color=colour, tooltip=tooltip)
    interval = alt.X("low:Q", title=title)
    ends = base.transform_filter("isValid(datum.low)").mark_rule(
        yOffset=9, strokeWidth=2, color=INK
    )
    named = base.mark_text(align="left", dy=-9, fontSize=13, limit=_width(-165), color=INK)
    said = base.mark_text(align="right", dy=-9, fontSize=12, color=INK)
    zero = (
        alt.Chart(alt.InlineData(values=[{}]))
        .mark_rule(color="#8c959f")
        .encode(x=alt.XDatum(0, title=title))
    )
    layers = [
        zero,
        bars,
        ends.encode(x=interval, x2="high:Q"),
        named.encode(x=alt.value(0), text="run:N"),
        said.encode(x=alt.value("width"), text="said:N"),
    ]
    return _finished(alt.layer(*layers), 46 * len(rows))


def _name(section: Section, entry: LeaderboardEntry) -> str:
    """Without the use case, which the section is called by: a chart has little room."""
    return section.names[entry.run_id].removeprefix(f"{section.use_case} ")


def _width(change: int) -> alt.ExprRef:
    return alt.ExprRef(f"max(90, width + {change})")


def _bar(section: Section, entry: LeaderboardEntry) -> dict[str, Any]:
    assert entry.strongest_baseline
    advantage = entry.advantages[entry.strongest_baseline]
    verdict = "could be chance"
    if advantage.excludes_zero:
        verdict = "better" if advantage.low > 0 else "worse"
    numbers = {name: _finite(value) for name, value in advantage._asdict().items()}
    return {
        "run": _name(section, entry),
        "verdict": verdict,
        "said": signed(advantage),
        **numbers,
    }


def loss_chart(section: Section, field: str) -> dict[str, Any] | None:
    """``losses`` or ``val_losses`` of the drawn runs over the epochs, and where each is lowest.
    None where no run has any."""
    drawn = [one for one in section.drawn if any(map(math.isfinite, getattr(one, field)))]
    if not drawn:
        return None
    names = [_name(section, one) for one in drawn]
    colour = alt.Color(
        "run:N",
        scale=alt.Scale(domain=names, range=[colours(section)[one.run_id] for one in drawn]),
        legend=alt.Legend(
            title=None, orient="bottom", columns=1, labelLimit=_width(-30), symbolType="stroke"
        ),
    )
    finite = [loss for one in drawn for loss in getattr(one, field) if math.isfinite(loss)]
    y = _loss_axis("val_loss" if field == "val_losses" else "training loss", finite)
    curves = alt.InlineData(values=[_curve(section, one, field) for one in drawn])
    chosen = alt.selection_point(fields=["run"], bind="legend")
    longest = max(len(getattr(one, field)) for one in drawn)
    epochs = alt.X(
        "epoch:Q",
        title="epoch",
        axis=alt.Axis(format="d", values=_every_epoch(longest)),
        scale=alt.Scale(zero=False, nice=False),
    )
    lines = (
        alt.Chart(curves)
        .transform_flatten(["epoch", "loss"])
        .transform_filter("isValid(datum.loss)")
        .mark_line(strokeWidth=2)
        .encode(
            x=epochs,
            y=y,
            color=colour,
            opacity=alt.condition(chosen, alt.value(1), alt.value(0.12)),
        )
        .add_params(chosen)
    )
    lowest = (
        alt.Chart(alt.InlineData(values=[_lowest(section, one, field) for one in drawn]))
        .mark_point(filled=True, size=60, opacity=1)
        .encode(x=epochs, y=y, color=colour, tooltip=[alt.Tooltip("run:N"), *_tooltip()])
    )
    return _finished(alt.layer(lines, lowest), 260)


def _every_epoch(longest: int) -> list[float] | UndefinedType:
    """Of few epochs each has its tick: Vega would put one at 1.5 and call it 2, with tickMinStep
    too."""
    return [float(epoch) for epoch in range(1, longest + 1)] if longest <= FEW_EPOCHS else Undefined


def _tooltip() -> list[alt.Tooltip]:
    return [alt.Tooltip("epoch:Q"), alt.Tooltip("loss:Q", title="lowest", format=".5g")]


def _loss_axis(title: str, finite: Sequence[float]) -> alt.Y:
    """From the lowest to the highest loss; logarithmic where one run is far from the others."""
    if min(finite) > 0 and max(finite) / min(finite) > WIDE_RANGE:
        return alt.Y("loss:Q", title=f"{title} (logarithmic)", scale=alt.Scale(type="log"))
    return alt.Y("loss:Q", title=title, scale=alt.Scale(zero=False))


def _curve(section: Section, entry: LeaderboardEntry, field: str) -> dict[str, Any]:
    """One record for each run, which the page unfolds: short names of epochs, said once."""
    losses = getattr(entry, field)
    every = math.ceil(len(losses) / EPOCHS_DRAWN)
    kept = sorted({*range(0, len(losses), every), len(losses) - 1})
    return {
        "run": _name(section, entry),
        "epoch": [epoch + 1 for epoch in kept],
        "loss": [_finite(losses[epoch]) for epoch in kept],
    }


def _lowest(section: Section, entry: LeaderboardEntry, field: str) -> dict[str, Any]:
    losses = getattr(entry, field)
    finite = [(loss, epoch) for epoch, loss in enumerate(losses, 1) if math.isfinite(loss)]
    loss, epoch = min(finite)
    return {"run": _name(section, entry), "epoch": epoch, "loss": _finite(loss)}


def _finite(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _finished(chart: alt.LayerChart | alt.FacetChart, height: int) -> dict[str, Any]:
    """As wide as the page has room."""
    fit = alt.AutoSizeParams(type="fit-x", contains="padding")
    sizes = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
    shown = chart.properties(width="container", height=height, autosize=fit)
    return (
        shown.configure(font=FONT, background="transparent")
        .configure_axis(**sizes, gridColor=LINE, labelColor=INK, labelSeparation=8, titleColor=INK)
        .configure_legend(labelFontSize=13, labelColor=INK)
        .configure_view(stroke=None)
        .to_dict(validate=False)  # the browser draws them all in a test
    )


def described(section: Section) -> str:
    """The chart of advantages in words, for those who can't see it."""
    said = [
        f"{section.names[one.run_id]} {signed(one.advantages[one.strongest_baseline])}"
        for one in section.drawn
        if one.strongest_baseline
    ]
    return f"Bars of the advantage in {section.metric}: {'; '.join(said)}"
