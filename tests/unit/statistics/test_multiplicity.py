import numpy as np
import pytest
from scipy.stats import false_discovery_control
from simulated import chance

from ratchet.statistics import benjamini_hochberg, chance_of_any, holm, level_per_look

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


def test_holm_example_worked_out_by_hand():
    # Sorted .005, .01, .03, .04 times 4, 3, 2, 1, and never below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_published_example_finds_the_first_three():
    # Benjamini and Hochberg (1995), section 3.1, say so of Bonferroni's, which Holm's contains; the
    # fourth is .0095 * 12 = .114.
    found = holm(PUBLISHED)
    assert (found <= 0.05).tolist() == [True] * 3 + [False] * 12
    assert found[3] == pytest.approx(0.114)


def test_holm_nan_is_no_test():
    found = holm([0.01, np.nan, 0.04])
    assert found[[0, 2]] == pytest.approx([0.02, 0.04])
    assert np.isnan(found[1])


def test_holm_of_nothing_finds_nothing():
    assert holm([]).tolist() == []


@pytest.mark.parametrize("p", [1.1, -0.1])
def test_holm_out_of_range_raises(p):
    with pytest.raises(ValueError, match="give NaN"):
        holm([0.5, p])


def test_holm_any_false_finding_is_as_rare_as_stated():
    generator, draws = np.random.default_rng(3), 4000
    wrong = sum((holm(p) <= 0.05).any() for p in generator.uniform(size=(draws, 12)))
    # independent and all null: 1 - (1 - .05 / 12)^12 = .0489
    assert chance(wrong, draws, 0.0489, 0.0489)


def test_chance_of_any_is_seen_in_draws():
    generator, draws = np.random.default_rng(4), 4000
    seen = (generator.uniform(size=(draws, 52)) < 0.05).any(axis=1).sum()
    assert chance(int(seen), draws, *[chance_of_any(0.05, 52)] * 2)


def test_level_per_look_of_a_year_leaves_the_chance():
    assert level_per_look(0.05, 52) == pytest.approx(1 - 0.95 ** (1 / 52))
    assert chance_of_any(level_per_look(0.05, 52), 52) == pytest.approx(0.05)
