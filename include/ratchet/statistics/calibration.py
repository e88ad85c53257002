"""Whether probabilities mean what they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat
from scipy import special
from scipy.special import expit, logit

from ratchet.errors import EvidenceError
from ratchet.statistics.clusters import Array, clustered_means, sum_by_cluster

_LEAST = 1e-6
"""Probabilities are held this far from 0 and 1, where the logit has no value."""
_STEPS = 50
"""Newton's method needs some ten steps; where it needs more, there is no finite answer."""


class Calibration(BaseModel):
    """How far probabilities are from the shares that occurred.

    `error` is the expected calibration error in [0, 1]: the mean distance between what was said
    and what occurred, over bins of equal size; lower is better. `error_by_chance` is what chance
    alone makes it for a calibrated model with as many rows and clusters, so what counts is the
    excess. `bias` is the mean probability less the share that occurred, with a clustered error.

    `slope` and `intercept` recalibrate the logits best: 1 and 0 for a calibrated model, a slope
    below 1 for one that is too sure. `p_value` tests both at once, by cluster; None of two
    clusters. The three are None where there is no best one: all probabilities or labels are equal,
    or probabilities separate the labels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rows: int = Field(gt=1)
    clusters: int = Field(gt=1)
    error: FiniteFloat
    error_by_chance: FiniteFloat
    bias: FiniteFloat
    bias_standard_error: FiniteFloat
    slope: FiniteFloat | None
    intercept: FiniteFloat | None
    p_value: FiniteFloat | None


def measure_calibration(
    probabilities: ArrayLike, labels: ArrayLike, clusters: ArrayLike, bins: int
) -> Calibration:
    """Measure how far probabilities are from the shares that occurred.

    Parameters
    ----------
    probabilities : array-like, shape (n_rows,)
        In [0, 1].
    labels : array-like of bool, shape (n_rows,)
    clusters : array-like, shape (n_rows,)
        Day or entity: shares of a bin vary with the day far more than rows alone would tell.
    bins
        Number of bins of equal size; equal probabilities are never torn apart.

    Raises
    ------
    EvidenceError
        If there are fewer than two clusters, or a probability is none.

    References
    ----------
    Nixon et al. (2019), *Measuring Calibration in Deep Learning*, for bins of equal size. Roelofs
    et al. (2022), *Mitigating Bias in Calibration Error Estimation*, for its bias; the expectation
    of an absolute normal deviate with standard error s is s * sqrt(2 / pi). Cox (1958), *Two
    Further Applications of a Model for Binary Regression*, Biometrika 45, for the recalibration.
    """
    p, y = _checked(probabilities, labels)
    edges = np.unique(np.quantile(p, np.arange(1, bins) / bins, method="lower"))
    sums = sum_by_cluster(p - y, clusters, np.searchsorted(edges, p))
    overall = clustered_means(sum_by_cluster(p - y, clusters), confidence=0.95)
    if not overall.degrees_of_freedom:
        raise EvidenceError("calibration needs at least two clusters; judge on more days")
    rows = sums.counts.sum(axis=0)
    share = rows / rows.sum()
    gaps = np.abs(sums.totals.sum(axis=0)) / np.maximum(rows, 1)
    errors = clustered_means(sums, confidence=0.95).standard_error
    # a bin within one cluster shows nothing of how clusters differ: its rows bound its error
    within = np.sqrt(0.25 / np.maximum(rows, 1))
    errors = np.where(np.isnan(errors), within, errors)
    slope, intercept, p_value = _recalibrate(p, y, clusters)
    return Calibration(
        rows=len(p),
        clusters=len(sums.counts),
        error=float(share @ gaps),
        error_by_chance=float(share @ errors) * float(np.sqrt(2 / np.pi)),
        bias=float(overall.estimate),
        bias_standard_error=float(overall.standard_error),
        slope=slope,
        intercept=intercept,
        p_value=p_value,
    )


def spiegelhalter(probabilities: ArrayLike, labels: ArrayLike) -> tuple[float, float]:
    """Test whether a Brier score is what it would be if the probabilities were true.

    Parameters
    ----------
    probabilities : array-like, shape (n_rows,)
        In [0, 1], of independent rows, not all in {0, 1/2, 1}.
    labels : array-like of bool, shape (n_rows,)

    Returns
    -------
    tuple of float
        z, standard normal for a calibrated model, and the two-sided p-value.

    Raises
    ------
    EvidenceError
        If a probability is none, or no probability can tell anything.

    References
    ----------
    Spiegelhalter (1986), *Probabilistic prediction in patient management and clinical trials*,
    Statistics in Medicine 5, equation 12.

    Examples
    --------
    >>> z, p = spiegelhalter([0.2, 0.2, 0.2, 0.2], [True, False, False, False])
    >>> round(z, 3), round(p, 3)
    (0.25, 0.803)
    """
    p, y = _checked(probabilities, labels)
    variance = float(((1 - 2 * p) ** 2 * p * (1 - p)).sum())
    if variance == 0:
        raise EvidenceError("all probabilities are 0, 1/2 or 1, which tells nothing; test others")
    z = float(((y - p) * (1 - 2 * p)).sum()) / variance**0.5
    return z, 2 * float(special.ndtr(-abs(z)))


def _checked(probabilities: ArrayLike, labels: ArrayLike) -> tuple[Array, Array]:
    p = np.asarray(probabilities, dtype=np.float64)
    y = np.asarray(labels, dtype=bool).astype(np.float64)
    if p.shape != y.shape or not len(p):
        raise EvidenceError(f"{p.shape} probabilities and {y.shape} labels do not belong together")
    if not ((p >= 0) & (p <= 1)).all():
        raise EvidenceError("an answer is missing or is no probability; let the model answer again")
    return p, y


def _are_apart(one: Array, other: Array) -> bool:
    """Return whether numbers of two kinds touch at most; then no finite slope fits best."""
    return bool(one.max() <= other.min() or other.max() <= one.min())


def _recalibrate(
    p: Array, y: Array, clusters: ArrayLike
) -> tuple[float | None, float | None, float | None]:
    x = np.column_stack([logit(np.clip(p, _LEAST, 1 - _LEAST)), np.ones(len(p))])
    if np.ptp(y) == 0 or _are_apart(x[y == 0, 0], x[y == 1, 0]):
        return None, None, None

    def likelihood(weights: Array) -> float:
        return float(y @ (x @ weights) - np.logaddexp(0, x @ weights).sum())

    weights = np.array([0.0, logit(y.mean())])
    for _ in range(_STEPS):
        fitted = expit(x @ weights)
        information = (x.T * (fitted * (1 - fitted))) @ x
        if np.linalg.cond(information) > 1 / np.finfo(float).eps:
            return None, None, None
        step = np.linalg.solve(information, x.T @ (y - fitted))
        while likelihood(weights + step) < likelihood(weights):  # a whole step leads too far
            step = step / 2
        weights = weights + step
        if np.abs(step).max() < 1e-10:
            break
    else:
        return None, None, None
    residuals = y - expit(x @ weights)
    scores = np.stack([sum_by_cluster(x[:, i] * residuals, clusters).totals for i in (0, 1)])
    n = scores.shape[1]
    inverse = np.linalg.inv(information)
    covariance = inverse @ (scores @ scores.T) @ inverse * n / (n - 1)
    slope, intercept = (float(weight) for weight in weights)
    if n <= 2 or np.linalg.cond(covariance) > 1 / np.finfo(float).eps:
        return slope, intercept, None
    away = weights - [1.0, 0.0]
    hotelling = float(away @ np.linalg.solve(covariance, away))
    fisher = hotelling * (n - 2) / (2 * (n - 1))
    return slope, intercept, float(special.fdtrc(2, n - 2, fisher))
