"""Making probabilities mean what they say, where that is better on days that were not learned from.

A curve has few knots, is stored with a model, and is read by linear interpolation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ratchet.statistics.clusters import Array
from ratchet.statistics.comparison import compare_by_cluster

Knots = tuple[tuple[float, float], ...]

_PARTS = 5
"""Days are dealt out to so many parts, of which each is judged by a curve of the others."""
_BINS = 20
"""Of equal size: a curve of each row's own step would learn the rows by heart."""
_SURE = 0.05
"""Chance that a curve is used which is no better, at most."""


def recalibration(probabilities: ArrayLike, labels: ArrayLike, days: ArrayLike) -> Knots | None:
    """Return the curve that recalibrates probabilities best; None if they are best as they are.

    The curve is the isotonic regression of shares of true labels by quantile of the probability.
    It is used only if it lowers the Brier score on days that it was not fitted on, by more than
    chance would.

    Parameters
    ----------
    probabilities : array-like, shape (n_rows,)
        In [0, 1].
    labels : array-like of bool, shape (n_rows,)
    days : array-like, shape (n_rows,)
        Day of each row; fewer than five of them can't show that a curve is better.

    References
    ----------
    Zadrozny and Elkan (2002), *Transforming Classifier Scores into Accurate Multiclass Probability
    Estimates*, section 3.1, for isotonic regression; cross-validated by whole days, as rows of one
    day are alike.
    """
    p, y = np.asarray(probabilities, np.float64), np.asarray(labels, np.float64)
    names, day = np.unique(np.asarray(days), return_inverse=True)
    if len(names) < _PARTS:
        return None
    part = day % _PARTS
    held_out = np.empty(len(p))
    for number in range(_PARTS):
        judged = part == number
        held_out[judged] = recalibrate(p[judged], _curve(p[~judged], y[~judged]))
    better = (held_out - y) ** 2 - (p - y) ** 2
    if not better.any():
        return None
    found = compare_by_cluster(better, day, margin=0.0, confidence=0.95)
    return _curve(p, y) if found.p_value < _SURE else None


def recalibrate(probabilities: ArrayLike, knots: Knots | None) -> Array:
    """Return probabilities as a curve corrects them; as they are without one.

    Examples
    --------
    >>> recalibrate([0.2, 0.5], ((0.0, 0.1), (0.4, 0.5))).tolist()
    [0.3, 0.5]
    """
    p = np.asarray(probabilities, np.float64)
    if knots is None:
        return p
    x, y = zip(*knots, strict=True)
    corrected: Array = np.interp(p, x, y)
    return corrected


def _curve(p: Array, y: Array) -> Knots:
    from scipy.optimize import isotonic_regression

    edges = np.unique(np.quantile(p, np.arange(1, _BINS) / _BINS))
    bins = np.searchsorted(edges, p, side="right")
    rows = np.bincount(bins)
    used = rows > 0
    said, occurred = (np.bincount(bins, each)[used] / rows[used] for each in (p, y))
    fitted = isotonic_regression(occurred, weights=rows[used]).x
    return tuple(zip(said.tolist(), fitted.tolist(), strict=True))
