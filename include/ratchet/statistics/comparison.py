"""Whether one model is better than another on the same rows, or not worse by a margin."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat
from scipy import special

from ratchet.errors import EvidenceError
from ratchet.statistics.clusters import ClusterSums, clustered_means, sum_by_cluster

MIN_DAYS = 6
"""A block holds at most a third of the days, and one of fewer than two days is no block."""


ROUNDING = 1e-12
"""Share of a number that sums over rows are off: an error that is no more is none."""


class Comparison(BaseModel):
    """By how much the mean loss of one model is above another's, and how sure that is.

    A loss is better when lower, so `estimate` is below 0 where the first one is better. `p_value`
    is that of the null hypothesis that the difference is `margin` or more: a small one shows that
    the first model is better by more than `-margin` (superiority, margin 0 or below), or worse by
    less than `margin` (non-inferiority, margin above 0). `low` and `high` bound a two-sided
    interval. `degrees_of_freedom` are those of Student's t, None for the normal distribution.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    estimate: FiniteFloat
    standard_error: FiniteFloat = Field(ge=0)
    degrees_of_freedom: FiniteFloat | None = Field(gt=0)
    low: FiniteFloat
    high: FiniteFloat
    margin: FiniteFloat
    p_value: FiniteFloat = Field(ge=0, le=1)
    clusters: int = Field(gt=1)
    rows: int = Field(gt=1)


def compare_by_cluster(
    differences: ArrayLike, clusters: ArrayLike, *, margin: float, confidence: float
) -> Comparison:
    """Compare two models by a clustered t-test of the differences of their losses.

    Clusters are taken as independent of each other. If they are days whose differences follow each
    other (a storm lasts), use `compare_by_blocks`.

    Parameters
    ----------
    differences : array-like, shape (n_rows,)
        Loss of the one less loss of the other, on the same row.
    clusters : array-like, shape (n_rows,)
        Day or entity of each row.
    margin
        In the unit of the loss; see `Comparison`.
    confidence
        Of the interval, in (0, 1).

    Raises
    ------
    EvidenceError
        If there are fewer than two clusters, or a difference is not finite.

    References
    ----------
    See `clustered_means`.

    Examples
    --------
    >>> found = compare_by_cluster(
    ...     [0, -10, -10, 0], ["mon", "mon", "tue", "wed"], margin=0.0, confidence=0.9)
    >>> found.estimate, round(found.p_value, 3)
    (-5.0, 0.074)
    """
    sums = _at_least_two(sum_by_cluster(differences, clusters))
    means = clustered_means(sums, confidence)
    return conclude(
        float(means.estimate),
        float(means.standard_error),
        float(means.degrees_of_freedom),
        clusters=len(sums.counts),
        rows=int(sums.counts.sum()),
        margin=margin,
        confidence=confidence,
    )


def compare_by_blocks(
    differences: ArrayLike,
    days: ArrayLike,
    *,
    margin: float,
    confidence: float,
    replicates: int,
    seed: int,
) -> Comparison:
    """Compare two models by a paired bootstrap of blocks of whole days.

    The stationary bootstrap draws runs of consecutive days of random length, so that what lasts
    for days stays together. Its variance is too small by the share that one block has of all days,
    and is corrected for it; the statistic is referred to Student's t with as many degrees of
    freedom as there are blocks, less one. Both keep the size of the test near its level where days
    are few (see `docs/gate.md`).

    The mean length of a block is the one that `block_length` finds, and at least the cube root of
    the number of days: that is the optimal order, and on few days an estimate below it is noise.

    Parameters
    ----------
    differences : array-like, shape (n_rows,)
        Loss of the one less loss of the other, on the same row.
    days : array-like, shape (n_rows,)
        Sortable day of each row; days without rows are left out.
    margin
        In the unit of the loss; see `Comparison`.
    confidence
        Of the interval, in (0, 1).
    replicates
        Number of resampled series; 2000 leave an error of 1.6 % in the standard error.
    seed
        The same seed gives the same result.

    Raises
    ------
    EvidenceError
        If there are fewer than `MIN_DAYS` days, or a difference is not finite.

    References
    ----------
    Politis and Romano (1994), *The Stationary Bootstrap*, JASA 89. Politis and White (2004),
    *Automatic Block-Length Selection for the Dependent Bootstrap*, Econometric Reviews 23, with
    the correction of Patton, Politis and White (2009), Econometric Reviews 28.
    """
    sums = _at_least_two(sum_by_cluster(differences, days))
    n = len(sums.counts)
    if n < MIN_DAYS:
        raise EvidenceError(
            f"a bootstrap of blocks needs at least {MIN_DAYS} days, not {n}; judge on more days"
        )
    estimate = float(sums.totals.sum() / sums.counts.sum())
    residuals = sums.totals - estimate * sums.counts
    length = min(max(block_length(residuals), n ** (1 / 3)), _longest(n))
    drawn = _draw_blocks(n, length, replicates, seed)
    means = sums.totals[drawn].sum(axis=1) / sums.counts[drawn].sum(axis=1)
    blocks = n / length
    error = float(means.std(ddof=1)) * math.sqrt(blocks / (blocks - 1))
    return conclude(
        estimate,
        error,
        blocks - 1,
        clusters=n,
        rows=int(sums.counts.sum()),
        margin=margin,
        confidence=confidence,
    )


