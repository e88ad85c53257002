"""Rows that share a day or an entity are not independent: means and their errors by cluster."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from ratchet.errors import EvidenceError

Array = NDArray[np.float64]


class ClusterSums(NamedTuple):
    """All that the mean of rows and its error rest on.

    `totals` and `counts` have one row per cluster, in ascending order of the cluster's name, and
    any further axes: one mean is estimated for each of their cells. A count may be 0.
    """

    totals: Array
    counts: Array


class Means(NamedTuple):
    """Means over rows with clustered standard errors, and confidence intervals.

    All have the shape of one cluster's totals. `degrees_of_freedom` are those that the error is
    known with, 0 where it is not known: clusters less one if all have as many rows, and fewer the
    more some have.
    """

    estimate: Array
    standard_error: Array
    low: Array
    high: Array
    degrees_of_freedom: Array


def sum_by_cluster(
    values: ArrayLike, clusters: ArrayLike, cells: ArrayLike | None = None
) -> ClusterSums:
    """Add up values by cluster, and by cell if rows are told apart by one.

    Parameters
    ----------
    values : array-like, shape (n_rows,)
        Finite numbers.
    clusters : array-like, shape (n_rows,)
        Day or entity of each row.
    cells : array-like of int, shape (n_rows,), optional
        Number of the row's cell, from 0 on: a bin, or a level of a column.

    Returns
    -------
    ClusterSums
        Of shape (n_clusters,), or (n_clusters, n_cells).

    Raises
    ------
    EvidenceError
        If there are no rows, lengths differ, or a value is not finite.
    """
    x = np.asarray(values, dtype=np.float64)
    names = np.asarray(clusters)
    cell = np.zeros(len(x), dtype=np.intp) if cells is None else np.asarray(cells)
    if not len(x):
        raise EvidenceError("there are no rows to compare; evaluate more of them")
    if not x.shape == names.shape == cell.shape:
        raise EvidenceError(
            f"{x.shape} values, {names.shape} clusters and {cell.shape} cells do not belong "
            "together; give one of each per row"
        )
    if not np.isfinite(x).all():
        raise EvidenceError("a value is missing or not finite; measure its row again")
    found, cluster = np.unique(names, return_inverse=True)
    shape = (len(found), int(cell.max()) + 1)
    index = cluster * shape[1] + cell
    cells_of_all = shape[0] * shape[1]
    totals: Array = np.bincount(index, x, cells_of_all).reshape(shape).astype(np.float64)
    counts: Array = np.bincount(index, None, cells_of_all).reshape(shape).astype(np.float64)
    if cells is None:
        return ClusterSums(totals[:, 0], counts[:, 0])
    return ClusterSums(totals, counts)


def clustered_means(sums: ClusterSums, confidence: float) -> Means:
    """Estimate means over rows, with errors that take clusters as independent, not rows.

    It serves every metric that is a mean over rows: a cost, a Brier score, a share, a difference
    of two losses, and with `roc_auc_contributions` the area under the ROC curve. The variance is
    CR2: each cluster's residual total is divided by the square root of one less the cluster's
    share of all rows, without which large clusters make the error too small. With clusters of
    equal size that is the usual factor n / (n - 1). The degrees of freedom are Satterthwaite's for
    that variance, where rows are independent: one cluster with most of the rows leaves few.

    Parameters
    ----------
    sums
        Sums of one or of many cells.
    confidence
        Of the intervals, in (0, 1).

    Returns
    -------
    Means
        NaN where fewer than two clusters have rows: one can't tell how much clusters differ.

    References
    ----------
    Bell and McCaffrey (2002), *Bias reduction in standard errors for linear regression with
    multi-stage samples*, Survey Methodology 28, for CR2 and the degrees of freedom. Cochran,
    *Sampling Techniques* (1977), section 6.3, for the ratio of totals. Imbens and Kolesár (2016),
    *Robust Standard Errors in Small Samples*, Review of Economics and Statistics 98, for what goes
    wrong with clusters less one degrees.

    Examples
    --------
    >>> sums = sum_by_cluster([0, -10, -10, 0], ["mon", "mon", "tue", "wed"])
    >>> found = clustered_means(sums, confidence=0.9)
    >>> float(found.estimate), round(float(found.degrees_of_freedom), 2)
    (-5.0, 1.8)
    """
    totals, counts = sums
    rows = counts.sum(axis=0)
    enough = (counts > 0).sum(axis=0) >= 2
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = totals.sum(axis=0) / rows
        share = counts / rows
        residuals = totals - estimate * counts
        variance = (residuals**2 / (1 - share)).sum(axis=0) / rows**2
        overlap = share**2 / (1 - share)
        spread = (share**2).sum(axis=0) + overlap.sum(axis=0) ** 2 - (overlap**2).sum(axis=0)
    error = np.where(enough, np.sqrt(np.where(enough, variance, 0.0)), np.nan)
    known = np.maximum(1 / np.where(enough, spread, 1.0), 1.0)  # two clusters leave 1, but for ulps
    reach = stdtrit(known, (1 + confidence) / 2) * error
    degrees = np.where(enough, known, 0.0)
    return Means(estimate, error, estimate - reach, estimate + reach, degrees)
