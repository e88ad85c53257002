"""From an estimator of the spec to a scikit-learn object that answers a frame of raw features."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any

from ratchet.errors import TrainingError
from ratchet.spec import Spec
from ratchet.spec.source import Field

# what a spec may override
_DEFAULTS: dict[str, dict[str, Any]] = {
    "LogisticRegression": {"solver": "newton-cholesky"},
    # their own early stopping would judge by a random split, which picks the wrong trees in time
    "HistGradientBoostingClassifier": {"early_stopping": False},
    "HistGradientBoostingRegressor": {"early_stopping": False},
    "KMeans": {"n_init": 10},  # a single start often ends in a worse place
}


def build_estimator(spec: Spec, name: str, method: str) -> Any:
    """Return one of the spec's estimators, unfitted: it is fitted to, and answers, raw features.

    All preparation is inside: missing values and categories that were never seen are answered, not
    refused. What knows categories by itself reads columns as they are. All else of scikit-learn's
    reads numbers as their quantile in the training data, so that an absurd one counts no more than
    the largest that was seen; but segments, which quantiles would even out, are found in scaled
    numbers. Infinite ones are refused by all but trees. A use case's own estimator gets the frame
    as it is.

    Raises
    ------
    TrainingError
        If it can't be imported or made, or lacks `fit` or `method`.
    """
    declared, seed = spec.training.estimators[name], spec.training.seed
    where = f"{spec.name}: training.estimators.{name}"
    own = declared.type not in spec.costs.estimators
    factory = import_factory(spec.costs.estimators.get(declared.type, declared.type), where)
    params = {**_DEFAULTS.get(factory.__name__, {}), **declared.params}
    accepted = inspect.signature(factory).parameters
    if "random_state" in accepted:
        params.setdefault("random_state", seed)
    if not own and "categorical_features" in accepted:
        params["categorical_features"] = _columns(spec, "categorical")
    try:
        model = factory(**params)
    except Exception as error:  # whatever a use case's own code raises
        raise TrainingError(f"{where} can't be made: {error}; look at its params") from error
    if lacking := [each for each in ("fit", method) if not callable(getattr(model, each, None))]:
        raise TrainingError(
            f"{where}: {declared.type} makes a {type(model).__name__} without "
            f"{' and '.join(lacking)}; return a scikit-learn estimator for {spec.costs.problem}"
        )
    return model if own or "categorical_features" in accepted else _prepared(spec, model)


def wrong_parameters(spec: Spec) -> Iterator[tuple[Field, str]]:
    """Yield each field of the spec's estimators that the estimator does not know, with a remedy."""
    for name, declared in spec.training.estimators.items():
        field: Field = ("training", "estimators", name)
        path = spec.costs.estimators.get(declared.type, declared.type)
        try:
            accepted = inspect.signature(import_factory(path, "type")).parameters
        except TrainingError as error:
            yield (*field, "type"), str(error).removeprefix("type: ")
            continue
        if any(each.kind is each.VAR_KEYWORD for each in accepted.values()):
            continue
        given = [((*field, "params"), list(declared.params))]
        if declared.search:
            given.append(((*field, "search", "space"), list(declared.search.space)))
        for part, names in given:
            for each in names:
                if each not in accepted:
                    yield (*part, each), _unknown(declared.type, each, list(accepted))


def _unknown(kind: str, name: str, accepted: list[str]) -> str:
    near = get_close_matches(name, accepted, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else f"use one of {accepted}"
    return f"is no parameter of {kind}; {remedy}"


def import_factory(path: str, where: str) -> Callable[..., Any]:
    """Import what `package.module:name` names; raise TrainingError if there is no such callable."""
    module, _, attribute = path.partition(":")
    try:
        factory = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # whatever a use case's own module raises
        raise TrainingError(
            f"{where}: {path} can't be imported: {error}; put the module on PYTHONPATH"
        ) from error
    if not callable(factory):
        raise TrainingError(f"{where}: {path} can't be called; name a class or a function")
    return factory  # type: ignore[no-any-return]


def _prepared(spec: Spec, model: Any) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler

    if hasattr(model, "fit_predict"):
        numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    else:
        numbers = make_pipeline(
            QuantileTransformer(n_quantiles=100, subsample=50_000, random_state=spec.training.seed),
            SimpleImputer(strategy="constant", fill_value=0.5, add_indicator=True),  # the median
            StandardScaler(),
        )
    levels = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    numeric, categorical = _columns(spec, "numeric"), _columns(spec, "categorical")
    return make_pipeline(
        ColumnTransformer([("numeric", numbers, numeric), ("categorical", levels, categorical)]),
        model,
    )


def _columns(spec: Spec, kind: str) -> list[str]:
    return [name for name, feature in spec.gold.features.items() if feature.kind == kind]
