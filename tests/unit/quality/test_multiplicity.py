import numpy as np
import pytest
from scipy.stats import false_discovery_control

from ratchet.quality import benjamini_hochberg

# Benjamini and Hochberg (1995), section 3.1: fifteen tests, of which four are found at q = .05.
PUBLISHED = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
]


def test_benjamini_hochberg_published_example_finds_the_first_four():
    assert benjamini_hochberg(PUBLISHED, 0.05).tolist() == [True] * 4 + [False] * 11


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("q", [0.01, 0.1, 0.5])
def test_benjamini_hochberg_finds_what_scipy_finds(seed, q):
    generator = np.random.default_rng(seed)
    p = np.r_[generator.uniform(size=300), generator.beta(0.05, 5, size=30), 0.0, 1.0]
    p = np.r_[p, p[:40]]
    found = benjamini_hochberg(p, q)
    assert 0 < found.sum() < p.size
    assert found.tolist() == (false_discovery_control(p) <= q).tolist()


def test_benjamini_hochberg_nan_is_no_finding_and_no_test():
    with_nan = np.insert(np.array(PUBLISHED), [0, 7, 15], np.nan)
    found = benjamini_hochberg(with_nan, 0.05)
    assert not found[np.isnan(with_nan)].any()
    assert found[~np.isnan(with_nan)].tolist() == benjamini_hochberg(PUBLISHED, 0.05).tolist()


@pytest.mark.parametrize("p", [[], [np.nan, np.nan], [0.6, 0.7]])
def test_benjamini_hochberg_of_nothing_finds_nothing(p):
    assert benjamini_hochberg(p, 0.05).tolist() == [False] * len(p)


@pytest.mark.parametrize(("p", "q"), [([1.1], 0.1), ([-0.1], 0.1), ([0.1], 0.0), ([0.1], 1.0)])
def test_benjamini_hochberg_out_of_range_raises(p, q):
    with pytest.raises(ValueError, match=r"; give|give a share"):
        benjamini_hochberg(p, q)
