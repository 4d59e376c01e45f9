"""Forecasts beside what came, in the unit of the target."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from modelling.declaration import OutOfTime
from modelling.features.microaggregation import microaggregate
from modelling.figures.densities import groups_in_order, rows_by_cell
from modelling.figures.judged_rows import note_of, target_of
from modelling.figures.palette import BLACK, GREY, NETWORK, ORANGE
from modelling.figures.style import legend_above, new_figure, write
from modelling.judgement.judging import Judgement
from modelling.judgement.metrics.metric import format_together, format_value

BINS = 20
FEWEST_IN_A_BAND = 10  # rows: of fewer a standard deviation says little
# Their level is where QLIKE is lowest (Patton 2011), and a mean lies above the mean of its logs.
OF_LOGS = "Forecasts are logs of a mean variance, so they lie above the mean log."


def draw_forecast_against_actual(judgement: Judgement) -> Figure:
    """How many test rows lie where; cells of fewer than may be shown are left empty."""
    least = judgement.use_case.minimum_rows_per_value
    forecast, actual = judgement.predictions.outputs, target_of(judgement)
    ends = _ends(microaggregate(np.column_stack([forecast, actual]), least))
    counts, edges = rows_by_cell([forecast, actual], [ends, ends], least)
    figure, (axes,) = new_figure()
    drawn = axes.pcolormesh(
        *edges, np.ma.masked_equal(counts, 0).T, cmap="Blues", vmin=0, vmax=counts.max() or 1
    )
    axes.axline((ends[0], ends[0]), slope=1, color=BLACK, linestyle=":", label="as forecast")
    figure.colorbar(drawn, ax=axes, label="test rows")
    name = judgement.use_case.target
    axes.set(xlabel=f"forecast of {name}", ylabel=f"actual {name}", xlim=ends, ylim=ends)
    legend_above(axes)
    off = float(np.abs(forecast - actual).mean())
    finding = f"Forecasts of {name} are off by {format_value(off)} on average"
    note = f"Cells of fewer than {least} rows are left empty." if least > 1 else ""
    return write(figure, finding, note_of(judgement, note))


def draw_residuals(judgement: Judgement) -> Figure:
    """Mean and standard deviation of what came less the forecast, in groups of rows with like
    forecasts."""
    forecast, actual = judgement.predictions.outputs, target_of(judgement)
    residuals = actual - forecast
    least = max(judgement.use_case.minimum_rows_per_value, len(forecast) // BINS, FEWEST_IN_A_BAND)
    grouped = pd.DataFrame({"forecast": forecast, "residual": residuals}).groupby(
        groups_in_order(forecast, least)
    )
    at, residual = grouped["forecast"].mean(), grouped["residual"]
    mean, spread = residual.mean(), residual.std(ddof=0)
    figure, (axes,) = new_figure()
    axes.axhline(0, color=GREY, linestyle=":", label="as forecast")
    marker = "o" if len(at) <= 3 else None  # a line of few points is hard to see
    band: dict[str, Any] = {"color": NETWORK, "alpha": 0.2, "linewidth": 0}
    axes.fill_between(at, mean - spread, mean + spread, label="one standard deviation", **band)
    axes.plot(at, mean, color=NETWORK, linewidth=2.4, marker=marker, label="mean")
    name = judgement.use_case.target
    axes.set(xlabel=f"forecast of {name}", ylabel="actual less forecast, in the same unit")
    legend_above(axes, columns=3)
    bias, _ = format_together([abs(float(residuals.mean())), float(residuals.std())])
    side = "low" if residuals.mean() > 0 else "high"
    finding = f"Forecasts are too {side} by {bias} on average"
    note = f"Groups of {least} rows or more."
    if judgement.use_case.target_kind == "log_variance":
        note = f"{OF_LOGS} {note}"
    return write(figure, finding, note_of(judgement, note))


def draw_forecast_over_time(judgement: Judgement) -> Figure:
    """Means over as many test rows, one after the other, as may be shown."""
    use_case, split = judgement.use_case, judgement.use_case.split
    assert isinstance(split, OutOfTime)
    actual, forecast = target_of(judgement), judgement.predictions.outputs
    groups = len(actual) // use_case.minimum_rows_per_value
    shown = pd.DataFrame(
        {"at": judgement.rows[split.column], "actual": actual, "forecast": forecast}
    ).sort_values("at", ignore_index=True)
    shown = shown.groupby(shown.index * groups // len(shown)).mean()
    marker = "o" if len(shown) <= 3 else None
    figure, (axes,) = new_figure()
    for name, colour, width in (("actual", ORANGE, 1.2), ("forecast", NETWORK, 2)):
        axes.plot(
            shown["at"], shown[name], color=colour, linewidth=width, marker=marker, label=name
        )
    axes.set(xlabel=split.column, ylabel=use_case.target)
    axes.tick_params("x", rotation=30)
    legend_above(axes)
    rows = len(actual) // groups
    note = f"Each point is the mean of {rows} rows." if rows > 1 else ""
    return write(figure, _explained(actual, forecast), note_of(judgement, note))


def _explained(actual: np.ndarray, forecast: np.ndarray) -> str:
    """The coefficient of determination in words."""
    spread = float(np.square(actual - actual.mean()).sum())
    explained = 1 - float(np.square(actual - forecast).sum()) / spread if spread else 0.0
    if explained <= 0:
        return "The forecasts are no better than the mean of the test rows"
    return f"The forecasts explain {explained:.0%} of the variance of the test rows"


def _ends(together: np.ndarray) -> tuple[float, float]:
    """From where to where the values go; a constant gets some room."""
    low, high = float(together.min()), float(together.max())
    room = 0.0 if high > low else max(abs(low) / 10, 0.5)
    return low - room, high + room
