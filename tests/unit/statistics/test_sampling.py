import numpy as np
import pytest
from simulated import chance

from ratchet.errors import EvidenceError
from ratchet.statistics import allocate, stratified_mean


def test_allocate_follows_neyman_within_a_row():
    sizes, spreads = [400, 300, 300], [1.0, 2.0, 4.0]
    shares = np.multiply(sizes, spreads) / np.dot(sizes, spreads)
    assert np.abs(allocate(sizes, spreads, 110) - 110 * shares).max() <= 1


def test_allocate_draws_no_more_than_there_are_and_two_of_each():
    assert allocate([1, 3, 500], [9.0, 9.0, 0.0], 20).tolist() == [1, 3, 16]
    assert allocate([50, 50], [0.0, 0.0], 1).tolist() == [2, 2]


def test_stratified_mean_agrees_with_horvitz_and_thompson():
    values, strata = np.array([1.0, 3.0, 10.0, 20.0, 30.0]), np.array(list("aabbb"))
    sizes = {"a": 10, "b": 30}
    inclusion = {"a": 2 / 10, "b": 3 / 30}
    by_hand = sum(v / inclusion[s] for v, s in zip(values, strata, strict=True)) / 40
    # Cochran (1977), equation 5.12: sum of W² (1 - f) s² / n
    error = (0.25**2 * 0.8 * 2 / 2 + 0.75**2 * 0.9 * 100 / 3) ** 0.5
    found = stratified_mean(values, strata, sizes, 0.95)
    assert (found.estimate, found.standard_error) == pytest.approx((by_hand, error))


def test_stratified_mean_of_all_rows_is_certain():
    found = stratified_mean([1, 2, 3, 4], list("aabb"), {"a": 2, "b": 2}, 0.95)
    assert (found.estimate, found.standard_error) == (2.5, 0)


def test_stratified_mean_holds_the_truth_as_often_as_it_says():
    rng, draws = np.random.default_rng(1), 400
    strata = np.repeat(["a", "b"], [900, 300])
    values = np.where(strata == "a", rng.normal(1, 1, 1200), rng.normal(8, 5, 1200))
    inside = []
    for _ in range(draws):
        drawn = np.r_[rng.choice(900, 20, False), 900 + rng.choice(300, 40, False)]
        found = stratified_mean(values[drawn], strata[drawn], {"a": 900, "b": 300}, 0.95)
        inside.append(found.low <= values.mean() <= found.high)
    assert chance(sum(inside), draws, 0.94, 0.96)


def test_stratified_mean_without_a_value_of_a_stratum_raises():
    with pytest.raises(EvidenceError, match="no row of b has a value, so nothing is known of 30"):
        stratified_mean([1.0, 2.0], ["a", "a"], {"a": 10, "b": 30}, 0.95)
