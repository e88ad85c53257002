"""Numbers that say how good probabilities are, and how sure a difference between two is."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from ratchet.errors import EvidenceError
from ratchet.spec.types import Costs


class Quality(BaseModel):
    """How good probabilities were on labelled rows.

    `roc_auc` and `pr_auc` (average precision) lie in [0, 1], higher is better. `brier` in [0, 1],
    `log_loss` and `cost_per_unit` (in the spec's cost unit) are better when lower. `acted_share`
    is the share of rows at or above the cost threshold.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = Field(gt=0)
    roc_auc: FiniteFloat
    pr_auc: FiniteFloat
    brier: FiniteFloat
    log_loss: FiniteFloat
    cost_per_unit: FiniteFloat
    acted_share: FiniteFloat


class Difference(BaseModel):
    """What one policy costs more than another, per decision, on the same rows.

    `mean_per_unit` is below 0 where the first one is cheaper. The standard error takes days as
    independent, not rows: a storm delays all flights of a day. `t` is their ratio, and None if the
    difference is the same every day.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean_per_unit: FiniteFloat
    standard_error: FiniteFloat
    days: int = Field(gt=1)
    t: FiniteFloat | None


def costs_of(probabilities: ArrayLike, labels: ArrayLike, costs: Costs) -> NDArray[np.float64]:
    """Return what each decision cost when acting from the cost threshold on, in the spec's unit.

    Examples
    --------
    >>> costs = Costs(unit="points", assumption="ours", negative_left_alone=0,
    ...     positive_left_alone=100, negative_acted_on=10, positive_acted_on=70)
    >>> costs_of([0.2, 0.2, 0.25, 0.9], [False, True, False, True], costs).tolist()
    [0.0, 100.0, 10.0, 70.0]
    """
    acted = np.asarray(probabilities) >= costs.threshold
    positive = np.asarray(labels, dtype=bool)
    return np.where(
        acted,
        np.where(positive, costs.positive_acted_on, costs.negative_acted_on),
        np.where(positive, costs.positive_left_alone, costs.negative_left_alone),
    ).astype(np.float64)


def measure(probabilities: ArrayLike, labels: ArrayLike, costs: Costs, whose: str) -> Quality:
    """Measure probabilities of labelled rows.

    Parameters
    ----------
    probabilities
        In [0, 1], one per row; NaN is refused.
    labels
        Booleans; both kinds must occur.
    whose
        Name for error messages.

    Raises
    ------
    EvidenceError
        If there are no rows, only one kind of label, or a probability that is none.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    positive = np.asarray(labels, dtype=bool)
    if not len(p):
        raise EvidenceError(f"{whose}: there are no rows to measure")
    if not ((p >= 0) & (p <= 1)).all():
        raise EvidenceError(f"{whose}: some answers are missing or are no probabilities")
    if positive.all() or not positive.any():
        raise EvidenceError(f"{whose}: all {len(p):,} labels are the same; nothing can be ranked")
    return Quality(
        rows=len(p),
        roc_auc=float(roc_auc_score(positive, p)),
        pr_auc=float(average_precision_score(positive, p)),
        brier=float(brier_score_loss(positive, p)),
        log_loss=float(log_loss(positive, p)),
        cost_per_unit=float(costs_of(p, positive, costs).mean()),
        acted_share=float((p >= costs.threshold).mean()),
    )


def difference(costs: ArrayLike, other_costs: ArrayLike, moments: ArrayLike) -> Difference:
    """Compare the costs of two policies on the same rows, day by day.

    Parameters
    ----------
    costs, other_costs
        Cost per row, of the policy in question and of the one that it is compared with.
    moments
        Moment of each decision; rows of one UTC day belong together.

    Raises
    ------
    EvidenceError
        If there are fewer than two days: one day can't tell how much days differ.

    References
    ----------
    Cochran, *Sampling Techniques* (1977), section 6.3: the ratio estimate and its variance, with
    days as clusters.

    Examples
    --------
    >>> days = ["2013-03-01", "2013-03-01", "2013-03-02", "2013-03-03"]
    >>> found = difference([0, 10, 0, 70], [0, 20, 10, 70], days)
    >>> found.mean_per_unit, found.days
    (-5.0, 3)
    """
    rows = pd.DataFrame({"more": np.asarray(costs, float) - np.asarray(other_costs, float)})
    by_day = rows["more"].groupby(np.asarray(moments, "datetime64[D]"))
    total, count = by_day.sum().to_numpy(), by_day.size().to_numpy()
    days = len(total)
    if days < 2:
        raise EvidenceError(f"a paired comparison needs at least two days, not {days}")
    mean = float(total.sum() / count.sum())
    spread = float(((total - mean * count) ** 2).sum()) * days / (days - 1)
    error = math.sqrt(spread) / float(count.sum())
    return Difference(
        mean_per_unit=mean, standard_error=error, days=days, t=mean / error if error else None
    )