def block_length(series: ArrayLike) -> float:
    """Return the mean block length for which a stationary bootstrap of the mean errs least.

    Parameters
    ----------
    series : array-like, shape (n_days,)
        One number per day, in order.

    Returns
    -------
    float
        From 1 (days seem independent) to a third of the days.

    References
    ----------
    Politis and White (2004), sections 3.2 and 3.3, with the constant of Patton, Politis and White
    (2009), equation 4. As in the authors' code, the bandwidth is twice the first lag from which on
    autocorrelations are silent.
    """
    x = np.asarray(series, dtype=np.float64)
    n = len(x)
    x = x - x.mean()
    silent = max(5, math.ceil(math.sqrt(math.log10(n))))
    last = min(math.ceil(math.sqrt(n)) + silent, n - 1)
    covariance = np.array([x[lag:] @ x[: n - lag] for lag in range(n)]) / n
    if covariance[0] <= 0:
        return 1.0
    loud = np.abs(covariance[1:]) >= 2 * math.sqrt(math.log10(n) / n) * covariance[0]
    silent_from = (lag for lag in range(1, last) if not loud[lag - 1 : lag - 1 + silent].any())
    bandwidth = min(2 * next(silent_from, last), last)
    lags = np.arange(-bandwidth, bandwidth + 1)
    weights = np.minimum(1, 2 * (1 - np.abs(lags) / bandwidth))
    used = weights * covariance[np.abs(lags)]
    spectrum = float(used.sum())
    if spectrum == 0:
        return 1.0
    slope = float((np.abs(lags) * used).sum())
    return float(np.clip(abs(slope / spectrum) ** (2 / 3) * n ** (1 / 3), 1, _longest(n)))


def _at_least_two(sums: ClusterSums) -> ClusterSums:
    if len(sums.counts) < 2:
        raise EvidenceError(
            "a paired comparison needs at least two clusters, not one; judge on more days"
        )
    return sums


def _longest(days: int) -> float:
    return max(1.0, math.ceil(min(3 * math.sqrt(days), days / 3)))


def _draw_blocks(n: int, length: float, replicates: int, seed: int) -> np.ndarray:
    """Return indices of days, shape (replicates, n): runs of geometric length that wrap around."""
    generator = np.random.default_rng(seed)
    begins = generator.random((replicates, n)) < 1 / length
    begins[:, 0] = True
    position = np.arange(n)
    begun = np.maximum.accumulate(np.where(begins, position, 0), axis=1)
    first = generator.integers(0, n, (replicates, n))
    return (np.take_along_axis(first, begun, axis=1) + position - begun) % n


def conclude(
    estimate: float,
    standard_error: float,
    degrees_of_freedom: float | None,
    *,
    clusters: int,
    rows: int,
    margin: float,
    confidence: float,
) -> Comparison:
    """Add interval and p-value to an estimate whose error is known; refuse one that is infinite."""
    degrees = math.inf if degrees_of_freedom is None else degrees_of_freedom
    reach = float(special.stdtrit(degrees, (1 + confidence) / 2)) * standard_error
    if not math.isfinite(standard_error):
        raise EvidenceError("losses are too large to be compared; count them in a larger unit")
    least = ROUNDING * max(abs(estimate), abs(margin))
    if standard_error > least:
        p_value = float(special.stdtr(degrees, (estimate - margin) / standard_error))
    else:  # all differences are equal
        p_value = float(estimate >= margin - least)
    return Comparison(
        estimate=estimate,
        standard_error=standard_error,
        degrees_of_freedom=degrees_of_freedom,
        low=estimate - reach,
        high=estimate + reach,
        margin=margin,
        p_value=p_value,
        clusters=clusters,
        rows=rows,
    )
