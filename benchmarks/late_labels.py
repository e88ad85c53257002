"""How far estimates without labels lie from what labels say, on the flights of 2013, weekly.

Builds the year from bronze to gold once, or reads the labelled decisions of `--snapshot`. Two
champions answer each week from March on: one of January and February that is kept, and one that is
fitted anew each week on all that was known. Prints a row for each week and champion, and then how
many weeks raise the alarm and how many lie in the estimate's interval. The whole year takes some
three CPU-minutes.

    python benchmarks/late_labels.py
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from loop import labelled_year

from ratchet.orchestration.replay import windows
from ratchet.problems import COST, Expectations, Problem, problem_of
from ratchet.statistics import Gap, measure_dispersion, measure_gap
from ratchet.training import split
from ratchet.training.expecting import expect_from_holdout
from ratchet.window import Window


def fit(problem: Problem, rows: pd.DataFrame, end: Window) -> tuple[Any, Expectations]:
    """Fit a champion on what was known at a window's start, and learn what to expect of it."""
    spec = problem.spec
    known = rows[rows[spec.gold.label_known_at] <= end.start.replace(tzinfo=None)]
    parts = split(known, spec, Window(end.start - timedelta(days=7), end.start))
    model = problem.fit("boosting", parts.train, None)
    decisions = problem.decide(problem.answer(model, parts.holdout), parts.holdout)
    expectations = expect_from_holdout(problem, parts.holdout, decisions, end.start)
    assert expectations
    return model, expectations


def judge(
    problem: Problem,
    model: Any,
    expectations: Expectations,
    week: pd.DataFrame,
    past: list[tuple[float, int]],
) -> tuple[float, Gap]:
    """Return the estimated cost of a week and its gap; remember how its days differed."""
    gold = problem.spec.gold
    stored = pd.DataFrame(problem.decide(problem.answer(model, week), week))
    stored["label"] = week[gold.label].to_numpy()
    expected = problem.expect(stored, expectations.learned)[COST]
    surprises = problem.surprises(stored, expectations.learned)[COST]
    weeks = problem.spec.monitoring.estimate.history_days // 7
    gap = measure_gap(surprises, expected, expectations.dispersions[COST].pooled(past[-weeks:]))
    own = measure_dispersion(surprises, expected, week[gold.decided_at].to_numpy("datetime64[D]"))
    past.append((own.design_effect, own.degrees_of_freedom))
    return expected.value, gap


def year(
    problem: Problem, rows: pd.DataFrame, weeks: int | None
) -> Iterator[tuple[str, Window, float, Gap]]:
    """Yield champion, week, estimated cost and gap."""
    spec = problem.spec
    decided = rows[spec.gold.decided_at]
    every = [window for window in windows(spec) if window.start >= spec.schedule.start][:weeks]
    kept = fit(problem, rows, every[0])
    past: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for window in every:
        start, end = (bound.replace(tzinfo=None) for bound in (window.start, window.end))
        week = rows[(decided >= start) & (decided < end)]
        for name, champion in (("kept", kept), ("weekly", fit(problem, rows, window))):
            yield name, window, *judge(problem, *champion, week, past[name])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snapshot", type=Path, help="labelled decisions, instead of a build")
    parser.add_argument("--weeks", type=int, help="only the first")
    arguments = parser.parse_args()
    spec, rows = labelled_year(arguments.snapshot)
    floor = spec.monitoring.estimate.max_gap_per_unit or spec.retraining.max_cost_increase_per_unit
    gaps: dict[str, list[Gap]] = defaultdict(list)
    for name, window, estimated, gap in year(problem_of(spec), rows, arguments.weeks):
        gaps[name].append(gap)
        alarm = "  alarm" if abs(gap.estimate) > max(floor, gap.limit) else ""
        print(
            f"{window} {name}: estimated {estimated:.1f}, realised {estimated + gap.estimate:.1f}, "
            f"limit of the gap {gap.limit:.1f}{alarm}"
        )
    for name, found in gaps.items():
        inside = sum(gap.low <= gap.estimate <= gap.high for gap in found)
        alarms = sum(abs(gap.estimate) > max(floor, gap.limit) for gap in found)
        distance = np.mean([abs(gap.estimate) for gap in found])
        print(
            f"{name}: {inside} of {len(found)} weeks in the interval of 95 %, {alarms} alarms, "
            f"mean distance {distance:.2f}"
        )


if __name__ == "__main__":
    main()
