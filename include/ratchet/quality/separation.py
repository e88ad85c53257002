"""How well one column alone tells the label, in all rows and in each segment of them.

Values become small whole numbers first, so that a column within all segments of another one costs
one count over the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]

_BINS = 255  # as many as histogram boosting tells apart: what is finer, it does not see either
_SAMPLE = 50_000  # rows that quantiles are taken from


@dataclass(frozen=True)
class Coded:
    """A column as whole numbers below `len(levels)`; the last level means that it is missing.

    Levels of an ordered column are bins of ascending values.
    """

    codes: Codes
    levels: tuple[str, ...]
    is_ordered: bool

    @property
    def missing(self) -> npt.NDArray[np.bool_]:
        """Where the column has no value."""
        found: npt.NDArray[np.bool_] = self.codes == len(self.levels) - 1
        return found

    def every(self, step: int) -> Coded:
        """Return the column of every n-th row."""
        return Coded(self.codes[::step], self.levels, self.is_ordered)

    def cells(self, number: int) -> Coded:
        """Return an ordered column in so many bins or fewer, of about as many rows each."""
        starts = cell_starts(np.bincount(self.codes, minlength=len(self.levels)), number)
        cell = np.searchsorted(starts, np.arange(len(self.levels)), side="right") - 1
        spans = [
            f"{self.levels[first].split(' to ')[0]} to {self.levels[last - 1].split(' to ')[-1]}"
            for first, last in pairwise(starts)
        ]
        return Coded(cell.astype(np.int32)[self.codes], (*spans, "missing"), is_ordered=True)


def cell_starts(rows: npt.NDArray[np.int64], number: int) -> npt.NDArray[np.int64]:
    """Return the first level of each of some cells of neighbouring levels; the last is *missing*.

    Parameters
    ----------
    rows : array, shape (n_levels,)
        Rows by level, the missing ones last.
    """
    known = rows[:-1].cumsum()
    bounds = np.arange(1, number) * (known[-1] if known.size else 0) / number
    starts = np.unique([0, *(np.searchsorted(known, bounds) + 1)])
    return np.append(starts[starts < rows.size - 1], rows.size - 1)


def code(values: pd.Series) -> Coded:
    """Put numbers into quantile bins, and number texts; NaN and None become the last level.

    Quantiles come from every n-th row, so that the same rows always get the same bins.
    """
    if not pd.api.types.is_numeric_dtype(values):
        codes, levels = pd.factorize(values, sort=True)
        codes = np.where(codes < 0, len(levels), codes)
        return Coded(codes.astype(np.int32), (*map(str, levels), "missing"), is_ordered=False)
    numbers = values.to_numpy(np.float64)
    finite = np.isfinite(numbers)
    sample = numbers[finite][:: max(1, numbers.size // _SAMPLE)]
    quantiles = np.quantile(sample, np.arange(1, _BINS) / _BINS) if sample.size else []
    edges = np.unique(np.asarray(quantiles, np.float64))
    codes = np.searchsorted(edges, numbers, side="right")
    codes[~finite] = edges.size + 1
    bounds = ["-inf", *(f"{edge:.6g}" for edge in edges), "inf"]
    spans = (f"{low} to {high}" for low, high in pairwise(bounds))
    return Coded(codes.astype(np.int32), (*spans, "missing"), is_ordered=True)


def one_segment(rows: int) -> Coded:
    """Return the segment that holds all rows."""
    return Coded(np.zeros(rows, np.int32), ("all rows",), is_ordered=False)


def halves(label: npt.NDArray[np.bool_]) -> Codes:
    """Tell apart the four kinds of rows that `count` counts: two halves, two labels."""
    kinds: Codes = (np.arange(label.size, dtype=np.int32) % 2) * 2 + label
    return kinds.astype(np.int32)


def count(segments: Coded, column: Coded, kinds: Codes) -> Array:
    """Count rows by segment, level, half (every second row is in the second) and label.

    Returns
    -------
    array, shape (n_segments, n_levels, 2, 2)
    """
    shape = (len(segments.levels), len(column.levels), 2, 2)
    cell = (segments.codes * shape[1] + column.codes) * 4 + kinds
    return np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)


def concordance(counts: Array) -> tuple[Array, Array]:
    """Return how many pairs of a positive and a negative row are in order, and how many there are.

    Parameters
    ----------
    counts : array, shape (..., n_levels, 2)
        Rows by level, in ascending order, and label. A pair of one level is in order by half.

    Returns
    -------
    two arrays, shape (...)
        Their ratio is the area under the ROC curve.
    """
    negatives, positives = counts[..., 0], counts[..., 1]
    below = np.cumsum(negatives, axis=-1) - negatives / 2
    return (positives * below).sum(axis=-1), positives.sum(axis=-1) * negatives.sum(axis=-1)


def roc_auc(counts: Array) -> Array:
    """Return the area under the ROC curve, in [0, 1]; NaN where a label has no rows."""
    ordered, pairs = concordance(counts)
    with np.errstate(invalid="ignore"):
        area: Array = ordered / pairs
    return area


def cross_fitted_auc(counts: Array) -> Array:
    """Return the area when each half's levels are ordered by the other half's label shares.

    It needs no order of the levels, and many levels with few rows each gain nothing by chance.

    Parameters
    ----------
    counts : array, shape (n_segments, n_levels, 2, 2)
        As of `count`.

    Returns
    -------
    array, shape (n_segments,)
        About .5 if the levels tell nothing; NaN where a half lacks a label.
    """
    areas = []
    for half in (0, 1):
        own, other = counts[:, :, half], counts[:, :, 1 - half]
        prior = other[..., 1].sum(axis=1) / np.maximum(other.sum(axis=(1, 2)), 1)
        share = (other[..., 1] + prior[:, None]) / (other.sum(axis=2) + 1)
        order = np.argsort(share, axis=1, kind="stable")
        areas.append(roc_auc(np.take_along_axis(own, order[:, :, None], axis=1)))
    return (areas[0] + areas[1]) / 2


def p_value(area: Array, rarer: Array, limit: float) -> Array:
    """Return how likely such an area is if the true one is no farther from .5 than `limit`.

    Uses the distribution-free bound on the variance, limit (1 - limit) / rarer: it is no smaller
    where the separation found is perfect.

    Parameters
    ----------
    area : array, shape (n,)
        Either way round: .1 separates as well as .9. NaN stays NaN.
    rarer : array, shape (n,)
        Rows of the rarer label.
    limit
        In (.5, 1).

    References
    ----------
    Birnbaum and Klose (1957), *Bounds for the variance of the Mann-Whitney statistic*, Annals of
    Mathematical Statistics 28.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        score = (np.maximum(area, 1 - area) - limit) / np.sqrt(limit * (1 - limit) / rarer)
    p: Array = np.minimum(2 * norm.sf(score), 1.0)
    return p


def min_rarer(limit: float, q: float) -> int:
    """Return with how many rows of the rarer label a perfect separation, tested alone, has p <= q.

    Examples
    --------
    >>> min_rarer(0.85, 0.01)
    38
    """
    return int(np.ceil(norm.isf(q / 2) ** 2 * limit / (1 - limit)))
