"""What a model's answers rest on as a whole: permutation importance and partial dependence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.errors import EvidenceError
from ratchet.explanations.associations import group_features
from ratchet.explanations.contributions import typical
from ratchet.explanations.record import Bin, Explanations, Importance, Reliability, told_once
from ratchet.problems import Answers, Problem
from ratchet.statistics import clustered_means, sum_by_cluster

Array = NDArray[np.float64]

_ROWS = 3_000  # of the holdout: days differ more than a larger sample would tell
_REPEATS = 2  # permutations of each feature: a third would narrow intervals by 1 to 5 %
_AT_ONCE = 8  # groups of features whose rows are answered in one go, in some 50 MB
_CONFIDENCE = 0.95
_MIN_ASSOCIATION = 0.7  # half of what one tells, the other does: 0.7 squared
_DEPENDENCE_ROWS = 500  # answered anew for every bin
_DEPENDENCE_FEATURES = 6  # what fits on a page
_BINS = 10


def explain(
    problem: Problem, model: Any, train: pd.DataFrame, holdout: pd.DataFrame
) -> Explanations:
    """Measure what a model's answers rest on, on a seeded sample of the holdout.

    Importance is what the same decisions cost more if a feature's values are dealt out anew among
    the rows, paired row by row. Of features that tell the same, each alone seems to matter little,
    as the model reads the others; so they are dealt out together as well.

    Partial dependence sets one feature to a typical value of each of its bins, and averages the
    answers. It also asks about rows that can't be, where the feature goes with others; the share of
    rows in each bin says how much rests on it.

    Parameters
    ----------
    train
        Rows that the model was fitted to, for what is typical.
    holdout
        Rows with labels that it was not fitted to.

    Raises
    ------
    EvidenceError
        If an answer is none, or all sampled rows are of one day.

    References
    ----------
    Fisher, Rudin and Dominici, *All models are wrong, but many are useful* (2019), for the
    importance. Friedman, *Greedy function approximation* (2001), section 8.2, for the dependence.
    """
    spec = problem.spec
    features = list(spec.gold.features)
    numeric = [name for name, feature in spec.gold.features.items() if feature.kind == "numeric"]
    rows = _sample(problem, holdout)
    groups = group_features(rows[features], numeric, _MIN_ASSOCIATION)
    single: list[tuple[str, ...]] = [(name,) for name in features]
    importance = _importance(problem, model, rows, [*groups, *single])
    importance.sort(key=lambda each: -each.cost_increase)
    few = rows.iloc[:_DEPENDENCE_ROWS]
    return Explanations(
        rows=len(rows),
        dependence_rows=len(few),
        repeats=_REPEATS,
        confidence=_CONFIDENCE,
        min_association=_MIN_ASSOCIATION,
        importance=tuple(importance),
        dependence={
            name: _dependence(problem, model, rows, few, name, name in numeric)
            for name in _leading(importance)
        },
        reliability=_reliability(problem, problem.answer(model, holdout, features), holdout),
        reference=typical(train[features], numeric),
    )


def _leading(importance: Sequence[Importance]) -> list[str]:
    """Return what matters most: of features that tell the same, the one that matters most alone."""
    alone = {each.features[0]: each for each in importance if len(each.features) == 1}
    return [
        max(each.features, key=lambda name: alone[name].cost_increase)
        for each in told_once(importance)[:_DEPENDENCE_FEATURES]
    ]


def _sample(problem: Problem, rows: pd.DataFrame) -> pd.DataFrame:
    """Draw rows; those that are decided on together stay together."""
    together = list(problem.spec.costs.read_columns)
    numbers = (
        rows.groupby(together, dropna=False, sort=False).ngroup().to_numpy()
        if together
        else np.arange(len(rows))
    )
    sizes = np.bincount(numbers)
    order = np.random.default_rng(problem.spec.training.seed).permutation(len(sizes))
    chosen = order[np.cumsum(sizes[order]) <= max(_ROWS, sizes[order[0]])]
    found = rows.iloc[np.flatnonzero(np.isin(numbers, chosen))]
    return found.sample(frac=1, random_state=problem.spec.training.seed)


def _importance(
    problem: Problem, model: Any, rows: pd.DataFrame, groups: Sequence[tuple[str, ...]]
) -> list[Importance]:
    gold = problem.spec.gold
    features, count = list(gold.features), len(rows)
    rng = np.random.default_rng(problem.spec.training.seed)
    dealt = np.concatenate([rng.permutation(count) for _ in range(_REPEATS)])
    days = rows[gold.decided_at].to_numpy("datetime64[D]")
    losses = problem.losses(problem.answer(model, rows, features), rows)
    found = []
    for start in range(0, len(groups), _AT_ONCE):
        some = groups[start : start + _AT_ONCE]
        answers = problem.answer(model, _permuted(rows[features], some, dealt), features)
        for group, of_group in zip(some, np.split(answers, len(some)), strict=True):
            more = [problem.losses(part, rows) - losses for part in np.split(of_group, _REPEATS)]
            means = clustered_means(sum_by_cluster(np.mean(more, axis=0), days), _CONFIDENCE)
            if not np.isfinite(means.low):
                raise EvidenceError(
                    f"{problem.spec.name}: all {count:,} rows that explain the model are of one "
                    "day; raise training.holdout_days"
                )
            estimate, low, high = (float(x) for x in (means.estimate, means.low, means.high))
            found.append(Importance(features=group, cost_increase=estimate, low=low, high=high))
    return found


def _permuted(
    rows: pd.DataFrame, groups: Sequence[tuple[str, ...]], dealt: NDArray[np.int64]
) -> pd.DataFrame:
    """Return the rows as often as they are dealt out, for each group of features in turn."""
    own = np.tile(np.arange(len(rows)), len(dealt) // len(rows))
    return pd.DataFrame(
        {
            name: rows[name].array.take(
                np.concatenate([dealt if name in group else own for group in groups])
            )
            for name in rows.columns
        }
    )


def _dependence(
    problem: Problem, model: Any, rows: pd.DataFrame, few: pd.DataFrame, name: str, is_number: bool
) -> tuple[Bin, ...]:
    features, column = list(problem.spec.gold.features), rows[name]
    bins = _bins(column) if is_number else _levels(column)
    values = [value for value, _ in bins]
    asked = pd.concat([few[features]] * len(bins), ignore_index=True)
    asked[name] = pd.Series(np.repeat(np.array(values, object), len(few))).astype(column.dtype)
    answers = problem.answer(model, asked, features).reshape(len(bins), len(few), -1)
    return tuple(
        Bin(
            value=float(value) if is_number and value is not None else _text(value),
            share=share,
            answers=_mean(problem, answers[number]),
        )
        for number, (value, share) in enumerate(bins)
    )


def _bins(column: pd.Series) -> list[tuple[Any, float]]:
    """Return the median of each quantile bin, with its share of all rows; then what is missing."""
    values = column.to_numpy(np.float64)
    known = np.sort(values[~np.isnan(values)])
    inner = np.linspace(0, 1, _BINS + 1)[1:-1]
    edges = np.unique(np.quantile(known, inner)) if len(known) else np.empty(0)
    numbers = np.searchsorted(edges, known, side="left")
    found: list[tuple[Any, float]] = [
        (float(np.quantile(part, 0.5, method="lower")), len(part) / len(values))
        for number in range(len(edges) + 1)
        if len(part := known[numbers == number])
    ]
    missing = len(values) - len(known)
    return found + ([(None, missing / len(values))] if missing else [])


def _reliability(problem: Problem, answers: Answers, rows: pd.DataFrame) -> tuple[Reliability, ...]:
    found = problem.probabilities(answers, rows[problem.spec.gold.label])
    if found is None:
        return ()
    said, occurred = (np.asarray(each, np.float64) for each in found)
    edges = np.unique(np.quantile(said, np.linspace(0, 1, _BINS + 1)[1:-1]))
    _, cells = np.unique(np.searchsorted(edges, said, side="right"), return_inverse=True)
    days = rows[problem.spec.gold.decided_at].to_numpy("datetime64[D]")
    means = clustered_means(sum_by_cluster(occurred, days, cells), _CONFIDENCE)
    counts = np.bincount(cells)
    told = np.bincount(cells, said) / counts
    return tuple(
        Reliability(
            rows=int(counts[cell]),
            said=float(told[cell]),
            occurred=float(means.estimate[cell]),
            low=_known(means.low[cell]),
            high=_known(means.high[cell]),
        )
        for cell in range(len(counts))
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _levels(column: pd.Series) -> list[tuple[Any, float]]:
    """Return the most frequent levels with their share of all rows; None for what is missing."""
    counts = column.value_counts().head(_BINS)
    found: list[tuple[Any, float]] = [
        (level, int(count) / len(column)) for level, count in counts.items()
    ]
    missing = int(column.isna().sum())
    return found + ([(None, missing / len(column))] if missing else [])


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _mean(problem: Problem, answers: Answers) -> dict[str, float]:
    """Average answers, shape (n_rows, n_numbers), by class; of segments, return the shares."""
    if answers.dtype == object:
        segments, counts = np.unique(answers.astype(str), return_counts=True)
        return {str(s): int(c) / len(answers) for s, c in zip(segments, counts, strict=True)}
    names = getattr(problem.spec.costs, "classes", (problem.spec.gold.label,))
    return dict(zip(names, answers.mean(axis=0).tolist(), strict=True))
