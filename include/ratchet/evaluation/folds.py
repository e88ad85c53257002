"""Walking forward: how the same estimator would have done at earlier times."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd

from ratchet.evaluation.evidence import Fold
from ratchet.evaluation.metrics import measure
from ratchet.problems import Problem, fitted
from ratchet.training import sample_weights


def walk_forward(
    problem: Problem, train: pd.DataFrame, cut: datetime, estimator: str
) -> list[Fold]:
    """Fit an estimator on what was known at earlier moments, and measure it on what came next.

    Each fold is as long as the holdout, and ends where the next one begins; the last one ends at
    the cut. Only labels known at a fold's beginning are learned from, at most
    `evaluation.fold_rows` of them, the last ones; baselines learn from the same. A fold is left out
    where nothing can be learned before it, or measured in it.

    Parameters
    ----------
    train
        The rows that the candidate was fitted on.
    cut
        Where the holdout begins (aware).
    """
    spec = problem.spec
    gold, length = spec.gold, timedelta(days=spec.training.holdout_days)
    decided, known = train[gold.decided_at], train[gold.label_known_at]
    found = []
    for back in range(spec.evaluation.folds, 0, -1):
        start, end = cut - back * length, cut - (back - 1) * length
        begin, until = start.replace(tzinfo=None), end.replace(tzinfo=None)
        past = train[known <= begin].sort_values(gold.decided_at, kind="stable")
        past = past.tail(spec.evaluation.fold_rows)
        rows = train[(decided >= begin) & (decided < until)]
        if past.empty or rows.empty:
            continue
        labels, features = past[gold.label], past[list(gold.features)]
        if (
            problem.why_untrainable(labels)
            or problem.why_unmeasurable(rows[gold.label])
            or features.isna().all().any()
        ):
            continue
        where = f"{spec.name}: training.estimators.{estimator}, at {start:%Y-%m-%d}"
        weights = sample_weights(spec, past, start)
        target = problem.target(labels)
        model = fitted(problem.estimator(estimator), features, target, weights, where)
        quality, _ = measure(problem, problem.answer(model, rows), rows, where)
        cheapest = min(
            measure(problem, answers, rows, name)[0].cost_per_unit
            for name, answers in problem.baselines(train, past, rows).items()
        )
        found.append(
            Fold(
                start=start,
                end=end,
                train_rows=len(past),
                quality=quality,
                saving=cheapest - quality.cost_per_unit,
            )
        )
    return found
