"""A run on a few rows that fails in seconds what would fail after hours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ratchet.errors import EvidenceError, TrainingError
from ratchet.problems import Problem
from ratchet.training.model import dump_model

_SAMPLE = 500  # rows: fitted in a moment, and most categories are among them
_BY_HEART = 10  # rows whose labels a model must be able to learn by heart
_COPIES = 400  # of each, as trees refuse to tell few rows apart
_LEARNED = 0.5  # share of what can be saved on them that must be, at least


def run_smoke(problem: Problem, estimator: str, rows: pd.DataFrame) -> None:
    """Fit an estimator to a sample and to ten rows, ask both models, and store the first.

    It finds what the whole fit would meet at its end: a column of another type, answers that are
    missing or impossible, no convergence, a file that nobody may read, parameters with which the
    loss does not fall.

    Parameters
    ----------
    rows
        The training rows, sorted by time.

    Raises
    ------
    TrainingError
        If any of that is so.
    """
    spec = problem.spec
    where = f"{spec.name}: training.estimators.{estimator}"
    _check_types(problem, rows)
    sample = rows.iloc[np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows))).astype(int)]
    if problem.why_untrainable(sample[spec.gold.label]):
        sample = rows  # a label that is rare: it takes all rows to have each kind
    sample = _with_values(problem, sample, rows)
    try:
        is_weighted = spec.training.weight or spec.training.half_life_days
        weights = np.ones(len(sample)) if is_weighted else None  # can it be told of any?
        model = problem.fit(estimator, sample, weights, _on(sample))
        problem.answer(model, sample)
        _store(problem, estimator, model, where)
        _learn_by_heart(problem, estimator, sample, where)
    except EvidenceError as error:
        raise TrainingError(
            f"{where}: on {len(sample)} rows, {error}; look at its params"
        ) from error


def _store(problem: Problem, estimator: str, model: Any, where: str) -> None:
    try:
        dump_model(model, tuple(problem.spec.training.estimators[estimator].trusted_types))
    except TrainingError as error:
        raise TrainingError(f"{where}: {error}") from error


def _on(rows: pd.DataFrame) -> str:
    return f", on {len(rows)} rows,"


def _with_values(problem: Problem, few: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Give features that no row of a few has the first value of all rows: trees need one."""
    features = list(problem.spec.gold.features)
    rare = few[features].columns[few[features].isna().all() & rows[features].notna().any()]
    return few.assign(**{name: rows[name].dropna().iloc[0] for name in rare})


def _check_types(problem: Problem, rows: pd.DataFrame) -> None:
    gold = problem.spec.gold
    for name, feature in gold.features.items():
        is_number = pd.api.types.is_numeric_dtype(rows[name])
        if is_number != (feature.kind == "numeric"):
            raise TrainingError(
                f"{problem.spec.name}: {name} is {feature.kind} in the spec, and holds "
                f"{rows[name].dtype}; mend its SQL, or its kind in gold.features"
            )


def _learn_by_heart(problem: Problem, estimator: str, rows: pd.DataFrame, where: str) -> None:
    """Refuse what hardly gets nearer to ten rows' labels than a constant does.

    What fails at ten is asked for fewer where there are few features: a plane through d of them
    goes through any d + 1 rows, and need not go through more.
    """
    features, failure = list(problem.spec.gold.features), None
    distinct = rows.drop_duplicates(features).sort_values(problem.spec.gold.label, kind="stable")
    varying = int((distinct[features].nunique(dropna=False) > 1).sum())
    for most in sorted({_BY_HEART, min(_BY_HEART, varying + 1)}, reverse=True):
        chosen = np.linspace(0, len(distinct) - 1, min(most, len(distinct))).astype(int)
        few = distinct.iloc[np.unique(chosen)]
        found = _left_and_possible(problem, estimator, few, rows)
        if found is None:
            break
        left, possible = found
        if left <= (1 - _LEARNED) * possible:
            return
        failure = (
            f"{where} can't learn {len(few)} rows by heart: on them it costs {left:.4g} more than "
            f"it must, a constant {possible:.4g}, so its loss does not fall; look at its params"
        )
    if failure:
        raise TrainingError(failure)


def _left_and_possible(
    problem: Problem, estimator: str, few: pd.DataFrame, rows: pd.DataFrame
) -> tuple[float, float] | None:
    """Return what a model that has learned a few rows costs more than it must, and a constant.

    None if nothing can be learned or saved on them.
    """
    labels = few[problem.spec.gold.label]
    if problem.why_untrainable(labels) or "perfect" not in problem.spec.costs.policies:
        return None
    constant = problem.constant(labels, len(few))
    stored = pd.DataFrame(problem.decide(constant, few)).assign(label=labels.to_numpy())
    least = problem.losses_of_policy("perfect", stored).sum()
    possible = problem.losses(constant, few).sum() - least
    if possible <= 0:
        return None
    few = _with_values(problem, few, rows)
    copies = few.take(np.tile(np.arange(len(few)), _COPIES)).reset_index(drop=True)
    answers = problem.answer(problem.fit(estimator, copies, note=_on(copies)), few)
    return float(problem.losses(answers, few).sum() - least), float(possible)
