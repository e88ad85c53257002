"""What a candidate's holdout says of its answers: the reference for estimates without labels."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd

from ratchet.problems import Columns, Expectations, Problem, learn_expectations


def expect_from_holdout(
    problem: Problem, holdout: pd.DataFrame, decisions: Columns, end: datetime
) -> Expectations | None:
    """Learn from the holdout what may be expected of later answers.

    Only rows that were `monitoring.label_wait_days` old at the end count, by labels known at that
    age: of younger ones those labels are known that come early, and these are not like the others.

    Parameters
    ----------
    holdout
        Labelled rows, and of each what `decisions` say.
    end
        Of the holdout; aware.

    Returns
    -------
    Expectations or None
        See `ratchet.problems.learn_expectations`.
    """
    gold, days = problem.spec.gold, problem.spec.monitoring.label_wait_days
    decided_at, age = holdout[gold.decided_at], timedelta(days=days)
    last = end.replace(tzinfo=None) - age
    is_mature = (decided_at <= last) & (holdout[gold.label_known_at] <= decided_at + age)
    stored = pd.DataFrame(
        {
            **decisions,
            "label": holdout[gold.label].to_numpy(),
            "day": decided_at.to_numpy("datetime64[D]"),
        }
    )
    return learn_expectations(problem, stored[is_mature.to_numpy()], days)
