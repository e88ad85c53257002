"""How good answers are before their labels are known, and whether labels then agree.

A model's probabilities say how likely each label is. If they are true, the expectation of any
measure follows from them alone: confidence-based performance estimation. Once labels are there, the
gap between the two tells whether the probabilities were true, whatever the rows were like: a
change of the features moves both, a change of the concept only what was realised.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat
from scipy import special

from ratchet.errors import EvidenceError
from ratchet.statistics.clusters import Array, ClusterSums, clustered_means, sum_by_cluster


class Expected(NamedTuple):
    """What a measure is expected to be: the mean of `rows`, each with its variance.

    Both have shape (n_rows,). A row's variance is that of what it adds to the realised measure,
    given its answer; rows are independent given theirs, if nothing else befalls them together.
    """

    rows: Array
    variances: Array

    @property
    def value(self) -> float:
        """The measure."""
        return float(self.rows.mean())

    @property
    def sampling_error(self) -> float:
        """Standard error of the realised measure around it, for independent rows."""
        return float(np.sqrt(self.variances.sum()) / len(self.variances))


class Dispersion(BaseModel):
    """How far realised measures lie from expected ones where nothing has changed.

    Measured on rows with labels: `gap` is realised less expected, and `sampling_error` the standard
    error that it would have if rows were independent. `design_effect` is how much larger its
    variance really is, at least 1: what befalls a day befalls all of its rows. That is estimated
    with `degrees_of_freedom`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gap: FiniteFloat
    sampling_error: FiniteFloat = Field(ge=0)
    design_effect: FiniteFloat = Field(ge=1)
    degrees_of_freedom: int = Field(gt=0)

    def pooled(self, weeks: Sequence[tuple[float, int]]) -> Dispersion:
        """Return it with the median of its design effect and those of other weeks.

        Parameters
        ----------
        weeks
            Design effect and degrees of freedom of each. One strange week does not move the median.
        """
        effects = [self.design_effect, *(effect for effect, _ in weeks)]
        degrees = self.degrees_of_freedom + sum(degrees for _, degrees in weeks)
        return self.model_copy(
            update={"design_effect": float(np.median(effects)), "degrees_of_freedom": degrees}
        )


