import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from ratchet.quality.separation import (
    Coded,
    cell_starts,
    code,
    concordance,
    count,
    cross_fitted_auc,
    halves,
    min_rarer,
    one_segment,
    p_value,
    roc_auc,
)


def random_label(rows, seed=0):
    return np.random.default_rng(seed).random(rows) < 0.3


def test_code_numbers_become_ascending_bins_and_nan_the_last_level():
    column = code(pd.Series([3.0, np.nan, 1.0, 2.0, np.inf]))
    known = column.codes[[2, 3, 0]]
    assert column.is_ordered
    assert list(known) == sorted(set(known))
    assert column.missing.tolist() == [False, True, False, False, True]
    assert column.levels[-1] == "missing"


def test_code_texts_become_levels_and_none_the_last_one():
    column = code(pd.Series(["b", None, "a", "b"]))
    assert column.levels == ("a", "b", "missing")
    assert column.codes.tolist() == [1, 2, 0, 1]


def test_code_of_nothing_but_nan_is_all_missing():
    assert code(pd.Series([np.nan, np.nan])).missing.all()


def test_cells_hold_about_as_many_rows_each_and_keep_what_is_missing_apart():
    values = pd.Series(np.r_[np.arange(10_000.0), [np.nan] * 7])
    cells = code(values).cells(10)
    rows = np.bincount(cells.codes)
    assert len(cells.levels) == rows.size == 11
    assert rows[-1] == 7
    assert rows[:-1].min() > 900
    assert cells.levels[0].startswith("-inf to ")


def test_cell_starts_of_one_frequent_value_are_few():
    assert cell_starts(np.array([1, 998, 1, 5]), 10).tolist() == [0, 2, 3]


def test_roc_auc_is_sklearns_within_each_segment():
    rng = np.random.default_rng(1)
    label = random_label(3000)
    values = rng.integers(0, 40, 3000) + 10 * label
    segment = rng.integers(0, 3, 3000)
    counts = count(
        Coded(segment.astype(np.int32), ("a", "b", "c"), is_ordered=False),
        Coded(values.astype(np.int32), tuple(map(str, range(51))), is_ordered=True),
        halves(label),
    )
    expected = [roc_auc_score(label[segment == s], values[segment == s]) for s in range(3)]
    assert roc_auc(counts.sum(axis=2)) == pytest.approx(expected)


def test_roc_auc_without_one_label_is_nan():
    assert np.isnan(roc_auc(np.array([[3.0, 0.0], [2.0, 0.0]])))


def test_concordance_counts_pairs_of_one_level_by_half():
    # levels: one negative; one of each; one positive. In order: 1 + 1 + 1 + 1/2 of 4 pairs
    assert concordance(np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])) == (3.5, 4.0)


def test_cross_fitted_auc_finds_levels_in_no_order_and_nothing_in_many_random_ones():
    label = random_label(20_000)
    rng = np.random.default_rng(2)
    told = np.where(label, rng.choice([1, 5, 9], label.size), rng.choice([0, 4, 8], label.size))
    key = rng.integers(0, 5000, label.size)
    for values, expected in ((told, 1.0), (key, 0.5)):
        column = Coded(values.astype(np.int32), tuple(map(str, range(5001))), is_ordered=False)
        area = cross_fitted_auc(count(one_segment(label.size), column, halves(label)))
        assert area == pytest.approx(expected, abs=0.01)


def test_p_value_is_that_of_the_distribution_free_bound():
    # (1 - .85) / sqrt(.85 * .15 / 100) = 4.2008; twice the normal tail, from a table: 2.66e-5
    both = p_value(np.array([1.0, 0.0]), np.array([100.0, 100.0]), 0.85)
    assert both == pytest.approx([2.66e-5] * 2, rel=0.01)
    assert p_value(np.array([0.85, 0.5, np.nan]), np.full(3, 1e6), 0.85)[:2] == pytest.approx(1.0)


def test_p_value_under_the_limit_is_kept_by_chance():
    """The bound holds: areas at the limit, of few rows, are found no more often than they say."""
    rng = np.random.default_rng(3)
    shift = 1.4657  # sqrt(2) times the normal quantile of .85: the binormal area is .85
    areas = [
        roc_auc_score(np.r_[np.ones(40), np.zeros(160)], rng.normal(np.r_[[shift] * 40, [0] * 160]))
        for _ in range(400)
    ]
    p = p_value(np.array(areas), np.full(400, 40.0), 0.85)
    assert (p <= 0.05).mean() <= 0.05


def test_min_rarer_is_where_a_perfect_separation_just_shows():
    rows = min_rarer(0.85, 0.01)
    one, fewer = p_value(np.array([1.0, 1.0]), np.array([rows, rows - 1.0]), 0.85)
    assert one <= 0.01 < fewer
