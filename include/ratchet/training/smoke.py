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
        model = problem.fit(estimator, sample, note=_on(sample))
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
    """Refuse what hardly gets nearer to ten rows' labels than a constant does."""
    gold = problem.spec.gold
    ordered = rows.drop_duplicates(list(gold.features)).sort_values(gold.label, kind="stable")
    chosen = np.linspace(0, len(ordered) - 1, min(_BY_HEART, len(ordered))).astype(int)
    ten = ordered.iloc[np.unique(chosen)]
    if problem.why_untrainable(ten[gold.label]) or "perfect" not in problem.spec.costs.policies:
        return
    constant = problem.constant(ten[gold.label], len(ten))
    stored = pd.DataFrame(problem.decide(constant, ten)).assign(label=ten[gold.label].to_numpy())
    least = problem.losses_of_policy("perfect", stored).sum()
    possible = problem.losses(constant, ten).sum() - least
    if possible <= 0:
        return
    ten = _with_values(problem, ten, rows)
    copies = ten.take(np.tile(np.arange(len(ten)), _COPIES)).reset_index(drop=True)
    answers = problem.answer(problem.fit(estimator, copies, note=_on(copies)), ten)
    left = problem.losses(answers, ten).sum() - least
    if left > (1 - _LEARNED) * possible:
        raise TrainingError(
            f"{where} can't learn {len(ten)} rows by heart: on them it costs {left:.4g} more than "
            f"it must, a constant {possible:.4g}, so its loss does not fall; look at its params"
        )
