"""Can a classifier tell a window's rows from those of training? Drift of columns together."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ratchet.statistics import UNUSUAL, clustered_means, roc_auc_contributions, sum_by_cluster

MIN_DAYS = 4
"""Of fewer days, hours are the clusters: two days to learn from and two to be judged on."""

_FOLDS = 2


class Told(NamedTuple):
    """How well two sets of rows are told apart on days that were not learned from.

    `auc` is .5 if they are alike. `limit` is how much more it is in one of a thousand cases in
    which they are, and `p_value` the chance of so much. `clusters` are those of the smaller side.
    """

    auc: float
    limit: float
    p_value: float
    clusters: int


def tell_apart(
    reference: pd.DataFrame, current: pd.DataFrame, moment: str, seed: int
) -> Told | None:
    """Learn on half of the days to tell current rows from reference rows; measure on the other.

    Rows of a day resemble each other, so that on its own days a classifier always finds something.
    Each half is judged by what was learned on the other, so that both err together: the error of
    their mean is taken to be that of a half. Days are the clusters of it, and their number on the
    smaller side, less one for each half, are the degrees of freedom of Student's law.

    Parameters
    ----------
    reference, current
        The same columns: features, numbers as double and all others as text, and the moment.
    moment
        Column with each row's moment.

    Returns
    -------
    Told or None
        None where a side has under four clusters.

    References
    ----------
    Lopez-Paz and Oquab (2017), *Revisiting Classifier Two-Sample Tests*. Obuchowski (1997),
    *Nonparametric Analysis of Clustered ROC Curve Data*, Biometrics 53, for the error.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    rows = pd.concat([reference, current], ignore_index=True)
    is_current = np.arange(len(rows)) >= len(reference)
    clusters = _clusters(rows[moment], is_current)
    rng = np.random.default_rng(seed)
    fold = np.empty(len(rows), np.intp)
    smallest = math.inf
    for side in (is_current, ~is_current):
        found, cluster = np.unique(clusters[side], return_inverse=True)
        smallest = min(smallest, len(found))
        fold[side] = (rng.permutation(len(found)) % _FOLDS)[cluster]
    if smallest < MIN_DAYS:
        return None
    features = _encode(rows.drop(columns=moment), reference)
    values = np.empty(len(rows))
    for part in range(_FOLDS):
        judged = fold == part
        model = HistGradientBoostingClassifier(
            max_iter=30,
            max_leaf_nodes=8,
            min_samples_leaf=50,
            early_stopping=False,
            random_state=seed,
        )
        with threadpool_limits(1):
            model.fit(features[~judged], is_current[~judged])
            scores = model.predict_proba(features[judged])[:, 1]
        values[judged] = roc_auc_contributions(is_current[judged], scores)
    # the same day of both sides would be one cluster, though each side has its own rows of it
    names = 2 * clusters + is_current
    means = clustered_means(sum_by_cluster(values, names), confidence=0.95)
    auc = float(means.estimate)
    error = float(means.standard_error) * math.sqrt(_FOLDS)
    degrees = int(smallest) - _FOLDS
    if not error:  # told apart without fail, or not at all
        return Told(auc, 0.0, float(auc <= 0.5), int(smallest))
    return Told(
        auc=auc,
        limit=-float(special.stdtrit(degrees, UNUSUAL)) * error,
        p_value=float(special.stdtr(degrees, (0.5 - auc) / error)),
        clusters=int(smallest),
    )


def _clusters(moments: pd.Series, is_current: NDArray[np.bool_]) -> NDArray[np.int64]:
    hours = moments.to_numpy("datetime64[h]").astype(np.int64)
    days = hours // 24
    smallest = min(len(np.unique(days[side])) for side in (is_current, ~is_current))
    return days if smallest >= MIN_DAYS else hours


def _encode(rows: pd.DataFrame, reference: pd.DataFrame) -> NDArray[np.float64]:
    """Return numbers: levels by how frequent they are in the reference, those without any at -1."""
    columns = []
    for name, column in rows.items():
        if column.dtype.kind == "f":
            values = column.to_numpy(np.float64)
            columns.append(np.where(np.isfinite(values), values, np.nan))
        else:
            levels = reference[name].value_counts()
            ranked = sorted(levels.index, key=lambda level: (-levels[level], level))
            place = {level: at for at, level in enumerate(ranked)}
            codes = column.map(place).to_numpy(np.float64)
            columns.append(np.where(np.isnan(codes) & column.notna().to_numpy(), -1.0, codes))
    return np.column_stack(columns)
