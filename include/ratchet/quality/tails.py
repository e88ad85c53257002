"""How far the past lets a value go: limits beyond everything seen, from the shape of the tail."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

TAIL_SHARE = 0.02  # of the past, its largest: few enough to be tail
MIN_TAIL, MAX_TAIL = 15, 1000  # enough to fit two parameters; more make the fit no better
_SHAPES = (0.0, 0.2)  # never lighter than exponential; heavier is a mixture, not one law's tail


def tail_size(count: int) -> int:
    """Return how many of `count` past values `tail_limit` wants: the largest, and no more."""
    return min(max(int(count * TAIL_SHARE), MIN_TAIL), MAX_TAIL, count)


def tail_limit(largest: NDArray[np.float64], count: int, p: float) -> float:
    """Return what a value like those of the past exceeds with probability `p`.

    Parameters
    ----------
    largest
        The largest `tail_size(count)` of the past sizes, in any order, not negative.
    count
        How many sizes the past has in all.
    p
        Probability for one value, in (0, 1).

    Returns
    -------
    float
        Limit in the unit of the sizes, never below the largest of them. A generalised Pareto law
        is fitted to the excesses over the smallest of `largest` by probability-weighted moments.

    References
    ----------
    Hosking and Wallis (1987), Parameter and quantile estimation for the generalized Pareto
    distribution, Technometrics 29(3), equations 3 and 10.
    """
    ordered = np.sort(largest)
    threshold, excess = ordered[0], ordered - ordered[0]
    n = excess.size
    mean = float(excess.mean())
    if mean == 0:
        return float(ordered[-1])
    weights = 1 - (np.arange(1, n + 1) - 0.35) / n
    weighted = float((weights * excess).mean())
    shape = float(np.clip(2 - mean / (mean - 2 * weighted), *_SHAPES))
    scale = mean * (1 - shape)
    ratio = n / (p * count)
    reach = np.log(ratio) if shape == 0 else (ratio**shape - 1) / shape
    return float(max(threshold + scale * max(reach, 0.0), ordered[-1]))


def rare_count(observed: int, expected: float, spread: float = 1.0) -> float:
    """Return the probability of at least `observed` events where `expected` are usual.

    `spread` is variance over mean: 1 for independent events, more for events that come together.
    """
    if observed <= 0:
        return 1.0
    if spread <= 1:
        return float(stats.poisson.sf(observed - 1, max(expected, 1e-12)))
    mean = max(expected, 1e-12)
    return float(stats.nbinom.sf(observed - 1, mean / (spread - 1), 1 / spread))
