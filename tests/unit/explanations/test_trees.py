"""Against Shapley values by their definition, over all subsets, and against the raw answer."""

from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from ratchet.explanations import tree_contributions
from ratchet.explanations.trees import _shapley

COLUMNS = ["speed", "kind", "load", "hour"]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "speed": rng.normal(size=400),
            "kind": rng.choice(["a", "b", "c", "d"], 400),
            "load": np.where(rng.random(400) < 0.3, np.nan, rng.normal(size=400)),
            "hour": rng.integers(0, 5, 400),
        }
    )
    frame.loc[::17, "kind"] = None
    return frame


def target(rows):
    number = rows["speed"] * np.where(rows["kind"] == "b", 2, -1) + rows["load"].fillna(1.5)
    return number + rows["hour"] % 2


def expectation(nodes, bitsets, row, known, node=0):
    """Answer of one tree if only some columns of an encoded row are known, by its definition."""
    at = nodes[node]
    if at["is_leaf"]:
        return at["value"]
    left, right = int(at["left"]), int(at["right"])
    if at["feature_idx"] not in known:
        return sum(
            nodes[child]["count"] / at["count"] * expectation(nodes, bitsets, row, known, child)
            for child in (left, right)
        )
    value = row[at["feature_idx"]]
    if np.isnan(value):
        goes_left = at["missing_go_to_left"]
    elif at["is_categorical"]:
        word, bit = divmod(int(value), 32)
        goes_left = int(bitsets[at["bitset_idx"]][word]) >> bit & 1
    else:
        goes_left = value <= at["num_threshold"]
    return expectation(nodes, bitsets, row, known, left if goes_left else right)


def brute_force(model, frame, output=0):
    """Shapley (1953): the mean over all orders, written as a sum over subsets."""
    encoded = model._preprocess_X(frame, reset=False)
    order = list(np.flatnonzero(model.is_categorical_)) + list(
        np.flatnonzero(~model.is_categorical_)
    )
    players = range(len(COLUMNS))
    effects = np.zeros((len(frame), len(COLUMNS)))
    for iteration in model._predictors:
        tree = iteration[output]
        nodes, bitsets = tree.nodes, tree.raw_left_cat_bitsets
        for number, row in enumerate(encoded):
            worth = {
                frozenset(s): expectation(nodes, bitsets, row, s)
                for size in range(len(COLUMNS) + 1)
                for s in combinations(players, size)
            }
            for player in players:
                for s in worth:
                    if player not in s:
                        orders = factorial(len(s)) * factorial(len(COLUMNS) - len(s) - 1)
                        more = worth[s | {player}] - worth[s]
                        effects[number, order[player]] += orders / factorial(len(COLUMNS)) * more
    return effects


def test_shapley_of_two_players_by_hand():
    # v = {}: 1/8, {1}: 1/4, {2}: 0, {1, 2}: 0; so 1/2 (1/8 + 0) and 1/2 (-1/8 - 1/4)
    effects = _shapley(np.array([[1.0, 0.0]]), np.array([0.5, 0.25]))
    assert effects[0] == pytest.approx([0.0625, -0.1875], abs=1e-15)


def test_tree_contributions_are_shapley_values_by_definition(rows):
    model = HistGradientBoostingRegressor(
        max_iter=4, max_leaf_nodes=8, min_samples_leaf=10, categorical_features=["kind"]
    ).fit(rows, target(rows))
    assert {int(n) for t in model._predictors for n in t[0].nodes["is_categorical"]} == {0, 1}
    some = rows.iloc[:25]
    found, base = tree_contributions(model, some)
    assert found[:, :, 0] == pytest.approx(brute_force(model, some), abs=1e-12)
    assert base[0] + found[:, :, 0].sum(axis=1) == pytest.approx(model.predict(some), abs=1e-9)
    assert np.abs(found).max() > 0.5


def test_tree_contributions_of_classes_add_up_to_each_raw_answer(rows):
    classes = pd.qcut(target(rows), 3, labels=False)
    model = HistGradientBoostingClassifier(
        max_iter=3, max_leaf_nodes=6, categorical_features=["kind"]
    ).fit(rows, classes)
    found, base = tree_contributions(model, rows)
    assert found.shape == (400, 4, 3)
    assert base + found.sum(axis=1) == pytest.approx(model.decision_function(rows), abs=1e-9)
    assert found[:10, :, 2] == pytest.approx(brute_force(model, rows.iloc[:10], 2), abs=1e-12)


def test_tree_contributions_more_splits_than_bits_of_a_word_add_up(rows):
    model = HistGradientBoostingClassifier(
        max_iter=2, max_leaf_nodes=None, min_samples_leaf=2, categorical_features=["kind"]
    ).fit(rows, target(rows) > 0.5)
    assert max(tree.nodes["is_leaf"].sum() for (tree,) in model._predictors) > 40
    found, base = tree_contributions(model, rows)
    raw = model.decision_function(rows)
    assert base[0] + found[:, :, 0].sum(axis=1) == pytest.approx(raw, abs=1e-9)


def test_tree_contributions_unknown_category_and_no_split_are_answered(rows):
    model = HistGradientBoostingClassifier(max_iter=3, categorical_features=["kind"]).fit(
        rows, target(rows) > 0.5
    )
    odd = rows.head(5).assign(kind="never seen", load=np.nan)
    found, base = tree_contributions(model, odd)
    raw = model.decision_function(odd)
    assert base[0] + found[:, :, 0].sum(axis=1) == pytest.approx(raw, abs=1e-9)
    stump = HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=300).fit(
        rows[["speed"]], target(rows)
    )
    found, base = tree_contributions(stump, rows[["speed"]])
    assert (found == 0).all()
    assert base[0] == pytest.approx(stump.predict(rows[["speed"]])[0])
