"""What a comparison could have found: the smallest difference, or the days it would take."""

from __future__ import annotations

import math

from scipy import special

_FAR = 10_000.0
"""In standard errors: two days need as many at a level of .0001, and beyond none is looked for."""
_MOST_CLUSTERS = 100_000
"""Some 270 years of days: who needs more, needs another question."""


def detectable_difference(
    standard_error: float, degrees_of_freedom: float, *, level: float, power: float
) -> float:
    """Return the smallest true difference that a one-sided t-test finds with a stated power.

    Parameters
    ----------
    standard_error
        Clustered, of the estimated difference; 0 or more, in the unit of the loss.
    degrees_of_freedom
        Above 0: of the test.
    level
        Of the one-sided test, in (0, 1): how often it finds a difference where there is none.
    power
        In (`level`, 1): how often it finds the one that is returned.

    Returns
    -------
    float
        Above 0, in the unit of the loss; infinite if ten thousand standard errors would not do, as
        of two days at a very low level. Add the margin's distance from 0 where there is one.

    References
    ----------
    Johnson, Kotz and Balakrishnan (1995), *Continuous Univariate Distributions* 2, chapter 31:
    the power of a t-test is a tail of the non-central t distribution.

    Examples
    --------
    >>> round(detectable_difference(0.1, 27, level=0.05, power=0.9), 3)
    0.3
    """
    from scipy.optimize import brentq

    def missing(shift: float) -> float:
        return power_of(shift, 1.0, degrees_of_freedom, level=level) - power

    if missing(_FAR) < 0:
        return math.inf
    return float(standard_error) * float(brentq(missing, 0.0, _FAR))


def power_of(
    difference: float, standard_error: float, degrees_of_freedom: float, *, level: float
) -> float:
    """Return how often a one-sided t-test finds a true difference.

    Parameters
    ----------
    difference
        0 or more, in the unit of the loss.
    standard_error, degrees_of_freedom, level
        See `detectable_difference`; an error above 0.

    Returns
    -------
    float
        In [`level`, 1].

    Examples
    --------
    >>> round(power_of(0.3, 0.1, 27, level=0.05), 2)
    0.9
    """
    from scipy.stats import nct

    shift = min(difference / standard_error, _FAR)
    critical = special.stdtrit(degrees_of_freedom, 1 - level)
    return float(nct.sf(critical, degrees_of_freedom, shift))


def clusters_needed(
    difference: float, standard_error: float, clusters: int, *, level: float, power: float
) -> int | None:
    """Return how many clusters (days) find a difference, if they are like those that were seen.

    Parameters
    ----------
    difference
        True difference to be found, above 0, in the unit of the loss.
    standard_error
        Seen on `clusters` clusters; it falls with the square root of their number.
    level, power
        See `detectable_difference`.

    Returns
    -------
    int or None
        At least 2; None if a hundred thousand would not do.
    """
    one = standard_error * clusters**0.5

    def is_found(n: int) -> bool:
        return detectable_difference(one / n**0.5, n - 1, level=level, power=power) <= difference

    low, high = 1, 2
    while not is_found(high):
        low, high = high, high * 2
        if low > _MOST_CLUSTERS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_found(middle) else (middle, high)
    return high
