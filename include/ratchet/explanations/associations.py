"""Which features tell the same, so that permuting one of them alone shows too little."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

Array = NDArray[np.float64]


def group_features(
    frame: pd.DataFrame, numeric: Collection[str], at_least: float
) -> list[tuple[str, ...]]:
    """Return the groups of two or more features of which each pair is associated.

    Parameters
    ----------
    numeric
        Features whose size matters; all others are categories. What is missing is a category of
        its own, and the smallest of numbers.
    at_least
        Association in [0, 1] from which two features belong together: Spearman's correlation
        without its sign between numbers, Cramér's V between categories, and between one of each
        the correlation ratio of ranks.

    Returns
    -------
    list of tuple
        Names in the frame's order; groups by complete linkage, so that within one all pairs are
        at least so much associated.

    References
    ----------
    Strobl et al., *Conditional variable importance for random forests* (2008), for what goes wrong
    without. Cramér, *Mathematical Methods of Statistics* (1946), 21.9, for V.
    """
    names = list(frame.columns)
    if len(names) < 2:
        return []
    ranks = {n: _ranks(frame[n]) for n in names if n in numeric}
    codes = {n: pd.factorize(frame[n], use_na_sentinel=False)[0] for n in names if n not in numeric}
    distances = np.zeros((len(names), len(names)))
    for i, one in enumerate(names):
        for j, other in enumerate(names[:i]):
            distances[i, j] = distances[j, i] = 1 - _association(one, other, ranks, codes)
    numbers = fcluster(linkage(squareform(distances), "complete"), 1 - at_least, "distance")
    groups: dict[int, list[str]] = {}
    for name, number in zip(names, numbers.tolist(), strict=True):
        groups.setdefault(number, []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _ranks(column: pd.Series) -> Array:
    values = column.to_numpy(np.float64)
    ranks = rankdata(np.where(np.isnan(values), -np.inf, values))
    return np.asarray(ranks - ranks.mean(), np.float64)


def _association(
    one: str, other: str, ranks: dict[str, Array], codes: dict[str, NDArray[np.intp]]
) -> float:
    if one in ranks and other in ranks:
        x, y = ranks[one], ranks[other]
        return _share(abs(float(x @ y)), float(np.sqrt((x @ x) * (y @ y))))
    if one in codes and other in codes:
        return _cramers_v(codes[one], codes[other])
    x, groups = (ranks[one], codes[other]) if one in ranks else (ranks[other], codes[one])
    counts = np.bincount(groups)
    between = np.bincount(groups, x) ** 2 / counts
    return float(np.sqrt(_share(float(between.sum()), float(x @ x))))


def _cramers_v(one: NDArray[np.intp], other: NDArray[np.intp]) -> float:
    table = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(table, (one, other), 1)
    if min(table.shape) < 2:
        return 0.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / len(one)
    chi_squared = float(((table - expected) ** 2 / expected).sum())
    return float(np.sqrt(chi_squared / (len(one) * (min(table.shape) - 1))))


def _share(part: float, whole: float) -> float:
    """Return a ratio; 0 where a feature is constant, as it tells nothing."""
    return min(part / whole, 1.0) if whole else 0.0
