"""Where a model is worse than another, though it may be no worse overall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat
from scipy import special

from ratchet.statistics.clusters import Array, clustered_means, sum_by_cluster
from ratchet.statistics.comparison import ROUNDING
from ratchet.statistics.multiplicity import holm


class Levels(NamedTuple):
    """What each row is of a column: `names[codes[row]]`. Names are told apart by their text."""

    names: NDArray[np.str_]
    codes: NDArray[np.intp]

    @classmethod
    def of(cls, texts: ArrayLike) -> Levels:
        """Give each of a column's levels a number."""
        return cls(*np.unique(np.asarray(texts).astype(str), return_inverse=True))

    def cross(self, other: Levels) -> Levels:
        """Return the levels of two columns together, those that occur."""
        pairs, codes = np.unique(self.codes * len(other.names) + other.codes, return_inverse=True)
        first, second = np.divmod(pairs, len(other.names))
        joined = np.char.add(np.char.add(self.names[first], " and "), other.names[second])
        return Levels(joined, codes)


class SliceMean(BaseModel):
    """The mean of a quantity on the rows of one slice.

    `estimate` is as measured, `low` and `high` bound it with a confidence of 95 %. `shrunken` is
    what to expect: of many slices the worst-looking one is mostly unlucky, so each is drawn towards
    the mean of all rows, the more so the larger its error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    column: str
    level: str
    rows: int = Field(gt=0)
    clusters: int = Field(gt=1)
    estimate: FiniteFloat
    standard_error: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat
    shrunken: FiniteFloat


class SliceDifference(SliceMean):
    """By how much the mean loss of one model is above another's, on the rows of one slice.

    Below 0 the first model is better. `adjusted_p_value` is that of the null hypothesis that the
    difference is `margin` or less, adjusted for all slices that were tested at once: at most
    `level` where the slice is worse by more than the margin, with a chance of `level` of any false
    one.
    """

    margin: FiniteFloat
    adjusted_p_value: FiniteFloat = Field(ge=0, le=1)


def compare_slices(
    differences: ArrayLike,
    clusters: ArrayLike,
    slices: Mapping[str, Levels],
    *,
    margin: float,
    min_rows: int,
    min_clusters: int,
) -> list[SliceDifference]:
    """Compare two models on every level of every column, and say where the first is worse.

    Parameters
    ----------
    differences : array-like, shape (n_rows,)
        Loss of the one less loss of the other, on the same row.
    clusters : array-like, shape (n_rows,)
        Day or entity of each row.
    slices
        Level of each row, by column.
    margin
        By how much a slice may be worse, in the unit of the loss, 0 or more.
    min_rows, min_clusters
        A slice with fewer says too little to be tested; at least 2 clusters.

    Returns
    -------
    list of SliceDifference
        Of all slices that are large enough, worst first by `shrunken`.

    Raises
    ------
    EvidenceError
        If a difference is not finite, or a column has not one level per row.

    References
    ----------
    See `estimate_slices`; Holm (1979) for the adjustment.
    """
    means = estimate_slices(
        differences, clusters, slices, min_rows=min_rows, min_clusters=min_clusters
    )
    estimate, error, days = (
        np.array([getattr(each, name) for each in means], dtype=np.float64)
        for name in ("estimate", "standard_error", "clusters")
    )
    found = [
        SliceDifference(**each.model_dump(), margin=margin, adjusted_p_value=float(p))
        for each, p in zip(means, holm(_worse(estimate, margin, error, days - 1)), strict=True)
    ]
    return sorted(found, key=lambda each: -each.shrunken)


def estimate_slices(
    values: ArrayLike,
    clusters: ArrayLike,
    slices: Mapping[str, Levels],
    *,
    min_rows: int,
    min_clusters: int,
) -> list[SliceMean]:
    """Estimate the mean of a quantity on every level of every column.

    Parameters
    ----------
    values : array-like, shape (n_rows,)
    clusters, slices, min_rows, min_clusters
        See `compare_slices`.

    Returns
    -------
    list of SliceMean
        Of all slices that are large enough, by column and then by level.

    Raises
    ------
    EvidenceError
        If a value is not finite, or a column has not one level per row.

    References
    ----------
    Hedges (1983), *A Random Effects Model for Effect Sizes*, Psychological Bulletin 93, for the
    variance between slices. Efron and Morris (1975), *Data Analysis Using Stein's Estimator*, JASA
    70, for the shrinkage.
    """
    overall = float(np.mean(np.asarray(values, dtype=np.float64)))
    found: list[SliceMean] = []
    for column, levels in slices.items():
        sums = sum_by_cluster(values, clusters, levels.codes)
        rows, days = sums.counts.sum(axis=0), (sums.counts > 0).sum(axis=0)
        large = np.flatnonzero((rows >= min_rows) & (days >= max(min_clusters, 2)))
        means = clustered_means(sums, confidence=0.95)
        estimate, error = means.estimate[large], means.standard_error[large]
        shrunken = shrink(estimate, error, overall)
        found += [
            SliceMean(
                column=column,
                level=str(levels.names[i]),
                rows=int(rows[i]),
                clusters=int(days[i]),
                estimate=float(means.estimate[i]),
                standard_error=float(means.standard_error[i]),
                low=float(means.low[i]),
                high=float(means.high[i]),
                shrunken=float(drawn),
            )
            for i, drawn in zip(large, shrunken, strict=True)
        ]
    return found


def variance_between(estimates: ArrayLike, errors: ArrayLike) -> float:
    """Return how much true values vary, beyond the errors of their estimates; 0 or more.

    References
    ----------
    Hedges (1983): the variance of the estimates, less the mean of their squared errors.
    """
    y, s = np.asarray(estimates, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    return max(float(y.var(ddof=1) - (s**2).mean()), 0.0) if len(y) > 1 else 0.0


def shrink(estimates: ArrayLike, errors: ArrayLike, towards: float) -> Array:
    """Draw estimates towards a common value, as far as their errors explain the distance."""
    y, s = np.asarray(estimates, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    between = variance_between(y, s)
    total = between + s**2
    share = np.divide(between, total, out=np.ones_like(total), where=total > 0)
    return towards + share * (y - towards)


def _worse(estimate: Array, margin: float, error: Array, degrees: Array) -> Array:
    excess, least = estimate - margin, ROUNDING * np.maximum(np.abs(estimate), abs(margin))
    exact = error <= least
    t = np.divide(excess, error, out=np.zeros_like(excess), where=~exact)
    return np.where(
        exact, np.where(excess > least, 0.0, 1.0), special.stdtr(np.maximum(degrees, 1), -t)
    )
