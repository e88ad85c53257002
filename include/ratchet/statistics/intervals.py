"""Intervals for shares. Those of means over clustered rows are in `clusters`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ratchet.statistics.clusters import Array


class Interval(NamedTuple):
    """Lower and upper bounds."""

    low: Array
    high: Array


def wilson_interval(successes: ArrayLike, trials: ArrayLike, confidence: float) -> Interval:
    """Bound shares of independent trials.

    Parameters
    ----------
    successes, trials : array-like
        Counts; at least one trial each.
    confidence
        In (0, 1).

    Returns
    -------
    Interval
        Within [0, 1], of the shape of the counts.

    Raises
    ------
    ValueError
        If there are more successes than trials, or no trials.

    References
    ----------
    Wilson (1927), JASA 22; Newcombe (1998), *Two-sided confidence intervals for the single
    proportion*, Statistics in Medicine 17, method 3.

    Examples
    --------
    >>> low, high = wilson_interval(0, 200, 0.95)
    >>> float(low), round(float(high), 4)
    (0.0, 0.0188)
    """
    x, n = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    if ((x < 0) | (x > n) | (n < 1)).any():
        raise ValueError("give at least one trial, and no more successes than trials")
    z = float(special.ndtri((1 + confidence) / 2))
    middle = (x + z**2 / 2) / (n + z**2)
    reach = z * np.sqrt(x * (n - x) / n + z**2 / 4) / (n + z**2)
    low, high = np.clip(middle - reach, 0, 1), np.clip(middle + reach, 0, 1)
    return Interval(np.where(x == 0, 0.0, low), np.where(x == n, 1.0, high))
