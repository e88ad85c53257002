"""Use cases of each kind of problem, small enough that a hand works out their numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ratchet.spec import Spec

COSTS: dict[str, dict[str, Any]] = {
    "multiclass": {
        # worked out by hand: taking a for c is dear, so c is chosen well before it is likeliest
        "matrix": {
            "a": {"a": 0, "b": 10, "c": 20},
            "b": {"a": 10, "b": 0, "c": 10},
            "c": {"a": 90, "b": 30, "c": 0},
        }
    },
    "regression": {"too_low_per_unit": 3, "too_high_per_unit": 1},
    "ranking": {"group": "query", "per_relevance": 10, "seen": [1.0, 0.5]},
    "segmentation": {"per_distance": 2.0},
}
ESTIMATORS = {
    "binary": {"linear": "logistic_regression", "trees": "hist_gradient_boosting"},
    "multiclass": {"linear": "logistic_regression", "trees": "hist_gradient_boosting"},
    "regression": {"linear": "ridge", "trees": "hist_gradient_boosting"},
    "ranking": {"linear": "ridge", "trees": "hist_gradient_boosting"},
    "segmentation": {"means": "k_means", "mixture": "gaussian_mixture"},
}


@pytest.fixture(scope="session")
def spec_of(spec: Spec) -> Callable[[str], Spec]:
    """Make a use case of a kind, with two features and the entity `route`."""

    def make(kind: str) -> Spec:
        data = spec.model_dump(mode="json")
        if kind != "binary":
            common = {"problem": kind, "unit": "points", "assumption": "Made up."}
            data["costs"] = {**common, **COSTS[kind]}
        data["gold"] |= {
            "label": "label",
            "entity": ["route"],
            "staleness": None,
            "features": {
                "x": {"kind": "numeric", "known_at": "known_at"},
                "color": {"kind": "categorical", "known_at": "known_at"},
            },
        }
        data["rule"]["column"] = "guess"
        data["training"]["estimators"] = {
            name: {"type": kind_} for name, kind_ in ESTIMATORS[kind].items()
        }
        return Spec.model_validate_json(pd.io.json.ujson_dumps(data))

    return make


@pytest.fixture(scope="session")
def rows_of() -> Callable[[str, int], pd.DataFrame]:
    """Make rows of a kind: the label follows x and color, and so does the rule, roughly."""

    def make(kind: str, rows: int = 400) -> pd.DataFrame:
        rng = np.random.default_rng(7)
        x = rng.normal(size=rows)
        color = rng.choice(["red", "blue"], rows)
        signal = 2 * x + np.where(color == "red", 1.0, -1.0)
        decided = pd.Timestamp("2013-01-01") + pd.to_timedelta(np.arange(rows), "h")
        frame = pd.DataFrame(
            {
                "flight_id": [f"{number:05d}" for number in range(rows)],
                "decision_at": decided,
                "label_known_at": decided + pd.Timedelta("6h"),
                "x": np.where(rng.random(rows) < 0.05, np.nan, x),
                "color": color,
                "route": rng.choice(["north", "south"], rows),
                "query": [f"q{number // 4}" for number in range(rows)],
            }
        )
        noisy = signal + rng.normal(size=rows)
        if kind == "binary":
            frame["label"], frame["guess"] = noisy > 0, np.where(x > 0, 0.7, 0.3)
        elif kind in ("regression", "ranking"):
            frame["label"] = np.maximum(noisy, 0) if kind == "ranking" else noisy
            frame["guess"] = x
        else:
            names = np.array(["a", "b", "c"])
            frame["label"] = names[np.digitize(noisy, [-1, 1])]
            frame["guess"] = names[np.digitize(2 * x, [-1, 1])]
        return frame

    return make
