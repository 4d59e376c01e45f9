"""The statistics of a learning curve; each takes values (epochs,) without NaN.

* the running median smooths the curve and ignores single spikes; its window is 5 % of the epochs on
  either side;
* the noise is the standard deviation around a smooth curve, from second differences:
  sqrt(mean((y[i-1] - 2 y[i] + y[i+1])**2) / 6) (Rice 1984; Gasser, Sroka and others 1986);
* the trend is Mann-Kendall's: Kendall's tau against the epoch number, which assumes no normal
  distribution of the noise.
"""

import math

import numpy as np

TOO_SHORT_EPOCHS = 3  # noise and curvature need at least four epochs


def running_median(values: np.ndarray) -> np.ndarray:
    """The running median, mirrored at the ends.

    Parameters
    ----------
    values : (epochs,)
        A NaN makes the medians of its window NaN.

    Returns
    -------
    (epochs,)
        The medians over 5 % of the epochs on either side (at most 25); below 20 epochs the values
        themselves.
    """
    half = half_window(len(values))
    mirrored = np.pad(values, half, mode="symmetric")
    return np.median(np.lib.stride_tricks.sliding_window_view(mirrored, 2 * half + 1), axis=1)


def safe_ratio(part: float, whole: float) -> float:
    """``part / whole``; where ``whole`` is 0, infinity, or 0 if ``part`` is 0 too."""
    return float(part / whole) if whole else (math.inf if part else 0.0)


def half_window(epochs: int) -> int:
    """The epochs on either side of the running median."""
    return min(epochs // 20, 25)


def noise_level(values: np.ndarray, robust: bool = False) -> float:
    """The standard deviation of the noise around a smooth curve, from second differences.

    Parameters
    ----------
    values : (epochs,)
        NaN gives NaN.
    robust : bool
        Use the median of the differences instead of their mean square: single jumps don't count.

    Returns
    -------
    float
        In the unit of ``values``; 0 for fewer than three of them.

    References
    ----------
    Rice (1984), "Bandwidth choice for nonparametric regression"; Gasser, Sroka and Jennen-Steinmetz
    (1986), "Residual variance and residual pattern in nonlinear regression".
    """
    if len(values) < 3:
        return 0.0
    second_differences = np.diff(values, 2)
    if robust:
        return float(1.4826 * np.median(np.abs(second_differences)) / math.sqrt(6))
    return float(np.sqrt(np.mean(second_differences**2) / 6))


def trend(values: np.ndarray) -> tuple[float, float]:
    """The Mann-Kendall test for a trend.

    Parameters
    ----------
    values : (epochs,)

    Returns
    -------
    tau : float
        From -1 (always falling) to 1 (always rising); 0 for constant values, NaN or fewer than two.
    p_value : float
        Two-sided; 1 where tau is not defined.

    References
    ----------
    Mann (1945), "Nonparametric tests against trend"; Kendall (1975), "Rank correlation methods".
    """
    from scipy import stats

    result = stats.kendalltau(np.arange(len(values)), values)
    return (0.0, 1.0) if math.isnan(result.statistic) else (result.statistic, result.pvalue)


def share_of_last_part(running_median: np.ndarray, part: float, start: float) -> float:
    """The share of the whole fall that came in the last ``part`` of the epochs.

    It counts from the lowest value until then: to come back from a rise is not learning.

    Parameters
    ----------
    running_median : (epochs,)
    part : float
        From 0 to 1.
    start : float
        The loss from which the curve fell, in the unit of ``running_median``.

    Returns
    -------
    float
        At most 1; negative where the curve rose in that part, 0 where it never fell.
    """
    fall = float(start - running_median.min())
    first = round((1 - part) * (len(running_median) - 1))
    before = running_median[: first + 1].min()
    return float(before - running_median[-1]) / fall if fall > 0 else 0.0


def remaining_fall(running_median: np.ndarray) -> float:
    """How much further a curve would fall, if each quarter of the epochs brought as much less than
    the one before as the last quarter did, counted from the lowest value until then.

    Parameters
    ----------
    running_median : (epochs,)
        At least five epochs.

    Returns
    -------
    float
        The sum of the geometric series, in the unit of ``running_median``; where the last quarter
        brought no less than the one before, another quarter as good; 0 where it did not fall.
    """
    last, lowest = len(running_median) - 1, np.minimum.accumulate(running_median)
    half, quarter = lowest[round(last / 2)], lowest[round(0.75 * last)]
    before, now = float(half - quarter), float(quarter - running_median[-1])
    return now**2 / (before - now) if 0 < now < before else max(now, 0.0)


def epoch_share_to_half_fall(running_median: np.ndarray, start: float) -> float:
    """The share of the epochs that half of the fall took, interpolated between two epochs.

    Parameters
    ----------
    running_median : (epochs,)
        At least two epochs.
    start : float
        The loss from which the curve fell, in the unit of ``running_median``.

    Returns
    -------
    float
        From 0 to 1; 0.5 for a linear fall, less for one that flattens out.
    """
    middle = (start + running_median.min()) / 2
    after = int((running_median <= middle).argmax())
    if after == 0:
        return 0.0
    before = start if after == 1 else running_median[after - 1]
    done = after - 1 + (before - middle) / max(before - running_median[after], 1e-300)
    return float(done / (len(running_median) - 1))
