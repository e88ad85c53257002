import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon
from simulated import chance

from ratchet.errors import EvidenceError
from ratchet.statistics import (
    LEAST_EXPECTED,
    UNUSUAL,
    Chance,
    design_effect_of_cumulative,
    design_effect_of_mean,
    design_effect_of_shares,
    jensen_shannon,
    kolmogorov_smirnov,
    mean_shift,
    population_stability,
    share_change,
    transport_law,
    wasserstein,
)

LEVEL = 0.05


def sizes(before, now) -> Chance:
    return Chance(int(np.sum(before)), int(np.sum(now)))


def binned(edges, values):
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)


def test_population_stability_agrees_with_both_kullback_leibler_divergences():
    # PSI is their sum (Jeffreys 1946); scipy.stats.entropy computes each on its own. Half a row
    # in the logarithm is nothing among a million
    before = np.full(10, 100_000)
    now = np.array([40, 60, 80, 90, 100, 100, 110, 120, 140, 160]) * 1000
    independent = stats.entropy(now, before) + stats.entropy(before, now)
    assert population_stability(before, now, sizes(before, now)).value == pytest.approx(
        independent, rel=1e-4
    )


def test_population_stability_worked_by_hand():
    # (.3 - .2) ln(30.5 / 20.5) + (.7 - .8) ln(70.5 / 80.5) = .1 * .397302 + .1 * .132645
    found = population_stability([20, 80], [30, 70], Chance(100, 100))
    assert found.value == pytest.approx(0.0529947, abs=1e-7)


def test_population_stability_null_quantiles_are_published():
    # chi-square with 9 degrees: 16.919 at .05 and 27.877 at .001 (NIST/SEMATECH e-Handbook of
    # Statistical Methods, 1.3.6.7.4), times 1/n + 1/m
    before = np.full(10, 1000)
    found = population_stability(before, before, sizes(before, before))
    assert found.limit == pytest.approx(27.877 * 2 / 10_000, rel=1e-4)
    wanted = 16.919 * 2 / 10_000
    near = population_stability(before, before + np.tile([1, -1], 5) * 58, Chance(10_000, 10_000))
    assert near.value == pytest.approx(wanted, rel=0.01)
    assert near.p_value == pytest.approx(0.05, abs=0.004)


def test_population_stability_design_effect_and_few_blocks_widen_the_law():
    before, now = np.full(10, 1000), np.full(10, 1000)
    plain = population_stability(before, now, sizes(before, now))
    wide = population_stability(before, now, sizes(before, now)._replace(design=4.0))
    assert wide.limit == pytest.approx(4 * plain.limit)
    few = population_stability(before, now, sizes(before, now)._replace(degrees=5))
    # F with 9 and 45 degrees of freedom
    assert few.limit == pytest.approx(stats.f.isf(UNUSUAL, 9, 45) * 9 * 2 / 10_000, rel=1e-6)


def test_population_stability_empty_bin_stays_finite():
    assert 0.25 < population_stability([500, 500, 0], [400, 400, 200], Chance(1000, 1000)).value < 5


def test_population_stability_bins_of_few_rows_are_merged_with_each_other():
    before = [1000, 1000, *[3] * 40]
    found = population_stability(before, before, sizes(before, before))
    # 40 levels of 3 expected rows: groups of ten rows and more
    assert found.bins in range(2 + 120 // 15, 2 + 120 // int(LEAST_EXPECTED) + 1)
    alone = population_stability([1000, 1000, 2], [1000, 1000, 1], Chance(2002, 2001))
    assert alone.bins == 2


def test_population_stability_only_rare_levels_is_one_bin_and_no_drift():
    found = population_stability([1, 2, 1], [2, 1, 1], Chance(4, 4))
    assert (found.value, found.p_value, found.bins) == (0.0, 1.0, 1)


@pytest.mark.parametrize(("before", "now"), [([1, 2], [1, 2, 3]), ([0, 0], [1, 2]), ([1], [0])])
def test_population_stability_bins_that_do_not_correspond_raise(before, now):
    with pytest.raises(EvidenceError, match="can't be compared"):
        population_stability(before, now, Chance(3, 3))


def test_jensen_shannon_is_scipys_distance_squared():
    before, now = np.array([400, 300, 200, 100]), np.array([100, 200, 300, 400])
    found = jensen_shannon(before, now, sizes(before, now))
    assert found.value == pytest.approx(jensenshannon(before, now, base=2) ** 2)


def test_kolmogorov_smirnov_of_single_values_is_scipys():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=4000), rng.normal(0.02, 1.05, size=3000)
    edges = np.sort(np.concatenate([x, y]))
    found = kolmogorov_smirnov(binned(edges, x), binned(edges, y), Chance(4000, 3000))
    theirs = stats.ks_2samp(x, y, method="asymp")
    assert found.value == pytest.approx(theirs.statistic, abs=1e-12)
    # scipy's asymptotic p-value is that of the exact law of one sample of the harmonic size
    assert found.p_value == pytest.approx(theirs.pvalue, rel=0.1)


