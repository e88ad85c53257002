"""The area under the ROC curve: its error, and the difference between two of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ratchet.errors import EvidenceError
from ratchet.statistics.clusters import Array
from ratchet.statistics.comparison import Comparison, conclude


class Areas(NamedTuple):
    """Areas under ROC curves of several models on the same rows, and their covariance matrix."""

    areas: Array
    covariance: Array


def delong(labels: ArrayLike, scores: ArrayLike) -> Areas:
    """Estimate areas under ROC curves and their covariances, for rows that are independent.

    Parameters
    ----------
    labels : array-like of bool, shape (n_rows,)
        Both kinds must occur twice.
    scores : array-like, shape (n_models, n_rows)
        Higher where the label is more likely; ties count half.

    Returns
    -------
    Areas
        Shapes (n_models,) and (n_models, n_models); areas in [0, 1], higher is better.

    Raises
    ------
    EvidenceError
        If a kind of label occurs less than twice, or a score is not finite.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson (1988), *Comparing the Areas under Two or More Correlated
    Receiver Operating Characteristic Curves*, Biometrics 44, equations 2 to 6. Sun and Xu (2014),
    *Fast Implementation of DeLong's Algorithm*, IEEE Signal Processing Letters 21: by midranks, in
    O(n log n).

    Examples
    --------
    >>> delong([0, 0, 1, 1], [[1, 3, 2, 4]]).areas.tolist()
    [0.75]
    """
    positive, x = _checked(labels, scores)
    above, below = _placements(positive, x)
    covariance = np.cov(above).reshape(len(x), -1) / above.shape[1]
    covariance = covariance + np.cov(below).reshape(len(x), -1) / below.shape[1]
    return Areas(above.mean(axis=1), covariance)


def compare_by_delong(
    labels: ArrayLike,
    scores: ArrayLike,
    other_scores: ArrayLike,
    *,
    margin: float,
    confidence: float,
) -> Comparison:
    """Compare two areas under the ROC curve on the same, independent rows.

    The loss is one less the area, so the estimate is below 0 where `scores` rank better. For rows
    that share days, compare `roc_auc_contributions` by cluster or by blocks instead.

    Parameters
    ----------
    labels : array-like of bool, shape (n_rows,)
    scores, other_scores : array-like, shape (n_rows,)
    margin, confidence
        See `Comparison`.

    Raises
    ------
    EvidenceError
        See `delong`.
    """
    found = delong(labels, np.stack([np.asarray(scores, float), np.asarray(other_scores, float)]))
    contrast = np.array([-1.0, 1.0])
    variance = float(contrast @ found.covariance @ contrast)
    rows = len(np.asarray(labels))
    return conclude(
        float(contrast @ found.areas),
        max(variance, 0.0) ** 0.5,
        None,
        clusters=rows,
        rows=rows,
        margin=margin,
        confidence=confidence,
    )


def roc_auc_contributions(labels: ArrayLike, scores: ArrayLike) -> Array:
    """Return what each row contributes to the area under the ROC curve.

    Their mean is the area, and their scatter by cluster gives its error, so what holds for means
    (intervals, comparisons, blocks, slices of clusters) holds for the area: take differences of
    two models' contributions where losses would be taken, with the sign changed.

    Parameters
    ----------
    labels : array-like of bool, shape (n_rows,)
    scores : array-like, shape (n_rows,)

    Returns
    -------
    array, shape (n_rows,)
        Not bounded by [0, 1]: a row counts the more, the rarer its label.

    Raises
    ------
    EvidenceError
        See `delong`.

    References
    ----------
    Obuchowski (1997), *Nonparametric Analysis of Clustered ROC Curve Data*, Biometrics 53: sums of
    DeLong's structural components by cluster.
    """
    positive, x = _checked(labels, np.asarray(scores, float)[None, :])
    above, below = _placements(positive, x)
    area = float(above.mean())
    contributions = np.empty(len(positive))
    contributions[positive] = (above[0] - area) * len(positive) / above.shape[1]
    contributions[~positive] = (below[0] - area) * len(positive) / below.shape[1]
    return contributions + area


def _checked(labels: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, Array]:
    positive = np.asarray(labels, dtype=bool)
    x = np.asarray(scores, dtype=np.float64)
    if x.shape[1:] != positive.shape:
        raise EvidenceError(
            f"{x.shape[1:]} scores and {positive.shape} labels do not belong together"
        )
    if not np.isfinite(x).all():
        raise EvidenceError("a score is missing or not finite; let the model answer again")
    if min(positive.sum(), (~positive).sum()) < 2:
        raise EvidenceError(
            "an area under the ROC curve needs two rows of either label; judge on more rows"
        )
    return positive, x


def _placements(positive: np.ndarray, scores: Array) -> tuple[Array, Array]:
    """Return the share of negatives below each positive, and of positives above each negative."""
    from scipy.stats import rankdata

    ranks = rankdata(scores, axis=1)
    among = scores[:, positive], scores[:, ~positive]
    m, n = among[0].shape[1], among[1].shape[1]
    above = (ranks[:, positive] - rankdata(among[0], axis=1)) / n
    below = 1 - (ranks[:, ~positive] - rankdata(among[1], axis=1)) / m
    return above, below
