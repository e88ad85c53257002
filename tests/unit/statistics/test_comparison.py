import numpy as np
import pytest
from scipy.stats import ttest_1samp
from simulated import chance, days

from ratchet.errors import EvidenceError
from ratchet.statistics import block_length, compare_by_blocks, compare_by_cluster


def by_cluster(x, day, margin=0.0, confidence=0.9):
    return compare_by_cluster(x, day, margin=margin, confidence=confidence)


def by_blocks(x, day, margin=0.0, confidence=0.9, replicates=500, seed=1):
    return compare_by_blocks(
        x, day, margin=margin, confidence=confidence, replicates=replicates, seed=seed
    )


@pytest.mark.parametrize("margin", [-0.5, 0.0, 0.3])
def test_compare_by_cluster_of_single_rows_is_the_t_test_of_scipy(margin):
    x = np.random.default_rng(0).normal(size=40)
    found = by_cluster(x, np.arange(40), margin, 0.95)
    expected = ttest_1samp(x, margin, alternative="less")
    assert found.p_value == pytest.approx(expected.pvalue)
    interval = ttest_1samp(x, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert (found.clusters, found.rows) == (40, 40)
    assert found.degrees_of_freedom == pytest.approx(39)


def autoregression(n, rho, seed=7, earlier=()):
    generator = np.random.default_rng(seed)
    for before in earlier:
        generator.standard_normal(before)
    x = generator.standard_normal(n)
    for i in range(1, n):
        x[i] += rho * x[i - 1]
    return x


def test_block_length_of_a_long_series_is_that_of_arch():
    # The test of arch 8.0.0 (tests/bootstrap/test_block_length.py) has 13.635665 for this series.
    # Its autocorrelations have other denominators, which matters little on a long series.
    noise = np.random.RandomState(0).standard_normal(10_100)
    for i in range(1, len(noise)):
        noise[i] += 0.3 * noise[i - 1]
    assert block_length(noise[100:]) == pytest.approx(13.635665, rel=1e-6)


@pytest.mark.parametrize(
    ("n", "rho", "earlier", "expected"),
    [
        # arch.bootstrap.optimal_block_length of arch 8.0.0, column "stationary"
        (90, 0.6, [28], 4.235913396585175),
        (365, 0.3, [28, 90], 4.021619186204843),
        (365, -0.4, [28, 90, 365], 4.959902353170606),
    ],
)
def test_block_length_of_a_short_series_is_that_of_arch(n, rho, earlier, expected):
    assert block_length(autoregression(n, rho, earlier=earlier)) == pytest.approx(expected)


@pytest.mark.parametrize("series", [np.zeros(30), np.full(30, 2.5)])
def test_block_length_of_a_constant_is_one(series):
    assert block_length(series) == 1


def test_compare_by_blocks_error_is_the_closed_form_of_politis_and_romano():
    # Politis and Romano (1994), lemma 1: the variance of the resampled mean without resampling.
    n, rho = 200, 0.5
    x = autoregression(n, rho)
    length = max(block_length(x), n ** (1 / 3))
    centred = x - x.mean()
    circular = np.array([centred @ np.roll(centred, -lag) for lag in range(n)]) / n
    lags = np.arange(1, n)
    weights = (1 - lags / n) * (1 - 1 / length) ** lags + lags / n * (1 - 1 / length) ** (n - lags)
    variance = (circular[0] + (weights * circular[1:]).sum()) / n
    blocks = n / length
    found = by_blocks(x, np.arange(n), replicates=20_000)
    # the standard error of a standard deviation of 20,000 draws is .5 %
    expected = np.sqrt(variance * blocks / (blocks - 1))
    assert found.standard_error == pytest.approx(expected, rel=0.02)
    assert found.degrees_of_freedom == pytest.approx(blocks - 1)
    assert found.estimate == pytest.approx(x.mean())


def test_compare_by_blocks_same_seed_gives_the_same():
    x, day = days(np.random.default_rng(2), 28, 0.5)
    assert by_blocks(x, day) == by_blocks(x, day)
    assert by_blocks(x, day) != by_blocks(x, day, seed=2)


@pytest.mark.parametrize("compare", [by_cluster, by_blocks])
@pytest.mark.parametrize(
    ("difference", "margin", "p_value"), [(0.0, 0.0, 1), (0.0, 0.1, 0), (0.0, -0.1, 1)]
)
def test_compare_equal_models_are_not_better_and_not_worse_by_a_margin(
    compare, difference, margin, p_value
):
    found = compare(np.full(100, difference), np.repeat(np.arange(10), 10), margin)
    assert (found.estimate, found.standard_error, found.p_value) == (0, 0, p_value)


@pytest.mark.parametrize("difference", [-0.3, 0.1, 0.3, 0.7])
@pytest.mark.parametrize("compare", [by_cluster, by_blocks])
def test_compare_differences_that_are_all_the_margin_prove_nothing(compare, difference):
    day = np.repeat(np.arange(8), [3, 5, 7, 11, 2, 9, 4, 6])
    x = np.full(len(day), difference)
    assert compare(x, day, difference).p_value == 1.0
    assert compare(x, day, difference + 1e-6).p_value == 0.0


@pytest.mark.parametrize("compare", [by_cluster, by_blocks])
def test_compare_losses_whose_squares_are_no_numbers_raises(compare):
    x = np.random.default_rng(0).normal(0, 1e300, 40)
    with np.errstate(all="ignore"), pytest.raises(EvidenceError, match="larger unit"):
        compare(x, np.repeat(np.arange(8), 5))


def test_compare_by_cluster_one_day_raises():
    with pytest.raises(EvidenceError, match="at least two clusters"):
        by_cluster([1.0, 2.0], ["mon", "mon"])


@pytest.mark.parametrize(("n", "message"), [(1, "two clusters"), (5, "at least 6 days, not 5")])
def test_compare_by_blocks_too_few_days_raises(n, message):
    with pytest.raises(EvidenceError, match=message):
        by_blocks(np.arange(n), np.arange(n))


def test_compare_by_blocks_six_days_are_enough():
    found = by_blocks([5.0, 1.0, 4.0, 2.0, 6.0, 3.0], np.arange(6))
    assert found.clusters == 6
    assert found.low < found.estimate == 3.5 < found.high


# Rates of error: each band holds the rate that docs/gate.md states for the case; counts may leave
# it by chance in one of a thousand trials.
CASES = [
    # test, days, autocorrelation of shocks, and least and greatest rate at a level of .05
    (by_cluster, 14, 0.0, 0.035, 0.065),
    (by_cluster, 28, 0.0, 0.035, 0.065),
    (by_cluster, 28, 0.3, 0.085, 0.14),  # too often: what the blocks are for
    (by_blocks, 14, 0.0, 0.02, 0.055),
    (by_blocks, 28, 0.0, 0.025, 0.06),
    (by_blocks, 28, 0.3, 0.04, 0.09),
    (by_blocks, 90, 0.3, 0.05, 0.1),
]


def rates(test, n, lasting, draws, mean=0.0):
    generator = np.random.default_rng(1234)
    found = [test(*days(generator, n, lasting, mean)) for _ in range(draws)]
    return sum(f.p_value < 0.05 for f in found), sum(f.low <= mean <= f.high for f in found)


@pytest.mark.parametrize(("test", "n", "lasting", "low", "high"), CASES)
def test_compare_size_and_coverage_few_draws(test, n, lasting, low, high):
    draws = 200
    rejected, covered = rates(test, n, lasting, draws)
    assert chance(rejected, draws, low, high)
    # a two-sided interval of 90 % misses on either side as often as the test errs
    assert chance(draws - covered, draws, 2 * low, 2 * high)


@pytest.mark.simulation
@pytest.mark.parametrize(("test", "n", "lasting", "low", "high"), CASES)
def test_compare_size_and_coverage(test, n, lasting, low, high):
    draws = 4000
    rejected, covered = rates(test, n, lasting, draws)
    assert chance(rejected, draws, low, high)
    assert chance(draws - covered, draws, 2 * low, 2 * high)
