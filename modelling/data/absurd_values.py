"""Numbers so large that they can't be meant: the largest that a system can write, for "no value".

Two cells of 1e308 overflow the mean of all, and one of 1e20 makes all others equal.
"""

import numpy as np

# A borrower's utilisation of 50,708 beside a usual one of a half is dirt that a model can live
# with, and it stays as it is: what is cut off lies far beyond anything that was ever measured.
TIMES_USUAL = 1e6
LARGEST = 1e30  # a network's float32 ends at 3e38, and sums and ratios must fit, too


def plausible_limit(values: np.ndarray) -> float:
    """The magnitude beyond which numbers are absurd.

    A million times what nine in ten of the magnitudes above zero keep, rounded up to a power of
    ten: a model may hold the limit, and no customer's value can be read from it.

    Parameters
    ----------
    values : float array (n,)
        In any unit. NaN, infinite values and zeros are left out.

    Returns
    -------
    float
        In the unit of ``values``; ``LARGEST`` where no value is left.
    """
    usual = _usual_size(values)
    return min(TIMES_USUAL * 10.0 ** min(float(np.ceil(np.log10(usual))), 100.0), LARGEST)


def is_beyond_all(values: np.ndarray) -> bool:
    """Whether half of ``values`` (n,) are larger than a network can hold: clipped to ``LARGEST``
    they would all be the same."""
    return _usual_size(values, share=0.5) > LARGEST


def _usual_size(values: np.ndarray, share: float = 0.9) -> float:
    """What this share of the magnitudes above zero keeps; ``LARGEST`` where there are none."""
    sizes = np.abs(values)
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    if not len(sizes):
        return LARGEST
    return float(np.partition(sizes, position := int(share * (len(sizes) - 1)))[position])
