"""What the training data looked like: the reference that drift is measured against."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from ratchet.spec import Spec


def build_profile(frame: pd.DataFrame, predictions: pd.Series, spec: Spec) -> dict[str, Any]:
    """Summarise training rows and predictions in a few kilobytes of JSON.

    Parameters
    ----------
    frame
        The rows that a model was trained on, with the spec's features.
    predictions
        What is watched of the model's answers on rows that it was not trained on; see
        `Costs.watched`.

    Returns
    -------
    dict
        `rows`; `features`, a description by name; and `predictions`, one description. A numeric
        description has ascending inner `edges` and `counts` of the `len(edges) + 1` bins that they
        make, the i-th being edges[i - 1] <= x < edges[i] (as in `numpy.searchsorted(edges, x,
        side="right")`); edges are quantiles, `monitoring.bins` bins of them or fewer where values
        repeat. A categorical description has `counts` by level, the level as text. Both have
        `kind`, `rows`, which includes missing ones, and `missing`.
    """
    bins = spec.monitoring.bins
    return {
        "rows": len(frame),
        "features": {
            name: _numeric(frame[name], bins)
            if feature.kind == "numeric"
            else _categorical(frame[name])
            for name, feature in spec.gold.features.items()
        },
        "predictions": _numeric(predictions, bins)
        if is_numeric_dtype(predictions)
        else _categorical(predictions),
    }


def _numeric(column: pd.Series, bins: int) -> dict[str, Any]:
    values = column.dropna().to_numpy(float)
    quantiles = np.linspace(0, 1, bins + 1)[1:-1]
    edges = np.unique(np.quantile(values, quantiles)) if len(values) else np.empty(0)
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return {
        "kind": "numeric",
        "rows": len(column),
        "missing": len(column) - len(values),
        "edges": edges.tolist(),
        "counts": counts.tolist(),
    }


def _categorical(column: pd.Series) -> dict[str, Any]:
    values = column.dropna()
    counts = values.astype(str).value_counts().sort_index()
    return {
        "kind": "categorical",
        "rows": len(column),
        "missing": len(column) - len(values),
        "counts": {level: int(count) for level, count in counts.items()},
    }