def test_kolmogorov_smirnov_limit_is_published():
    # Smirnov (1948), table: K(1.36) = .9505, K(1.95) = .9990
    before = np.full(4, 50)
    found = kolmogorov_smirnov(before, before, Chance(200, 200))
    assert found.limit == pytest.approx(1.95 * (2 / 200) ** 0.5, rel=1e-3)
    moved = kolmogorov_smirnov([136, 64], [109, 91], Chance(200, 200))
    assert moved.p_value == pytest.approx(0.0524, abs=0.001)  # 1.35: K = .9478


def test_kolmogorov_smirnov_few_blocks_widen_as_students_law():
    before = np.full(4, 50)
    known = kolmogorov_smirnov(before, before, Chance(200, 200))
    few = kolmogorov_smirnov(before, before, Chance(200, 200, degrees=10))
    # .0005 of Student's law with 10 degrees lies at 4.587; beyond as much of the normal law lie
    # 4.5e-6 on both sides, and 2 exp(-2 x²) is as little at 2.550
    assert few.limit == pytest.approx(2.550 * (2 / 200) ** 0.5, rel=1e-3)
    assert known.limit == pytest.approx(1.949 * (2 / 200) ** 0.5, rel=1e-3)


def test_wasserstein_of_fine_bins_is_scipys():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=20_000), rng.normal(0.15, 1.2, size=20_000)
    edges = np.quantile(x, np.linspace(0.001, 0.999, 64))
    law = transport_law(edges, binned(edges, x), 1.0)
    found = wasserstein(edges, binned(edges, x), binned(edges, y), law, 1.0, Chance(20_000, 20_000))
    assert found.value == pytest.approx(stats.wasserstein_distance(x, y), abs=0.01)


def test_wasserstein_crossing_inside_a_bin_is_by_hand():
    # cumulative shares differ by +.25 and -.25 at the ends of a bin of width 1: two triangles
    law = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    found = wasserstein([0.0, 1.0], [2, 1, 1], [1, 3, 0], law, 1.0, Chance(4, 4))
    assert found.value == pytest.approx(2 * 0.5 * 0.5 * 0.25)
    assert mean_shift([0.0, 1.0], [2, 1, 1], [1, 3, 0]) == pytest.approx(0.0)


def test_wasserstein_outlier_counts_as_if_it_lay_on_the_last_edge():
    edges = np.linspace(-2, 2, 41)
    before = binned(edges, np.linspace(-2, 2, 1001))
    law = transport_law(edges, before, 1.15)
    near, far = (binned(edges, [*np.linspace(-2, 2, 1000), x]) for x in (2.1, 1e30))
    results = [
        wasserstein(edges, before, now, law, 1.15, Chance(1001, 1001)) for now in (near, far)
    ]
    assert results[0] == results[1]
    assert results[0].value < 0.01


def test_transport_law_of_the_uniform_is_published():
    # Johnson and Killeen (1983), Annals of Probability 11, table 1: .4993 at .90, .5821 at .95; the
    # standard deviation of the uniform is 12 ** -.5. With 2,000 draws some .015 are chance
    edges = np.linspace(0, 1, 201)[1:-1]
    law = transport_law(edges, np.full(200, 5), 12**-0.5)
    assert np.array(law[-2:]) * 12**-0.5 == pytest.approx([0.4993, 0.5821], abs=0.02)
    # the same table: .7518 at .99, beyond the levels that are kept
    found = wasserstein([0.0, 1.0], [0, 1, 0], [0, 1, 0], law, 12**-0.5, Chance(2.0, 2.0))
    assert found.value == 0
    assert found.limit * 12**-0.5 == pytest.approx(0.958, abs=0.04)  # ratio of normal tails


