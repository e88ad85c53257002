import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from scipy.stats.contingency import association

from ratchet.explanations.associations import _association, _ranks, group_features

rng = np.random.default_rng(3)
ONE = rng.normal(size=500)
FRAME = pd.DataFrame(
    {
        "one": ONE,
        "cubed": -(ONE**3),
        "noise": rng.normal(size=500),
        "sign": np.where(ONE > 0, "plus", "minus"),
        "half": np.where(rng.random(500) < 0.5, "x", "y"),
        "constant": 1.0,
    }
)
NUMERIC = ("one", "cubed", "noise", "constant")


def test_association_of_numbers_is_spearmans():
    some = pd.DataFrame({"a": FRAME["noise"], "b": FRAME["noise"] + 0.5 * FRAME["one"]})
    ranks = {name: _ranks(some[name]) for name in some}
    expected = abs(spearmanr(some["a"], some["b"]).statistic)
    assert _association("a", "b", ranks, {}) == pytest.approx(expected, abs=1e-12)
    assert 0.5 < expected < 0.95


def test_association_of_categories_is_cramers_v():
    a = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2, 2])
    b = np.array([0, 0, 1, 1, 1, 0, 1, 0, 0, 0])
    expected = association(pd.crosstab(a, b).to_numpy(), method="cramer")
    assert _association("a", "b", {}, {"a": a, "b": b}) == pytest.approx(expected, abs=1e-12)


def test_association_of_number_and_category_is_the_correlation_ratio():
    # ranks 1 2 3 4 in groups (1, 2) and (3, 4): between 2 * 1 + 2 * 1 = 4 of 5 in all
    ranks, codes = {"x": _ranks(pd.Series([1, 2, 3, 4]))}, {"g": np.array([0, 0, 1, 1])}
    assert _association("x", "g", ranks, codes) == pytest.approx(0.8**0.5)
    assert _association("g", "x", ranks, codes) == pytest.approx(0.8**0.5)


def test_group_features_that_tell_the_same_belong_together():
    assert group_features(FRAME, NUMERIC, 0.7) == [("one", "cubed", "sign")]
    assert group_features(FRAME, NUMERIC, 0.99) == [("one", "cubed")]
    assert group_features(FRAME[["one", "noise", "half", "constant"]], NUMERIC, 0.7) == []
    assert group_features(FRAME[["one"]], NUMERIC, 0.7) == []
