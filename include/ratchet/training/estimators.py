"""From an estimator of the spec to a scikit-learn object that answers a frame of raw features."""

from __future__ import annotations

from collections.abc import Mapping

from sklearn.base import ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler

from ratchet.spec.types import Estimator, Feature


def build_estimator(
    estimator: Estimator, features: Mapping[str, Feature], seed: int
) -> ClassifierMixin:
    """Return an unfitted classifier of a frame with the columns `features`.

    All preparation is inside: missing values and categories that were never seen are answered, not
    refused. Logistic regression reads numbers as their quantile in the training data, so that an
    absurd one counts no more than the largest that was seen.
    """
    numeric = [name for name, feature in features.items() if feature.kind == "numeric"]
    categorical = [name for name, feature in features.items() if feature.kind == "categorical"]
    if estimator.type == "hist_gradient_boosting":
        # its own early stopping would judge by a random split, which picks the wrong trees in time
        params = {"early_stopping": False, "random_state": seed, **estimator.params}
        return HistGradientBoostingClassifier(categorical_features=categorical, **params)
    quantiles = make_pipeline(
        QuantileTransformer(n_quantiles=100, subsample=50_000, random_state=seed),
        SimpleImputer(strategy="constant", fill_value=0.5, add_indicator=True),  # the median
        StandardScaler(),
    )
    levels = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(
        ColumnTransformer([("numeric", quantiles, numeric), ("categorical", levels, categorical)]),
        LogisticRegression(
            **{"solver": "newton-cholesky", "random_state": seed, **estimator.params}
        ),
    )