def test_mean_shift_is_the_difference_of_means():
    edges = [0.0, 1.0, 2.0, 3.0]
    # rows in the middles .5 and 2.5
    assert mean_shift(edges, [0, 8, 0, 2, 0], [0, 2, 0, 8, 0]) == pytest.approx(0.6 * 2)


def test_share_change_score_test_is_chi_square_without_correction():
    found = share_change(40, 75, Chance(1000, 1200))
    table = [[40, 960], [75, 1125]]
    assert found.value == pytest.approx(75 / 1200 - 40 / 1000)
    assert found.p_value == pytest.approx(
        stats.chi2_contingency(table, correction=False).pvalue, rel=1e-9
    )


def test_share_change_few_hits_agrees_with_fisher():
    # with few hits among many rows the hypergeometric law is near the binomial one
    found = share_change(1, 8, Chance(10_000, 10_000))
    fisher = stats.fisher_exact([[1, 9999], [8, 9992]]).pvalue
    assert found.p_value == pytest.approx(fisher, rel=0.01)
    assert found.p_value > UNUSUAL
    assert found.value <= found.limit


def test_share_change_nothing_missing_on_either_side_is_no_change():
    assert share_change(0, 0, Chance(1000, 1000))[:3] == (0.0, 0.0, 1.0)


def test_share_change_three_percent_of_new_missing_values_are_seen():
    found = share_change(0, 30, Chance(30_000, 1000))
    assert found.p_value < 1e-20
    assert found.value > found.limit


def test_share_change_rare_values_left_are_few_hits_too():
    found = share_change(10_000, 990, Chance(10_000, 1000))
    assert found.p_value == pytest.approx(stats.binom.sf(9, 10, 1000 / 11_000) * 2, rel=1e-9)


def test_design_effect_is_pearsons_statistic_by_its_degrees_of_freedom():
    table = np.array([[30, 50, 20], [25, 60, 40], [10, 5, 30]])
    statistic = stats.chi2_contingency(table, correction=False).statistic
    assert design_effect_of_shares(table) == pytest.approx(statistic / 4)


def test_design_effects_of_one_block_or_one_bin_are_unknown():
    assert np.isnan(design_effect_of_shares([[1, 2]]))
    assert np.isnan(design_effect_of_shares([[1], [2]]))
    assert np.isnan(design_effect_of_cumulative([[3, 0], [4, 0]]))
    assert np.isnan(design_effect_of_mean([[3, 0], [4, 0]], [1.0, 2.0]))


def test_design_effects_of_days_with_shocks_are_those_of_theory():
    # x = shock of the day + noise, variances 1 and 4: the mean of 50 rows varies 1 + 49 * 1/5 times
    # as much as that of independent ones (Kish, Survey Sampling, 1965, section 5.4)
    rng = np.random.default_rng(3)
    edges = np.linspace(-8, 8, 200)
    x = rng.normal(size=(800, 1)) + 2 * rng.normal(size=(800, 50))
    table = np.array([binned(edges, day) for day in x])
    middles = np.convolve([edges[0], *edges, edges[-1]], [0.5, 0.5], "valid")
    assert design_effect_of_mean(table, middles) == pytest.approx(10.8, rel=0.15)
    y = 5**0.5 * rng.normal(size=x.shape)
    independent = np.array([binned(edges, day) for day in y])
    assert design_effect_of_mean(independent, middles) == pytest.approx(1, abs=0.15)
    assert design_effect_of_cumulative(independent) == pytest.approx(1, abs=0.15)
    assert 3 < design_effect_of_cumulative(table) < 10.8


def rejected(draws, rng, law):
    return sum(law(rng) < LEVEL for _ in range(draws))


def levels_law(rows, past, levels):
    """P-values of PSI and of Jensen-Shannon where nothing changed, each of `levels` as frequent."""

    def draw(rng):
        before, now = (rng.multinomial(n, np.full(levels, 1 / levels)) for n in (past, rows))
        return population_stability(before, now, sizes(before, now)).p_value

    def draw_information(rng):
        before, now = (rng.multinomial(n, np.full(levels, 1 / levels)) for n in (past, rows))
        return jensen_shannon(before, now, sizes(before, now)).p_value

    return draw, draw_information


@pytest.mark.parametrize(("rows", "past"), [(33_000, 33_000), (336_000, 336_000), (6000, 10**6)])
def test_ten_thousand_levels_without_drift_stay_silent(rows, past):
    rng = np.random.default_rng(rows)
    for law in levels_law(rows, past, 10_000):
        assert chance(rejected(40, rng, law), 40, 0.0, LEVEL + 0.03)


