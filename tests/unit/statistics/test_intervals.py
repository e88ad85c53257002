import numpy as np
import pytest
from scipy.stats import binomtest

from ratchet.statistics import wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_is_published(successes, trials, low, high):
    found = wilson_interval(successes, trials, 0.95)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_wilson_interval_of_many_is_that_of_scipy():
    successes, trials = np.array([0, 3, 7, 10]), np.array([10, 10, 10, 10])
    found = wilson_interval(successes, trials, 0.9)
    for i in range(4):
        one = binomtest(int(successes[i]), 10).proportion_ci(0.9, method="wilson")
        assert (found.low[i], found.high[i]) == pytest.approx((one.low, one.high), abs=1e-12)


@pytest.mark.parametrize(("successes", "trials"), [(3, 2), (-1, 2), (0, 0)])
def test_wilson_interval_impossible_counts_raise(successes, trials):
    with pytest.raises(ValueError, match="no more successes than trials"):
        wilson_interval(successes, trials, 0.9)
