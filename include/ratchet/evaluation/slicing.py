"""In which parts of the data a candidate costs more, and how groups fare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.evaluation.evidence import SHOWN, Group, Rate, Slices, column_name
from ratchet.problems import Answers, Problem
from ratchet.spec import Spec
from ratchet.spec.types import Guard
from ratchet.statistics import (
    Levels,
    SliceDifference,
    SliceMean,
    compare_by_cluster,
    compare_slices,
    estimate_slices,
)

Losses = NDArray[np.float64]
Days = NDArray[np.datetime64]

MIN_DAYS = 5
"""On fewer days the error of a slice is a guess."""
CONFIDENCE = 0.95
MISSING = "missing"


def measure_slices(
    problem: Problem,
    rows: pd.DataFrame,
    answers: Answers,
    differences: Losses,
    days: Days,
    rival: str,
) -> Slices:
    """Compare a candidate with its rival on the declared slices, and search all others.

    On the declared ones its leading metric is measured as well, where it is a mean over rows:
    answers that mean nothing may cost little, or less than a rival that is bad everywhere.

    Parameters
    ----------
    differences
        What each row costs, less what it costs under the rival.
    rival
        Name of that.
    """
    spec = problem.spec
    guard = spec.evaluation.slices
    levels = {name: levels_of(rows[name], spec) for name in spec.gold.features}
    others = (columns for columns in _nameable(spec) if columns not in guard.columns)
    declared = _compare(differences, days, levels, guard.columns, guard)
    found = _compare(differences, days, levels, others, guard)
    return Slices(
        rival=rival,
        declared=tuple(declared),
        found=tuple(found[:SHOWN]),
        searched=len(found),
        metrics=tuple(_metrics(problem, rows, answers, days, levels)),
    )


def _metrics(
    problem: Problem,
    rows: pd.DataFrame,
    answers: Answers,
    days: Days,
    levels: Mapping[str, Levels],
) -> list[SliceMean]:
    """Measure the leading metric on each level of the declared slices, the worst first."""
    guard, labels = problem.spec.evaluation.slices, rows[problem.spec.gold.label]
    found: list[SliceMean] = []
    for columns in guard.columns:
        names, codes = _cross(levels, columns)
        values = np.full(len(rows), np.nan)
        for code in range(len(names)):
            inside = codes == code
            contributions = problem.contributions(answers[inside], labels[inside])
            if contributions is not None:
                values[inside] = contributions
        is_measured = np.isfinite(values)
        if is_measured.any():
            found += estimate_slices(
                values[is_measured],
                days[is_measured],
                {column_name(columns): Levels(names, codes[is_measured])},
                min_rows=guard.min_rows,
                min_clusters=MIN_DAYS,
            )
    sign = 1 if problem.spec.costs.leading[1].is_higher_better else -1
    return sorted(found, key=lambda each: sign * each.shrunken)


def measure_groups(
    problem: Problem, rows: pd.DataFrame, answers: Answers, differences: Losses, days: Days
) -> dict[str, Group]:
    """Say how the declared groups fare, each against all others and against the best baseline.

    Parameters
    ----------
    differences
        What each row costs, less what it costs under the best baseline.
    """
    spec = problem.spec
    guard = spec.evaluation.fairness
    if guard is None:
        return {}
    quantities = {
        "cost_per_unit": problem.losses(answers, rows),
        **problem.fortunes(answers, rows),
    }
    levels = {name: levels_of(rows[name], spec) for columns in guard.columns for name in columns}
    crossed = {column_name(columns): _cross(levels, columns) for columns in guard.columns}
    groups = {}
    for each in _compare(differences, days, levels, guard.columns, guard):
        names, codes = crossed[each.column]
        inside = names[codes] == each.level
        rates = {name: _rate(values, inside, days) for name, values in quantities.items()}
        groups[f"{each.column}={each.level}"] = Group(
            rates={name: rate for name, rate in rates.items() if rate}, against_baseline=each
        )
    return groups


def levels_of(column: pd.Series, spec: Spec) -> Levels:
    """Return the level of each row: as it is, or the quantile bin that a number is in."""
    if spec.gold.features[str(column.name)].kind == "categorical":
        return Levels.of(column.astype(object).where(column.notna(), MISSING).to_numpy())
    values = column.to_numpy(np.float64)
    known = values[~np.isnan(values)]
    steps = np.arange(1, spec.evaluation.bins) / spec.evaluation.bins
    edges = np.unique(np.quantile(known, steps)) if len(known) else np.empty(0)
    # a bin that nothing is in has no name: of a column that is mostly 0, the lowest edge is one
    told = _told_apart(edges)
    names = [
        *(f"to {edge}" for edge in told),
        f"above {told[-1]}" if told else "all",
        MISSING,
    ]
    bins = np.searchsorted(edges, values, side="left").clip(max=len(edges))
    return Levels(np.array(names), np.where(np.isnan(values), len(names) - 1, bins))


def _told_apart(edges: NDArray[np.float64]) -> list[str]:
    """Write numbers that differ with as few digits as tell them apart, four or more."""
    for digits in range(4, 18):  # 17 tell any two of them apart
        told = [f"{edge:.{digits}g}" for edge in edges.tolist()]
        if len(set(told)) == len(told):
            break
    return told


def _nameable(spec: Spec) -> Iterator[tuple[str, ...]]:
    """Yield features, and pairs of which one is categorical: what people have a name for."""
    features = spec.gold.features
    yield from ((name,) for name in features)
    for pair in combinations(features, 2):
        if "categorical" in {features[name].kind for name in pair}:
            yield pair


def _compare(
    differences: Losses,
    days: Days,
    levels: Mapping[str, Levels],
    keys: Iterable[tuple[str, ...]],
    guard: Guard,
) -> list[SliceDifference]:
    return compare_slices(
        differences,
        days,
        {column_name(columns): _cross(levels, columns) for columns in keys},
        margin=guard.max_regret_per_unit,
        min_rows=guard.min_rows,
        min_clusters=MIN_DAYS,
    )


def _cross(levels: Mapping[str, Levels], columns: tuple[str, ...]) -> Levels:
    first, *others = (levels[name] for name in columns)
    return reduce(Levels.cross, others, first)


def _rate(values: Losses, inside: NDArray[np.bool_], days: Days) -> Rate | None:
    """Compare a group's mean with all others'; None where one of them has no row that counts."""
    counts = np.isfinite(values)
    n_in, n_out = int((counts & inside).sum()), int((counts & ~inside).sum())
    if not n_in or not n_out or len(np.unique(days[counts])) < 2:
        return None
    value, inside, days = values[counts], inside[counts], days[counts]
    mean_in, mean_out = float(value[inside].mean()), float(value[~inside].mean())
    # each row's share in the difference of the two means, so that days are the clusters of both
    shares = np.where(inside, (value - mean_in) / n_in, -(value - mean_out) / n_out) * len(value)
    found = compare_by_cluster(shares, days, margin=0.0, confidence=CONFIDENCE)
    difference = mean_in - mean_out
    return Rate(
        value=mean_in,
        difference=difference,
        low=difference + found.low,
        high=difference + found.high,
    )
