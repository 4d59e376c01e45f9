"""The statistics with which a curve is read; each takes values (epochs,) without NaN.

* a curve's course is its running median (robust to single spikes), over 5 % of the epochs on
  either side;
* its noise is the standard deviation by second differences, which a smooth course hardly enters:
  sqrt(mean((y[i-1] - 2 y[i] + y[i+1])**2) / 6) (Rice 1984; Gasser, Sroka and others 1986);
* a trend is Mann-Kendall's: Kendall's tau against the epoch number, which needs no normal noise.
"""

import math

import numpy as np
from scipy import stats

TOO_SHORT = 3  # epochs: neither noise nor bend can be told from fewer than four points


def running_median(values: np.ndarray) -> np.ndarray:
    """The running median over 5 % of the epochs on either side (at most 25), mirrored at the ends.

    Below 20 epochs these are the values themselves.
    """
    half = half_window(len(values))
    mirrored = np.pad(values, half, mode="symmetric")
    return np.median(np.lib.stride_tricks.sliding_window_view(mirrored, 2 * half + 1), axis=1)


def quotient(part: float, whole: float) -> float:
    """Their quotient; infinite for parts of nothing."""
    return float(part / whole) if whole else (math.inf if part else 0.0)


def half_window(epochs: int) -> int:
    return min(epochs // 20, 25)


def noise_of(values: np.ndarray, robust: bool = False) -> float:
    """Standard deviation of the noise around a smooth course, by second differences.

    ``robust`` takes their median instead of their mean square: single jumps don't count. 0 for
    fewer than three values.
    """
    if len(values) < 3:
        return 0.0
    seconds = np.diff(values, 2)
    if robust:
        return float(1.4826 * np.median(np.abs(seconds)) / math.sqrt(6))
    return float(np.sqrt(np.mean(seconds**2) / 6))


def trend(values: np.ndarray) -> tuple[float, float]:
    """Mann-Kendall: tau from -1 (always falling) to 1, and its p-value; 0 and 1 if constant."""
    tested = stats.kendalltau(np.arange(len(values)), values)
    return (0.0, 1.0) if math.isnan(tested.statistic) else (tested.statistic, tested.pvalue)


def share_of_last_quarter(values: np.ndarray, running_median: np.ndarray) -> float:
    """How much of the fall, from the first value to the lowest course, came in the last quarter."""
    fall = float(values[0] - running_median.min())
    return (
        float(running_median[round(0.75 * (len(running_median) - 1))] - running_median[-1]) / fall
        if fall > 0
        else 0.0
    )


def half_done(running_median: np.ndarray, start: float) -> float:
    """The share of the epochs after which half of the fall was done, between two epochs linear."""
    middle = (start + running_median.min()) / 2
    after = int((running_median <= middle).argmax())
    if after == 0:
        return 0.0
    before = start if after == 1 else running_median[after - 1]
    done = after - 1 + (before - middle) / max(before - running_median[after], 1e-300)
    return float(done / (len(running_median) - 1))