class Level(BaseModel):
    """A mean over labelled rows, with its clustered standard error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: FiniteFloat
    standard_error: FiniteFloat = Field(ge=0)
    degrees_of_freedom: FiniteFloat = Field(gt=0)


class Gap(NamedTuple):
    """One measure less another, and how sure it is that something changed.

    `low` and `high` bound what the gap is where nothing has; `limit` is what its distance from the
    middle stays below in 999 of 1,000 such cases.
    """

    estimate: float
    standard_error: float
    low: float
    high: float
    limit: float
    p_value: float


_RARE = 0.999
"""Share of cases without a change in which a gap stays below its limit."""


def expect_mean(
    probabilities: ArrayLike, if_positive: ArrayLike, if_negative: ArrayLike
) -> Expected:
    """Expect the mean of what each row is worth, which depends on its label.

    It serves costs by decision, shares and scores: a Brier score is (1 - s)² for a positive and s²
    for a negative label of a row whose stated probability is s.

    Parameters
    ----------
    probabilities : array-like, shape (n_rows,)
        That the label is true, in [0, 1].
    if_positive, if_negative : array-like, shape (n_rows,) or ()
        What a row counts for either label.

    Raises
    ------
    EvidenceError
        If there are no rows, or a probability is none.

    References
    ----------
    NannyML's documentation, *Confidence-based Performance Estimation (CBPE)*, "Binary
    classification": the expected confusion matrix, whose cells are sums of probabilities. The
    variance of a weighted sum of independent Bernoulli variables is the sum of w² p (1 - p).

    Examples
    --------
    >>> expected = expect_mean([0.5, 0.1], if_positive=100, if_negative=0)
    >>> expected.value, round(expected.sampling_error, 3)
    (30.0, 29.155)
    """
    p = _probabilities(probabilities)
    high = np.broadcast_to(np.asarray(if_positive, np.float64), p.shape)
    low = np.broadcast_to(np.asarray(if_negative, np.float64), p.shape)
    return Expected(p * high + (1 - p) * low, p * (1 - p) * (high - low) ** 2)


def expect_class_mean(probabilities: ArrayLike, values: ArrayLike) -> Expected:
    """Expect the mean of what each row is worth, which depends on which class is the true one.

    Parameters
    ----------
    probabilities, values : array-like, shape (n_rows, n_classes)
        Of each class to be the true one, and what the row counts then.

    Raises
    ------
    EvidenceError
        If there are no rows, or a probability is none.

    References
    ----------
    As `expect_mean`, "Multiclass classification". The variance is that of one draw of a class.
    """
    p, x = _probabilities(probabilities), np.asarray(values, np.float64)
    means = (p * x).sum(axis=1)
    return Expected(means, np.maximum((p * x**2).sum(axis=1) - means**2, 0))


def expect_roc_auc(probabilities: ArrayLike, scores: ArrayLike) -> Expected:
    """Expect the area under the ROC curve.

    Parameters
    ----------
    probabilities : array-like, shape (n_rows,)
        That the label is true, in [0, 1].
    scores : array-like, shape (n_rows,)
        What ranks the rows; ties count half. Usually the same, before they were calibrated.

    Returns
    -------
    Expected
        Its rows are all equal to the area, in [0, 1]; higher is better. The variances are those of
        the area's first-order change with each row's label.

    Raises
    ------
    EvidenceError
        If there are no rows, a probability is none, or all labels are certain to be the same.

    References
    ----------
    As `expect_mean`: true and false positive rates are expected threshold by threshold, and the
    area is that below their trapezoids. That is the sum of p_i (1 - p_j) over pairs ranked rightly,
    ties counting half, over the sum of all pairs.
    """
    p = _probabilities(probabilities)
    area, slopes = _roc_auc(p, scores)
    return Expected(np.full(len(p), area), slopes**2 * p * (1 - p))


def roc_auc_surprises(probabilities: ArrayLike, scores: ArrayLike, labels: ArrayLike) -> Array:
    """Return what each label adds to the realised area, less what was expected of it.

    Their mean is the realised area less the expected one. How it is shared out among the rows is
    right to first order, which is enough to see by how much days differ.

    Parameters
    ----------
    probabilities, scores
        As in `expect_roc_auc`.
    labels : array-like of bool, shape (n_rows,)
        Both kinds must occur.

    References
    ----------
    The delta method on the ratio of sums in `expect_roc_auc`.
    """
    p, y = _probabilities(probabilities), np.asarray(labels, np.float64)
    expected, slopes = _roc_auc(p, scores)
    surprises = slopes * (y - p)
    gap = _roc_auc(y, scores)[0] - expected
    centred: Array = surprises - surprises.mean() + gap
    return centred


def _roc_auc(p: Array, scores: ArrayLike) -> tuple[float, Array]:
    q = 1 - p
    positives, negatives = p.sum(), q.sum()
    if not min(positives, negatives) > 0:
        raise EvidenceError("all labels are certain to be the same; nothing can be ranked")
    _, rank = np.unique(np.asarray(scores, np.float64), return_inverse=True)
    by_rank = np.bincount(rank, p), np.bincount(rank, q)
    above = positives - np.cumsum(by_rank[0]) + by_rank[0] / 2
    below = np.cumsum(by_rank[1]) - by_rank[1] / 2
    pairs = positives * negatives
    area = float(by_rank[0] @ below / pairs)
    slopes = (below - above)[rank] / pairs - area * (1 / positives - 1 / negatives)
    return area, slopes * len(p)


def _probabilities(values: ArrayLike) -> Array:
    p = np.asarray(values, np.float64)
    if not len(p):
        raise EvidenceError("there are no rows of which anything could be expected")
    if not ((p >= 0) & (p <= 1)).all():
        raise EvidenceError("an answer is missing or is no probability; let the model answer again")
    return p


def measure_dispersion(surprises: ArrayLike, expected: Expected, clusters: ArrayLike) -> Dispersion:
    """Measure how far realised measures lie from expected ones where nothing has changed.

    Parameters
    ----------
    surprises : array-like, shape (n_rows,)
        What each row added to the realised measure, less what was expected of it.
    expected
        The expectation of the same rows.
    clusters : array-like, shape (n_rows,)
        Day of each row.

    Raises
    ------
    EvidenceError
        If there are fewer than two days, or a surprise is not finite.

    References
    ----------
    Kish, *Survey Sampling* (1965), section 5.4, for the design effect. See `clustered_means`.
    """
    _, day = np.unique(np.asarray(clusters), return_inverse=True)
    sums = sum_by_cluster(surprises, clusters)
    rows = sums.counts
    return Dispersion(
        gap=float(sums.totals.sum() / rows.sum()),
        sampling_error=expected.sampling_error,
        design_effect=design_effect(
            sums.totals / rows, np.sqrt(np.bincount(day, expected.variances)) / rows, rows
        ),
        degrees_of_freedom=len(rows) - 1,
    )


def design_effect(gaps: ArrayLike, sampling_errors: ArrayLike, rows: ArrayLike) -> float:
    """Return how much larger the variance of a mean is than if rows were independent; at least 1.

    Parameters
    ----------
    gaps, sampling_errors, rows : array-like, shape (n_days,)
        Of each day: realised less expected, the standard error of that if rows were independent,
        and how many there are.

    Raises
    ------
    EvidenceError
        If there are fewer than two days.

    References
    ----------
    Kish, *Survey Sampling* (1965), section 5.4. The variance between days is that of
    `clustered_means`.

    Examples
    --------
    >>> design_effect([2.0, -2.0], sampling_errors=[1.0, 1.0], rows=[50, 50])
    8.0
    """
    n = np.asarray(rows, np.float64)
    if len(n) < 2:
        raise EvidenceError("a design effect needs at least two days with rows; take more of them")
    found = clustered_means(ClusterSums(np.asarray(gaps, np.float64) * n, n), confidence=0.95)
    by_chance = float(((np.asarray(sampling_errors, np.float64) * n) ** 2).sum()) / n.sum() ** 2
    return max(1.0, float(found.standard_error) ** 2 / by_chance) if by_chance > 0 else 1.0


def measure_level(values: ArrayLike, clusters: ArrayLike) -> Level | None:
    """Return the mean of rows, with an error by cluster; None with fewer than two clusters."""
    sums = sum_by_cluster(values, clusters)
    means = clustered_means(sums, confidence=0.95)
    if not means.degrees_of_freedom:
        return None
    return Level(
        value=float(means.estimate),
        standard_error=float(means.standard_error),
        degrees_of_freedom=float(means.degrees_of_freedom),
    )


def compare_levels(level: Level, base: Level) -> Gap:
    """Measure how far one level is above another one of other rows; the p-value is one-sided.

    References
    ----------
    Welch (1947), *The Generalization of "Student's" Problem when Several Different Population
    Variances Are Involved*, Biometrika 34, with each level's degrees of freedom.
    """
    variances = level.standard_error**2, base.standard_error**2
    total = sum(variances)
    parts = zip(variances, (level, base), strict=True)
    smallness = sum(v**2 / each.degrees_of_freedom for v, each in parts)
    degrees = total**2 / smallness if smallness > 0 else 1.0
    error, estimate = total**0.5, level.value - base.value
    reach = float(special.stdtrit(degrees, 0.975)) * error
    return Gap(
        estimate=estimate,
        standard_error=error,
        low=-reach,
        high=reach,
        limit=float(special.stdtrit(degrees, _RARE)) * error,
        p_value=float(special.stdtr(degrees, -estimate / error)) if error > 0 else 1.0,
    )


def reach_of(expected: Expected, dispersion: Dispersion, confidence: float) -> float:
    """Return how far from the expected value the realised one lies at most, if nothing changed."""
    quantile = special.stdtrit(dispersion.degrees_of_freedom, (1 + confidence) / 2)
    return error_of(expected, dispersion) * float(quantile)


def measure_gap(surprises: ArrayLike, expected: Expected, dispersion: Dispersion) -> Gap:
    """Measure how far a realised measure is from the expected one, and whether that is chance.

    Parameters
    ----------
    surprises, expected
        As in `measure_dispersion`, of the rows in question.
    dispersion
        Where nothing had changed.

    Returns
    -------
    Gap
        Its p-value is two-sided.

    References
    ----------
    Student's t with as many degrees of freedom as the design effect is estimated with.
    """
    error = error_of(expected, dispersion)
    estimate = float(np.asarray(surprises, np.float64).mean())
    degrees = dispersion.degrees_of_freedom
    reach = reach_of(expected, dispersion, 0.95)
    return Gap(
        estimate=estimate,
        standard_error=error,
        low=-reach,
        high=reach,
        limit=reach_of(expected, dispersion, _RARE),
        p_value=2 * float(special.stdtr(degrees, -abs(estimate) / error)) if error > 0 else 1.0,
    )


def error_of(expected: Expected, dispersion: Dispersion) -> float:
    """Return the standard error of the realised measure around the expected one.

    Its variance is that of independent rows, and that with which the probabilities are known to be
    true, as many rows have shown; both times the design effect.
    """
    sampled = expected.sampling_error**2 + dispersion.sampling_error**2
    return float(np.sqrt(dispersion.design_effect * sampled))
