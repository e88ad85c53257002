"""Samples of finitely many rows, with known chances of being drawn, and what they tell of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ratchet.errors import EvidenceError


class Sampled(NamedTuple):
    """A mean over all rows as a sample tells it, with its standard error and interval."""

    estimate: float
    standard_error: float
    low: float
    high: float
    rows: int


def allocate(
    sizes: Sequence[int], spreads: Sequence[float], rows: int, least: int = 2
) -> NDArray[np.intp]:
    """Say how many rows to draw from each stratum, so that the mean of all is known best.

    Parameters
    ----------
    sizes
        Rows of each stratum.
    spreads
        Standard deviation within each stratum, as far as it can be guessed; 0 or more.
    rows
        To draw in all. More are drawn if the strata are so many that `least` of each are more.
    least
        To draw of each stratum, or all of it: of fewer than two the error can't be told.

    References
    ----------
    Neyman (1934), *On the Two Different Aspects of the Representative Method*, Journal of the Royal
    Statistical Society 97: in proportion to size times standard deviation.

    Examples
    --------
    >>> allocate([100, 100, 1], [1.0, 3.0, 1.0], rows=21).tolist()
    [5, 15, 1]
    """
    n, spread = np.asarray(sizes), np.asarray(spreads, np.float64)
    drawn: NDArray[np.intp] = np.minimum(n, least).astype(np.intp)
    weights = n * (spread if spread.any() else np.ones(len(n)))
    # one after the other to who gains most by it, as Huntington and Hill divide seats
    while drawn.sum() < min(rows, n.sum()):
        gains = np.where(drawn < n, weights / np.sqrt(drawn * (drawn + 1.0)), -1.0)
        drawn[int(gains.argmax())] += 1
    return drawn


def stratified_mean(
    values: ArrayLike, strata: ArrayLike, sizes: Mapping[str, int], confidence: float
) -> Sampled:
    """Estimate the mean of all rows from rows that were drawn at random within strata.

    It is unbiased if each row of a stratum had the same chance of being in it: the number of rows
    with a value, of all rows of the stratum. Each then counts for the inverse of that chance, which
    is Horvitz and Thompson's estimator, and Hájek's as well, as the weights add up to all rows.

    Parameters
    ----------
    values : array-like, shape (n_sampled,)
    strata : array-like of str, shape (n_sampled,)
    sizes
        Rows of each stratum, sampled or not.

    Raises
    ------
    EvidenceError
        If a stratum has no value, or none has two.

    References
    ----------
    Cochran, *Sampling Techniques* (1977), sections 5.2 to 5.4, with the finite population
    correction. A stratum with a single value takes the mean variance of the others.
    """
    x, names = np.asarray(values, np.float64), np.asarray(strata)
    groups = {name: x[names == name] for name in sizes}
    if empty := [name for name, group in groups.items() if not len(group)]:
        raise EvidenceError(
            f"no row of {', '.join(sorted(empty))} has a value, so nothing is known of "
            f"{sum(sizes[name] for name in empty):,} of {sum(sizes.values()):,} rows; label some"
        )
    within = {name: group.var(ddof=1) for name, group in groups.items() if len(group) > 1}
    if not within:
        raise EvidenceError("no stratum has two values, so the error can't be told; label more")
    usual = float(np.mean(list(within.values())))
    total = sum(sizes.values())
    estimate = sum(sizes[name] * group.mean() for name, group in groups.items()) / total
    variance = sum(
        sizes[name] ** 2 * (1 - len(group) / sizes[name]) * within.get(name, usual) / len(group)
        for name, group in groups.items()
    )
    error = float(variance) ** 0.5 / total
    degrees = sum(len(groups[name]) - 1 for name in within)
    reach = float(special.stdtrit(degrees, (1 + confidence) / 2)) * error
    return Sampled(float(estimate), error, float(estimate) - reach, float(estimate) + reach, len(x))
