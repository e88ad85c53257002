"""How good answers are, what they cost, and how sure a difference between two is."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from ratchet.errors import EvidenceError
from ratchet.problems import Answers, Problem


class Quality(BaseModel):
    """How good answers were on labelled rows.

    `cost_per_unit` is in the spec's cost unit, lower is better. `metrics` are those of the kind of
    problem by name; `Costs.metrics` says which direction is better.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = Field(gt=0)
    cost_per_unit: FiniteFloat
    metrics: dict[str, FiniteFloat]


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


def measure(
    problem: Problem, answers: Answers, rows: pd.DataFrame, whose: str
) -> tuple[Quality, NDArray[np.float64]]:
    """Measure answers to labelled rows; return what each row costs beside it.

    Parameters
    ----------
    rows
        Rows of a snapshot, in the order of the answers.
    whose
        Name for error messages.

    Raises
    ------
    EvidenceError
        If there are no rows, an answer is missing or impossible, or a measure is undefined.
    """
    metrics = problem.measure(answers, rows, whose)
    losses = problem.losses(answers, rows)
    try:
        quality = Quality(rows=len(rows), cost_per_unit=float(losses.mean()), metrics=metrics)
    except ValueError as error:
        raise EvidenceError(f"{whose}: {error}") from error
    return quality, losses


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
