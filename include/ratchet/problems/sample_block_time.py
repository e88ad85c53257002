"""The sample use case's own estimator, as one comes from outside by its import path.

Trees cut a number into steps, and minutes in the air range from 20 to 700: most of their steps go
into telling Boston from Honolulu. What is to be learned is how far a flight lies above its route.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pandas.api.types import is_numeric_dtype
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor


class AboveRoute(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Gradient boosting of the difference to the route's trailing mean.

    Where a route has no mean, a line through the distances of those that have one stands for it.

    Parameters
    ----------
    quantile
        Which quantile of the difference is learned, in (0, 1).
    max_leaf_nodes, min_samples_leaf, max_iter, learning_rate, random_state
        As in scikit-learn's `HistGradientBoostingRegressor`.
    """

    def __init__(
        self,
        quantile: float = 0.5,
        max_leaf_nodes: int = 8,
        min_samples_leaf: int = 300,
        max_iter: int = 60,
        learning_rate: float = 0.1,
        random_state: int | None = None,
    ) -> None:
        self.quantile = quantile
        self.max_leaf_nodes = max_leaf_nodes
        self.min_samples_leaf = min_samples_leaf
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:  # noqa: N803
        """Learn from features and minutes in the air."""
        minutes = np.asarray(y, np.float64)
        self.line_ = np.polyfit(X["distance_mi"].to_numpy(np.float64), minutes, 1)
        self.trees_ = HistGradientBoostingRegressor(
            loss="quantile",
            quantile=self.quantile,
            max_leaf_nodes=self.max_leaf_nodes,
            min_samples_leaf=self.min_samples_leaf,
            max_iter=self.max_iter,
            learning_rate=self.learning_rate,
            early_stopping=False,
            random_state=self.random_state,
            categorical_features=[name for name in X if not is_numeric_dtype(X[name])],
        ).fit(X, minutes - self._base(X), sample_weight)
        return self

    def predict(self, X: pd.DataFrame) -> NDArray[np.float64]:  # noqa: N803
        """Return minutes in the air, shape (n,)."""
        minutes: NDArray[np.float64] = self.trees_.predict(X) + self._base(X)
        return minutes

    def _base(self, X: pd.DataFrame) -> NDArray[np.float64]:  # noqa: N803
        mean = X["route_air_time_min"].to_numpy(np.float64)
        return np.where(np.isnan(mean), np.polyval(self.line_, X["distance_mi"]), mean)
