"""What one may expect of a model's answers before labels are known, learned where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from ratchet.spec.checks import MATURE_DAYS
from ratchet.statistics import Dispersion, Level, measure_dispersion, measure_level

if TYPE_CHECKING:
    from ratchet.problems.problem import Problem

COST = "cost_per_unit"
"""The measure that is watched in any case."""


class Errors(BaseModel):
    """How far answers are off on average, and how much that scatters, by quantile of the answer.

    The i-th of the bins that the ascending inner `edges` make holds edges[i - 1] <= answer <
    edges[i]. `means` and `variances` are by measure.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    edges: tuple[FiniteFloat, ...]
    means: dict[str, tuple[FiniteFloat, ...]]
    variances: dict[str, tuple[FiniteFloat, ...]]


class Learned(BaseModel):
    """What is needed besides an answer to tell how far off it may be.

    `knots` recalibrate probabilities, by linear interpolation between them; None where these are
    best taken as they are. `errors` are for kinds without probabilities.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    knots: tuple[tuple[FiniteFloat, FiniteFloat], ...] | None = None
    errors: Errors | None = None


class Expectations(BaseModel):
    """What a release's own holdout says of its answers; goes with it as `expectations.json`.

    Learned on `rows` that were at least `age_days` old, by labels that were known at that age: what
    is compared with it is of the same maturity. `dispersions` and `levels` are by measure: how far
    realised lies from expected, and what was realised.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = Field(gt=0)
    age_days: FiniteFloat = Field(gt=0)
    learned: Learned
    dispersions: dict[str, Dispersion]
    levels: dict[str, Level]


def learn_expectations(
    problem: Problem, decided: pd.DataFrame, age_days: float
) -> Expectations | None:
    """Learn from labelled decisions what may be expected of those whose labels are not known yet.

    Parameters
    ----------
    decided
        What `Problem.decide` stored, with `label` and `day`.
    age_days
        Days after its decision by which each label was known.

    Returns
    -------
    Expectations or None
        None where answers tell nothing of their errors, or fewer than two days have rows.
    """
    if decided["day"].nunique() < MATURE_DAYS:
        return None
    learned = problem.learn(decided, decided["day"])
    if learned is None:
        return None
    expected, surprises = problem.expect(decided, learned), problem.surprises(decided, learned)
    levels = {
        name: measure_level(expected[name].rows + surprise, decided["day"])
        for name, surprise in surprises.items()
    }
    return Expectations(
        rows=len(decided),
        age_days=age_days,
        learned=learned,
        dispersions={
            name: measure_dispersion(surprise, expected[name], decided["day"])
            for name, surprise in surprises.items()
        },
        levels={name: level for name, level in levels.items() if level},
    )
