"""What each feature adds to the raw answer of histogram gradient boosting: exact Shapley values."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

_BITS = 32  # of a word in scikit-learn's bit sets, and of decisions between two renumberings


def tree_contributions(model: Any, frame: pd.DataFrame) -> tuple[Array, Array]:
    """Split raw answers of a fitted HistGradientBoosting model into a part for each feature.

    The parts are Shapley values of the game in which a feature that is not told is averaged over
    the training rows: at each of its splits both ways are followed, weighted by how many training
    rows went there ("path-dependent"). Correlated features share what either tells.

    Parameters
    ----------
    frame
        Raw features, as the model was fitted to.

    Returns
    -------
    contributions : array, shape (n_rows, n_features, n_outputs)
        In the order of `frame`'s columns, on the scale of the raw answer: log-odds for a binary
        problem, the score before the softmax for classes, before the inverse link for numbers.
    base : array, shape (n_outputs,)
        What is answered if nothing is told. It and a row's contributions add up to its raw answer.

    References
    ----------
    Lundberg et al., *From local explanations to global understanding with explainable AI for
    trees* (2020), for the game. Owen, *Multilinear extensions of games* (1972), for the integral:
    on one leaf the game is a product, so the integrand is a polynomial in the share of features
    that are told, which Gauss and Legendre's points integrate exactly.

    """
    values = np.asfortranarray(model._preprocess_X(frame, reset=False), np.float64)
    columns = np.arange(model.n_features_in_)
    if model._preprocessor is not None:  # it moves categories to the front
        columns = np.argsort(~model.is_categorical_, kind="stable")
    base = np.array(model._baseline_prediction, np.float64).ravel().copy()
    parts = np.zeros((len(base), model.n_features_in_, len(frame)))
    for iteration in model._predictors:
        for output, predictor in enumerate(iteration):
            nodes = predictor.nodes
            leaves = nodes["is_leaf"].astype(bool)
            shares = nodes["count"][leaves] / nodes["count"][0]
            base[output] += shares @ nodes["value"][leaves]
            _add_tree(parts[output], nodes, predictor.raw_left_cat_bitsets, values, columns)
    return parts.transpose(2, 1, 0), base


class _Leaf(NamedTuple):
    value: float
    path: tuple[tuple[int, bool], ...]  # nodes from the root, and whether it lies to their left


def _add_tree(
    parts: Array, nodes: Any, bitsets: Any, values: Array, columns: NDArray[np.intp]
) -> None:
    """Add one tree's contributions to `parts`, shape (n_features, n_rows)."""
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    if not len(inner):
        return
    is_left = {int(node): _goes_left(nodes[node], bitsets, values) for node in inner}
    number, first = _distinct(is_left, len(values))
    is_left = {node: went[first] for node, went in is_left.items()}
    told: dict[int, Array] = {}
    for leaf in _leaves(nodes):
        features, follows, shares = _steps(leaf, nodes, is_left)
        weights = _shapley(follows, shares) * leaf.value
        for feature, column in zip(features, weights.T, strict=True):
            told[feature] = told.get(feature, 0.0) + column
    for feature, column in told.items():
        parts[columns[feature]] += column[number]


def _goes_left(node: Any, bitsets: Any, values: Array) -> NDArray[np.bool_]:
    """Return which rows go left; what is missing, or was never seen, goes as the node says."""
    column = values[:, node["feature_idx"]]
    is_missing = np.isnan(column)
    if node["is_categorical"]:
        words = bitsets[node["bitset_idx"]]
        codes = np.where(is_missing, 0, column).astype(np.int64)
        went = (words[codes // _BITS] >> (codes % _BITS).astype(np.uint32)) & 1 == 1
    else:
        went = column <= node["num_threshold"]
    return np.where(is_missing, bool(node["missing_go_to_left"]), went)


def _distinct(
    is_left: dict[int, NDArray[np.bool_]], rows: int
) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Give rows that go alike at all nodes one number; return them, and a row of each number.

    A tree tells few kinds of rows apart, so each kind is computed once.
    """
    codes = np.zeros(rows, np.int64)
    for position, went in enumerate(is_left.values(), start=1):
        codes = codes * 2 + went
        if position % _BITS == 0:
            codes = pd.factorize(codes)[0]
    codes = pd.factorize(codes)[0]
    first = np.zeros(codes.max(initial=-1) + 1, np.intp)
    first[codes[::-1]] = np.arange(rows)[::-1]
    return codes, first


def _leaves(nodes: Any) -> Iterator[_Leaf]:
    open_ends: list[tuple[int, tuple[tuple[int, bool], ...]]] = [(0, ())]
    while open_ends:
        node, path = open_ends.pop()
        if nodes["is_leaf"][node]:
            yield _Leaf(float(nodes["value"][node]), path)
        else:
            open_ends.append((int(nodes["left"][node]), (*path, (node, True))))
            open_ends.append((int(nodes["right"][node]), (*path, (node, False))))


def _steps(
    leaf: _Leaf, nodes: Any, is_left: dict[int, NDArray[np.bool_]]
) -> tuple[list[int], Array, Array]:
    """Return the features on the way to a leaf, which rows follow them, and which share would."""
    follows: dict[int, Any] = {}
    shares: dict[int, float] = {}
    for node, to_left in leaf.path:
        feature = int(nodes["feature_idx"][node])
        child = nodes["left" if to_left else "right"][node]
        follows[feature] = follows.get(feature, True) & (is_left[node] == to_left)
        shares[feature] = shares.get(feature, 1.0) * nodes["count"][child] / nodes["count"][node]
    return (
        [*follows],
        np.stack([*follows.values()], axis=1).astype(float),
        np.array([*shares.values()]),
    )


def _shapley(follows: Array, shares: Array) -> Array:
    """Return Shapley values of v(S) = Π_{j in S} follows_j Π_{j not in S} shares_j.

    Parameters
    ----------
    follows : array, shape (n_rows, n_players)
        0 or 1.
    shares : array, shape (n_players,)
        In (0, 1].
    """
    told, weights = _quadrature((len(shares) + 1) // 2)
    factors = told * follows[..., None] + (1 - told) * shares[:, None]
    others = np.prod(factors, axis=1, keepdims=True) / factors
    effects: Array = (follows - shares) * (others @ weights)
    return effects


@cache
def _quadrature(points: int) -> tuple[Array, Array]:
    """Return points in [0, 1] and their weights; exact up to the degree 2 * points - 1."""
    at, weights = np.polynomial.legendre.leggauss(points)
    return (at + 1) / 2, weights / 2
