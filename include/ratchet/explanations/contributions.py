"""Why a model answers as it does for one row: what each feature adds, and the largest in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.explanations.trees import tree_contributions
from ratchet.problems import Problem, threads_limited

Array = NDArray[np.float64]
Reference = Mapping[str, float | str | bool | None]
"""What is typical, by feature: the median of numbers, the most frequent of categories."""


_LOG_LINKED = ("poisson", "gamma")  # losses of histogram gradient boosting


class Contributions(NamedTuple):
    """What each feature adds to each answer.

    `values` has shape (n_rows, n_features), `base` (n_rows,). `scale` says in what they are
    counted; where `is_exact`, `base` and a row's values add up to its answer on that scale. Of
    several classes, they are of the one with the largest probability.
    """

    values: Array
    base: Array
    scale: str
    is_exact: bool


def contribute(
    problem: Problem, model: Any, frame: pd.DataFrame, reference: Reference
) -> Contributions:
    """Split a model's answers into a part for each feature.

    Linear models on Ratchet's own preparation: coefficient times the difference from the reference
    row, exact. Histogram gradient boosting: see `tree_contributions`, exact; the reference is the
    training data itself. Any other model: how much the answer moves if one feature alone is set to
    its reference; features that only tell something together may come out too small or too large,
    and the parts do not add up.

    Parameters
    ----------
    frame : DataFrame, shape (n_rows, n_features)
        Raw features, in the order that the model was fitted to.
    reference
        See `typical`.

    References
    ----------
    Sundararajan and Najmi, *The many Shapley values for model explanation* (2020), for the
    difference from one reference row. Zeiler and Fergus, *Visualizing and understanding
    convolutional networks* (2014), for occlusion.
    """
    with threads_limited(1):
        if hasattr(model, "_predictors"):
            values, base = tree_contributions(model, frame)
            return _of_answer(problem, model, frame, values, np.tile(base, (len(frame), 1)))
        if linear := _linear_parts(model, frame, reference):
            return _of_answer(problem, model, frame, *linear)
    return _occlude(problem, model, frame, reference)


def reasons(
    problem: Problem, model: Any, frame: pd.DataFrame, reference: Reference, count: int
) -> list[str]:
    """Say for each row which features moved its answer most, the strongest first.

    Returns
    -------
    list of str
        As `origin_waiting=23 (+0.18); carrier=EV (-0.09)`: the value, and what it adds to the
        answer on the scale of `contribute`. Fewer than `count` where no more adds anything.
    """
    values = contribute(problem, model, frame, reference).values
    strongest = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :count]
    texts = {name: _texts(frame[name]) for name in frame.columns}
    names = list(frame.columns)
    return [
        "; ".join(
            f"{names[column]}={texts[names[column]][row]} ({values[row, column]:+.2f})"
            for column in columns
            if values[row, column]
        )
        for row, columns in enumerate(strongest.tolist())
    ]


def typical(frame: pd.DataFrame, numeric: Sequence[str]) -> dict[str, float | str | bool | None]:
    """Return a typical row: the median of numbers, the most frequent of categories.

    Of a feature that is missing in all rows, that is None.
    """
    found: dict[str, float | str | bool | None] = {}
    for name in frame.columns:
        if frame[name].isna().all():
            found[name] = None
        elif name in numeric:
            found[name] = float(np.nanmedian(frame[name].to_numpy(np.float64)))
        else:
            levels = frame[name].value_counts()
            value = min(levels[levels == levels.max()].index)
            found[name] = value.item() if isinstance(value, np.generic) else value
    return found


def _of_answer(
    problem: Problem, model: Any, frame: pd.DataFrame, values: Array, base: Array
) -> Contributions:
    """Take the outputs that make the answer: the only one, or the most probable class's."""
    spec = problem.spec
    if spec.costs.problem == "binary":
        return Contributions(values[:, :, 0], base[:, 0], "log-odds", is_exact=True)
    if spec.costs.problem != "multiclass":
        loss = getattr(model, "loss", None)
        scale = f"logarithm of {spec.gold.label}" if loss in _LOG_LINKED else spec.gold.label
        return Contributions(values[:, :, 0], base[:, 0], scale, is_exact=True)
    rows = np.arange(len(frame))
    chosen = np.argmax(model.predict_proba(frame), axis=1)
    return Contributions(
        values[rows, :, chosen], base[rows, chosen], "score of the class", is_exact=True
    )


def _linear_parts(
    model: Any, frame: pd.DataFrame, reference: Reference
) -> tuple[Array, Array] | None:
    """Return contributions and base of a linear model behind Ratchet's preparation, else None."""
    from sklearn.compose import ColumnTransformer

    steps = [step for _, step in getattr(model, "steps", [])]
    if len(steps) != 2 or not isinstance(steps[0], ColumnTransformer):
        return None
    prepare, linear = steps
    parts = {name: part for name, part, _ in prepare.transformers_}
    if not hasattr(linear, "coef_") or set(parts) - {"remainder"} != {"numeric", "categorical"}:
        return None
    features = _features_behind(prepare, list(frame.columns))
    middle = prepare.transform(_hidden(frame.iloc[:1], list(frame.columns), reference))
    coefficients = np.atleast_2d(linear.coef_)
    moved = prepare.transform(frame) - middle
    gathers = np.eye(frame.shape[1])[features]
    values = np.stack([(moved * weights) @ gathers for weights in coefficients], axis=2)
    base = middle @ coefficients.T + linear.intercept_
    return values, np.tile(base, (len(frame), 1))


def _features_behind(prepare: Any, names: list[str]) -> list[int]:
    """Return for each prepared column the position of the feature that it was made of."""
    behind: list[str] = []
    for name, part, columns in prepare.transformers_:
        if name == "numeric" and columns:
            imputer = part.named_steps["simpleimputer"]
            behind += [*columns, *(columns[i] for i in imputer.indicator_.features_)]
        if name == "categorical" and columns:
            for column, levels in zip(columns, part.categories_, strict=True):
                behind += [column] * len(levels)
    return [names.index(name) for name in behind]


def _occlude(
    problem: Problem, model: Any, frame: pd.DataFrame, reference: Reference
) -> Contributions:
    names = list(frame.columns)
    answers = problem.answer(model, frame, names)
    chosen = answers.argmax(axis=1) if answers.ndim == 2 else None
    rows = np.arange(len(frame))

    def told(given: NDArray[Any]) -> Array:
        return np.asarray(given if chosen is None else given[rows, chosen], np.float64)

    values = np.empty(frame.shape)
    for column, name in enumerate(names):
        hidden = _hidden(frame, [name], reference)
        values[:, column] = told(answers) - told(problem.answer(model, hidden, names))
    scale = problem.spec.costs.watched
    return Contributions(values, told(answers), scale, is_exact=False)


def _hidden(frame: pd.DataFrame, names: Sequence[str], reference: Reference) -> pd.DataFrame:
    """Return rows with some features set to their reference."""
    kinds = {name: frame[name].dtype for name in names}
    changed = frame.copy(deep=False)
    for name in names:
        changed[name] = reference[name]
    return changed.astype(kinds)


def _texts(column: pd.Series) -> list[str]:
    """Return values as people write them; what is missing says so."""
    missing = column.isna().to_numpy()
    if pd.api.types.is_float_dtype(column):
        return [
            "missing" if gone else f"{value:.4g}"
            for value, gone in zip(column.tolist(), missing, strict=True)
        ]
    return [
        "missing" if gone else str(value)
        for value, gone in zip(column.tolist(), missing, strict=True)
    ]
