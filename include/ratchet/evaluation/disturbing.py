"""What a model answers where features are not what they should be, or are changed on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from ratchet.errors import EvidenceError
from ratchet.evaluation.evidence import (
    DISTURBANCES,
    BehaviourTest,
    Disturbance,
    How,
    Outcome,
    required_of,
)
from ratchet.problems import Answers, Problem, threads_limited
from ratchet.spec.types import Behaviour, Canary, Direction

ROWS = 500
"""Rows of the holdout, evenly spread, that are disturbed: each feature asks three times for all."""
FAR = 10.0
"""Out of range: so many times the range of a number beyond its largest value."""
UNKNOWN = "never seen"


def measure_robustness(
    problem: Problem, model: Any, rows: pd.DataFrame, features: list[str]
) -> tuple[Disturbance, ...]:
    """Disturb each feature in three ways, and say what the answers cost more.

    The values of a feature are permuted, removed, or put out of range: numbers far above all
    others, a category that nobody has seen. A model may refuse. What it must not do is answer what
    is no answer.
    """
    rows = _spread(rows, ROWS)
    usual = float(problem.losses(problem.answer(model, rows, features), rows).mean())
    order = np.random.default_rng(problem.spec.training.seed).permutation(len(rows))
    found, asked = [], rows[features]
    for how in DISTURBANCES:
        frames = [asked.assign(**{name: _disturbed(rows[name], how, order)}) for name in features]
        for name, answers in zip(features, _ask_all(problem, model, frames), strict=True):
            outcome, cost = _outcome(problem, answers, rows)
            increase = None if cost is None else cost - usual
            found.append(
                Disturbance(feature=name, how=how, outcome=outcome, cost_increase=increase)
            )
    return tuple(found)


def measure_behaviour(
    problem: Problem, model: Any, rows: pd.DataFrame, features: list[str]
) -> dict[str, BehaviourTest]:
    """Do the tests of `evaluation.behaviour`."""
    rows = _spread(rows, ROWS)
    return {
        name: _behave(problem, model, rows, features, declared)
        for name, declared in problem.spec.evaluation.behaviour.items()
    }


def _behave(
    problem: Problem, model: Any, rows: pd.DataFrame, features: list[str], declared: Behaviour
) -> BehaviourTest:
    def answer(frame: pd.DataFrame) -> pd.Series:
        # what is watched is the answer; a kind that decides by other columns too is given real ones
        decided = problem.decide(problem.answer(model, frame, features), rows.head(len(frame)))
        watched: pd.Series = pd.Series(decided[problem.spec.costs.watched])
        return watched

    asked = rows
    if isinstance(declared, Canary):
        asked = _canary(problem, rows, features, declared)
    try:
        observed = _observe(answer, asked, declared)
    except EvidenceError:  # the model refuses such rows
        observed = None
    return BehaviourTest(rows=len(asked), observed=observed, **required_of(declared))


def _observe(
    answer: Callable[[pd.DataFrame], pd.Series], rows: pd.DataFrame, declared: Behaviour
) -> float | str:
    if isinstance(declared, Canary):
        value = answer(rows).iloc[0]
        return value if isinstance(value, str) else float(value)
    if isinstance(declared, Direction):
        raised = {name: rows[name] + amount for name, amount in declared.add.items()}
        return float((answer(rows.assign(**raised)) - answer(rows)).mean())
    answers = pd.concat(
        [answer(rows.assign(**{declared.feature: each})) for each in declared.values], axis=1
    )
    if all(map(is_numeric_dtype, answers.dtypes)):
        return float((answers.max(axis=1) - answers.min(axis=1)).mean())
    return float((answers.nunique(axis=1) > 1).mean())


def _canary(
    problem: Problem, rows: pd.DataFrame, features: list[str], declared: Canary
) -> pd.DataFrame:
    """Return one row with what is declared; other features are missing."""
    row = rows.iloc[[0]].copy()
    for name in features:
        is_number = problem.spec.gold.features[name].kind == "numeric"
        value = declared.row.get(name, np.nan if is_number else None)
        row[name] = pd.Series([value], index=row.index, dtype=_dtype(rows[name]))
    return row


def _disturbed(column: pd.Series, how: How, order: Any) -> pd.Series:
    is_number = is_numeric_dtype(column) and not is_bool_dtype(column)
    values: Any = np.nan if is_number else None
    if how == "permuted":
        values = column.to_numpy()[order]
    elif how == "out_of_range":
        values = _far(column.to_numpy(np.float64)) if is_number else UNKNOWN
    disturbed: pd.Series = pd.Series(values, index=column.index, dtype=_dtype(column))
    return disturbed


def _far(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    if not len(known):
        return FAR
    return float(known.max()) + FAR * (float(np.ptp(known)) or 1.0)


def _dtype(column: pd.Series) -> Any:
    """Return a dtype that holds what the column does, with gaps."""
    if is_bool_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype):
        return object
    return np.float64 if is_numeric_dtype(column) else column.dtype


def _ask_all(problem: Problem, model: Any, frames: list[pd.DataFrame]) -> list[Answers | None]:
    """Return what a model says to each frame, None where it refuses; asked at once if it can be."""
    together = _ask(problem, model, pd.concat(frames))
    if together is not None and len(together) == sum(map(len, frames)):
        return [*np.split(together, len(frames))]
    return [_ask(problem, model, frame) for frame in frames]


def _ask(problem: Problem, model: Any, frame: pd.DataFrame) -> Answers | None:
    try:
        with threads_limited(1):  # as for all other answers
            return problem.ask(model, frame)
    except Exception:  # however a model refuses, it does
        return None


def _outcome(
    problem: Problem, answers: Answers | None, rows: pd.DataFrame
) -> tuple[Outcome, float | None]:
    if answers is None:
        return "refused", None
    try:
        problem.check(answers, len(rows), "the model")
    except EvidenceError:
        return "impossible", None
    return "answered", float(problem.losses(answers, rows).mean())


def _spread(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    if len(rows) <= most:
        return rows
    return rows.iloc[np.linspace(0, len(rows) - 1, most).astype(int)]
