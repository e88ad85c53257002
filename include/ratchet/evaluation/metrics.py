"""How good answers are, what they cost, and how sure a difference between two is."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from ratchet.errors import EvidenceError
from ratchet.problems import Answers, Problem
from ratchet.spec import Spec
from ratchet.statistics import Comparison, compare_by_blocks, compare_by_cluster

REPLICATES = 2000
"""Of the bootstrap: they leave an error of 1.6 % in its standard error."""


class Quality(BaseModel):
    """How good answers were on labelled rows.

    `cost_per_unit` is in the spec's cost unit, lower is better. `metrics` are those of the kind of
    problem by name; `Costs.metrics` says which direction is better.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rows: int = Field(gt=0)
    cost_per_unit: FiniteFloat
    metrics: dict[str, FiniteFloat]


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


def days_of(rows: pd.DataFrame, spec: Spec) -> NDArray[np.datetime64]:
    """Return the UTC day of each decision."""
    return rows[spec.gold.decided_at].to_numpy("datetime64[D]")


def compare_metric(
    problem: Problem, answers: Answers, other: Answers, rows: pd.DataFrame
) -> Comparison | None:
    """Compare two models by the leading metric, as by their losses: below 0 the first is better.

    For ROC-AUC it is DeLong's comparison, with rows of one day together.

    Parameters
    ----------
    answers, other
        Of the model in question, and of the one that it is compared with.

    Returns
    -------
    Comparison or None
        None where the metric is no mean over rows.

    References
    ----------
    See `roc_auc_contributions`.
    """
    spec = problem.spec
    labels = rows[spec.gold.label]
    found = [problem.contributions(each, labels) for each in (answers, other)]
    if found[0] is None or found[1] is None:
        return None
    _, bounds = spec.leading_bounds
    margin = bounds.max_regret or 0.0 if bounds else 0.0
    sign = -1 if spec.costs.leading[1].is_higher_better else 1
    return compare_on(rows, sign * found[0], sign * found[1], spec, margin)


def compare_on(
    rows: pd.DataFrame,
    losses: NDArray[np.float64],
    other: NDArray[np.float64],
    spec: Spec,
    margin: float,
) -> Comparison:
    """Compare what two policies cost on the same rows, by day or entity as the spec says."""
    entities = None
    if spec.gate.comparison.by == "entity":
        entities = rows.groupby(list(spec.gold.entity), dropna=False, sort=False).ngroup()
    return compare(losses, other, rows[spec.gold.decided_at], spec, margin, entities)


def compare(
    losses: NDArray[np.float64],
    other: NDArray[np.float64],
    moments: pd.Series,
    spec: Spec,
    margin: float,
    entities: ArrayLike | None = None,
) -> Comparison:
    """Compare what two policies cost on the same rows, by the test of `gate.comparison`.

    Parameters
    ----------
    losses, other
        Cost per row, of the policy in question and of the one that it is compared with.
    moments
        Moment of each decision; rows of one UTC day belong together, as a storm delays all of them.
    entities
        What rows belong together by, instead of days, in a test of clusters.
    margin
        See `Comparison`.

    Raises
    ------
    EvidenceError
        If there are too few days or entities.
    """
    pairing, differences = spec.gate.comparison, losses - other
    days, confidence = moments.to_numpy("datetime64[D]"), 1 - 2 * pairing.level
    if pairing.test == "clusters":
        clusters = days if entities is None else entities
        return compare_by_cluster(differences, clusters, margin=margin, confidence=confidence)
    return compare_by_blocks(
        differences,
        days,
        margin=margin,
        confidence=confidence,
        replicates=REPLICATES,
        seed=spec.training.seed,
    )