@pytest.mark.simulation
@pytest.mark.parametrize("rows", [33_000, 336_000, 1_000_000])
@pytest.mark.parametrize("past", [33_000, 1_000_000])
def test_ten_thousand_levels_rejection_rates(rows, past):
    rng = np.random.default_rng(rows + past)
    for law in levels_law(rows, past, 10_000):
        assert chance(rejected(1000, rng, law), 1000, LEVEL - 0.02, LEVEL + 0.02)


def shifted_days(rng, days, rows, edges):
    """Rows of days that share a shock, binned by day."""
    x = 0.5 * rng.normal(size=(days, 1)) + rng.normal(size=(days, rows))
    return np.array([binned(edges, day) for day in x])


def dependent_law(rng, edges, middles, law):
    """P-values of one unchanged week against eight before, with a design effect by week."""
    weeks = np.array([shifted_days(rng, 7, 100, edges).sum(axis=0) for _ in range(9)])
    before, now = weeks[:8].sum(axis=0), weeks[8]
    plain = sizes(before, now)

    def widened(effect):
        return plain._replace(design=max(effect, 1.0), degrees=7)

    return {
        "psi": population_stability(before, now, widened(design_effect_of_shares(weeks[:8]))),
        "js": jensen_shannon(before, now, widened(design_effect_of_shares(weeks[:8]))),
        "ks": kolmogorov_smirnov(before, now, widened(design_effect_of_cumulative(weeks[:8]))),
        "wasserstein": wasserstein(
            edges, before, now, law, 1.1, widened(design_effect_of_mean(weeks[:8], middles))
        ),
        "ignored": kolmogorov_smirnov(before, now, plain),
    }


def dependent_rejections(draws, level):
    rng = np.random.default_rng(9)
    edges = stats.norm.ppf(np.arange(1, 10) / 10) * 1.25**0.5
    middles = np.convolve([edges[0], *edges, edges[-1]], [0.5, 0.5], "valid")
    law = transport_law(edges, shifted_days(rng, 300, 100, edges).sum(axis=0), 1.1)
    found: dict[str, int] = {}
    for _ in range(draws):
        for name, each in dependent_law(rng, edges, middles, law).items():
            found[name] = found.get(name, 0) + (each.p_value < level)
    return found


def test_dependent_days_are_no_drift_with_a_design_effect_and_drift_without():
    found = dependent_rejections(150, LEVEL)
    ignored = found.pop("ignored")
    assert ignored > 75
    assert all(chance(count, 150, 0.0, 0.07) for count in found.values())


@pytest.mark.simulation
@pytest.mark.parametrize("level", [0.05, 0.001])
def test_dependent_days_rejection_rates(level):
    found = dependent_rejections(20_000, level)
    ignored = found.pop("ignored")
    assert ignored > 10_000
    assert all(count < 1.5 * level * 20_000 + 20 for count in found.values()), found


def quantile_law(draws, seed):
    """How often unchanged normal rows are above each limit, of 134 bins, against a wide past."""
    rng = np.random.default_rng(seed)
    edges = stats.norm.ppf(np.linspace(0.001, 0.999, 66))
    before = binned(edges, rng.normal(size=100_000))
    law = transport_law(edges, before, 0.998)
    ks = transport = 0
    for _ in range(draws):
        past = rng.multinomial(20_000, before / before.sum())
        now = rng.multinomial(2000, before / before.sum())
        ks += kolmogorov_smirnov(past, now, Chance(20_000, 2000)).p_value < LEVEL
        transport += wasserstein(edges, past, now, law, 0.998, Chance(20_000, 2000)).p_value < LEVEL
    return ks, transport


def test_kolmogorov_smirnov_and_wasserstein_rarely_reject_what_did_not_change():
    ks, transport = quantile_law(400, seed=4)
    assert chance(ks, 400, 0.02, LEVEL)  # between edges it is larger: fewer than the level
    assert chance(transport, 400, 0.04, 0.06)


@pytest.mark.simulation
def test_kolmogorov_smirnov_and_wasserstein_rejection_rates():
    ks, transport = quantile_law(20_000, seed=5)
    assert chance(ks, 20_000, 0.03, LEVEL)
    assert chance(transport, 20_000, 0.042, 0.056)
