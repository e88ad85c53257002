"""How far today's data lies from the data that the champion was trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, FiniteFloat

from ratchet.spec import Spec
from ratchet.spec.types import Monitoring

SMALLEST_SHARE = 1e-4  # an empty bin counts as one row in ten thousand: its logarithm is infinite

Kind = Literal["numeric", "categorical", "prediction"]
State = Literal["ok", "drift", "insufficient_data"]


class Drift(BaseModel):
    """One feature, or the prediction, against the champion's training data.

    `psi` is 0 for equal distributions and has no upper bound; `missing_change` is the share of
    missing values now less that in training, in [-1, 1]. Both are None below the spec's
    `monitoring.min_rows`, where chance alone moves them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind
    state: State
    rows: int
    psi: FiniteFloat | None
    missing_change: FiniteFloat | None


def psi(expected: Sequence[float], actual: Sequence[float]) -> float:
    """Return the population stability index of two binned distributions.

    Parameters
    ----------
    expected, actual
        Shares per bin, in [0, 1], in the same order; each sums to 1.

    Returns
    -------
    float
        0 for equal shares, growing without bound. By custom, under .1 is no shift worth a look
        and from .25 on a large one.

    Raises
    ------
    ValueError
        If the bins do not correspond, or shares do not sum to 1.

    References
    ----------
    Siddiqi, *Credit Risk Scorecards* (2006), chapter 8. It is the symmetric Kullback-Leibler
    divergence of Jeffreys (1946).

    Examples
    --------
    >>> round(psi([0.5, 0.5], [0.25, 0.75]), 4)
    0.2747
    """
    for shares in (expected, actual):
        if not math.isclose(sum(shares), 1, abs_tol=1e-6):
            raise ValueError(f"shares must sum to 1, these sum to {sum(shares)}: {shares}")
    floored = (
        (max(e, SMALLEST_SHARE), max(a, SMALLEST_SHARE))
        for e, a in zip(expected, actual, strict=True)
    )
    return math.fsum((a - e) * math.log(a / e) for e, a in floored)


def compare(
    profile: dict[str, Any], features: pd.DataFrame, predictions: pd.Series, spec: Spec
) -> list[Drift]:
    """Compare a window's features and predictions with the champion's training.

    Missing values are a bin of their own, and so are the levels that training had not seen.

    Parameters
    ----------
    profile
        What `ratchet.training.build_profile` made of the champion's training data.
    features
        The window's rows, with the spec's features.
    predictions
        What is watched of the champion's answers in the window; see `Costs.watched`.

    Returns
    -------
    list
        One `Drift` per feature, in the spec's order, and one named `prediction`.
    """
    monitoring = spec.monitoring
    drifts = [
        _drift(name, feature.kind, profile["features"][name], features[name], monitoring)
        for name, feature in spec.gold.features.items()
    ]
    prediction = profile["predictions"]
    return [*drifts, _drift("prediction", "prediction", prediction, predictions, monitoring)]


def _drift(
    name: str, kind: Kind, expected: dict[str, Any], column: pd.Series, monitoring: Monitoring
) -> Drift:
    rows, missing = len(column), int(column.isna().sum())
    if rows < monitoring.min_rows:
        return Drift(
            name=name,
            kind=kind,
            state="insufficient_data",
            rows=rows,
            psi=None,
            missing_change=None,
        )
    count = _categorical_counts if expected["kind"] == "categorical" else _numeric_counts
    before, now = count(expected, column.dropna())
    found = psi(
        [n / expected["rows"] for n in (*before, expected["missing"])],
        [n / rows for n in (*now, missing)],
    )
    return Drift(
        name=name,
        kind=kind,
        state="drift" if found >= monitoring.max_psi else "ok",
        rows=rows,
        psi=found,
        missing_change=missing / rows - expected["missing"] / expected["rows"],
    )


def _numeric_counts(expected: dict[str, Any], values: pd.Series) -> tuple[list[int], list[int]]:
    bins = np.searchsorted(expected["edges"], values.to_numpy(float), side="right")
    return expected["counts"], np.bincount(bins, minlength=len(expected["counts"])).tolist()


def _categorical_counts(expected: dict[str, Any], values: pd.Series) -> tuple[list[int], list[int]]:
    before: dict[str, int] = expected["counts"]
    now = values.astype(str).value_counts()
    known = [int(now.get(level, 0)) for level in before]
    return [*before.values(), 0], [*known, int(now.sum()) - sum(known)]
