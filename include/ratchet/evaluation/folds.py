"""Walking forward: how the same estimator would have done at earlier times."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from ratchet.evaluation.evidence import Fold
from ratchet.evaluation.metrics import measure
from ratchet.problems import Problem
from ratchet.training import earlier_folds, sample_weights


def walk_forward(
    problem: Problem, train: pd.DataFrame, cut: datetime, estimator: str
) -> list[Fold]:
    """Fit an estimator on what was known at earlier moments, and measure it on what came next.

    See `ratchet.training.earlier_folds`; there are `evaluation.folds` of them, and models learn
    from at most `evaluation.fold_rows` rows, the last ones. Baselines learn from the same.

    Parameters
    ----------
    train
        The rows that the candidate was fitted on.
    cut
        Where the holdout begins (aware).
    """
    spec, found = problem.spec, []
    declared = spec.evaluation
    for fold in earlier_folds(problem, train, cut, declared.folds, declared.fold_rows):
        note = f", at {fold.start:%Y-%m-%d}"
        weights = sample_weights(spec, fold.past, fold.start)
        model = problem.fit(estimator, fold.past, weights, note)
        answers = problem.answer(model, fold.rows)
        where = f"{spec.name}: training.estimators.{estimator}{note}"
        quality, _ = measure(problem, answers, fold.rows, where)
        cheapest = min(
            measure(problem, answers, fold.rows, name)[0].cost_per_unit
            for name, answers in problem.baselines(train, fold.past, fold.rows).items()
        )
        found.append(
            Fold(
                start=fold.start,
                end=fold.end,
                train_rows=len(fold.past),
                quality=quality,
                saving=cheapest - quality.cost_per_unit,
            )
        )
    return found
