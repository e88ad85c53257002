"""Spread of values of which some are wrong, and how far a value of the same law goes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

ROBUST = 1.4826  # median absolute deviation of a normal law to its standard deviation


def robust_spread(values: NDArray[np.float64]) -> float:
    """Return a standard deviation that a half of wrong values can't inflate; NaN is left out."""
    return ROBUST * float(np.nanmedian(np.abs(values - np.nanmedian(values))))


def t_limit(p: float, degrees: float) -> float:
    """Return how many standard deviations a Student variable exceeds, either way, in `p`."""
    return float(-special.stdtrit(degrees, p / 2))
