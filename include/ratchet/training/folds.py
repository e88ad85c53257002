"""Earlier holdouts inside the training rows, each with what was known before it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import pandas as pd

from ratchet.problems import Problem
from ratchet.training.splitting import is_past


class Fold(NamedTuple):
    """Rows decided from `start` to `end` (aware), and the rows whose labels were known at `start`.

    `past` is sorted by the moment of the decision.
    """

    start: datetime
    end: datetime
    past: pd.DataFrame
    rows: pd.DataFrame


def earlier_folds(
    problem: Problem, train: pd.DataFrame, cut: datetime, count: int, most_rows: int
) -> Iterator[Fold]:
    """Yield so many folds, the earliest first.

    Each is as long as the holdout, and ends where the next one begins; the last one ends at the
    cut. Only labels known at a fold's beginning are its past. A fold is left out where nothing can
    be learned before it, or measured in it.

    Parameters
    ----------
    train
        The rows that a candidate is fitted on: nothing of the holdout is among them.
    cut
        Where the holdout begins (aware).
    most_rows
        Of a fold's past, the last ones.
    """
    spec = problem.spec
    gold, length = spec.gold, timedelta(days=spec.training.holdout_days)
    decided = train[gold.decided_at]
    for back in range(count, 0, -1):
        start, end = cut - back * length, cut - (back - 1) * length
        begin, until = start.replace(tzinfo=None), end.replace(tzinfo=None)
        known = train[is_past(train, spec, start)]
        past = known.sort_values(gold.decided_at, kind="stable").tail(most_rows)
        rows = train[(decided >= begin) & (decided < until)]
        if past.empty or rows.empty:
            continue
        if (
            problem.why_untrainable(past[gold.label])
            or problem.why_unmeasurable(rows[gold.label])
            or past[list(gold.features)].isna().all().any()
        ):
            continue
        yield Fold(start, end, past, rows)
