import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from simulated import chance

from ratchet.statistics import (
    clusters_needed,
    compare_by_cluster,
    detectable_difference,
)


@pytest.mark.parametrize(
    ("n", "level", "power", "expected"),
    [
        # statsmodels 0.15.0, TTestPower().solve_power(alternative="larger"), in standard deviations
        (28, 0.05, 0.9, 0.567510354805991),
        (14, 0.01, 0.8, 0.9475289720277887),
    ],
)
def test_detectable_difference_is_that_of_statsmodels(n, level, power, expected):
    found = detectable_difference(1 / np.sqrt(n), n - 1, level=level, power=power)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("n", "level", "power"), [(2, 0.01, 0.99), (2, 1e-4, 0.9), (3, 1e-6, 0.9)])
def test_detectable_difference_of_few_clusters_is_found_with_that_power(n, level, power):
    """The power by an integral over the error s: t is exceeded where Z is above t * s - shift."""
    shift, root = detectable_difference(1.0, n - 1, level=level, power=power), (n - 1) ** 0.5
    critical = stats.t.isf(level, n - 1)

    def density(s):
        return stats.norm.sf(critical * s - shift) * stats.chi.pdf(s * root, n - 1) * root

    assert quad(density, 0, np.inf, limit=500)[0] == pytest.approx(power, abs=1e-4)


def test_detectable_difference_that_nothing_reaches_is_infinite():
    assert detectable_difference(1.0, 1, level=1e-9, power=0.9) == np.inf


def test_clusters_needed_at_a_level_that_two_do_not_reach_are_more():
    n = clusters_needed(1.0, 0.1, 100, level=0.001, power=0.9)
    less, enough = (stats.nct.sf(stats.t.isf(0.001, k - 1), k - 1, k**0.5) for k in (n - 1, n))
    assert less < 0.9 <= enough


@pytest.mark.parametrize(
    ("effect", "power", "expected"),
    [
        # G*Power 3's guide, "Means: Difference from constant (one-sample case)", one tail
        (0.625, 0.95, 30),
        # statsmodels 0.15.0: 44.68 and 155.93
        (0.5, 0.95, 45),
        (0.2, 0.8, 156),
    ],
)
def test_clusters_needed_are_those_of_a_published_table(effect, power, expected):
    assert clusters_needed(effect, 0.1, 100, level=0.05, power=power) == expected


def test_clusters_needed_for_next_to_nothing_are_too_many():
    assert clusters_needed(1e-6, 0.1, 100, level=0.05, power=0.9) is None


def test_detectable_difference_is_found_with_the_stated_power():
    n, draws, generator = 14, 1000, np.random.default_rng(5)
    truth = -detectable_difference(1 / np.sqrt(n), n - 1, level=0.05, power=0.9)
    found = sum(
        compare_by_cluster(
            generator.normal(truth, 1, n), np.arange(n), margin=0.0, confidence=0.9
        ).p_value
        < 0.05
        for _ in range(draws)
    )
    assert chance(found, draws, 0.9, 0.9)
