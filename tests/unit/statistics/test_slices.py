import numpy as np
import pytest
from simulated import chance

from ratchet.errors import EvidenceError
from ratchet.statistics import (
    Levels,
    compare_by_cluster,
    compare_slices,
    shrink,
    variance_between,
)

# Thirteen trials of BCG vaccine, Colditz et al. (1994), JAMA 271: cases and non-cases, vaccinated
# and not.
BCG = np.array(
    [
        *([4, 119, 11, 128], [6, 300, 29, 274], [3, 228, 11, 209], [62, 13536, 248, 12619]),
        *([33, 5036, 47, 5761], [180, 1361, 372, 1079], [8, 2537, 10, 619]),
        *([505, 87886, 499, 87892], [29, 7470, 45, 7232], [17, 1699, 65, 1600]),
        *([186, 50448, 141, 27197], [5, 2493, 3, 2338], [27, 16886, 29, 17825]),
    ]
)


def test_variance_between_trials_is_published():
    # metafor 4, rma(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg,
    # method = "HE"): tau^2 = 0.3286
    a, b, c, d = BCG.T
    effects = np.log(a / (a + b)) - np.log(c / (c + d))
    errors = np.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))
    assert variance_between(effects, errors) == pytest.approx(0.3286, abs=5e-5)


def test_shrink_worked_out_by_hand():
    # Variance 50 of 10 and 0, less mean squared error 25: half of each distance from 4 is left.
    assert shrink([10, 0], [5, 5], 4.0) == pytest.approx([4 + 6 * 0.5, 4 - 4 * 0.5])


@pytest.mark.parametrize(
    ("estimates", "errors", "expected"),
    [([1, 2], [9, 9], [4, 4]), ([1], [0.1], [4]), ([1, 2], [0, 0], [1, 2]), ([], [], [])],
)
def test_shrink_noise_to_the_middle_and_certainty_not_at_all(estimates, errors, expected):
    assert shrink(estimates, errors, 4.0).tolist() == expected


def draw(generator, worse=0.0, rows=4000, days=30):
    """Return differences, days and two columns, of which one has a level that is worse."""
    day = generator.integers(0, days, rows)
    columns = {"carrier": generator.integers(0, 12, rows), "origin": generator.integers(0, 3, rows)}
    shock = generator.normal(0, 0.5, days)[day]
    x = generator.normal(size=rows) * 3 + shock + worse * (columns["carrier"] == 5)
    return x, day, columns


def compare(x, day, columns, margin=0.0, min_rows=50, min_clusters=5):
    levels = {name: Levels.of(column) for name, column in columns.items()}
    return compare_slices(
        x, day, levels, margin=margin, min_rows=min_rows, min_clusters=min_clusters
    )


def test_compare_slices_estimates_are_those_of_the_rows_alone():
    x, day, columns = draw(np.random.default_rng(1))
    found = compare(x, day, columns, margin=0.2)
    assert len(found) == 15
    for each in found:
        own = columns[each.column].astype(str) == each.level
        # worse by more than the margin: the same test with both signs turned
        alone = compare_by_cluster(-x[own], day[own], margin=-0.2, confidence=0.9)
        assert (each.rows, each.clusters) == (alone.rows, alone.clusters)
        assert each.estimate == pytest.approx(-alone.estimate)
        assert each.standard_error == pytest.approx(alone.standard_error)
        assert each.adjusted_p_value >= alone.p_value * (1 - 1e-12)


def test_compare_slices_one_that_is_worse_comes_first_and_is_found():
    found = compare(*draw(np.random.default_rng(2), worse=2.0))
    assert (found[0].column, found[0].level) == ("carrier", "5")
    assert found[0].adjusted_p_value < 0.01
    assert found[0].shrunken < found[0].estimate
    assert [each.shrunken for each in found] == sorted((e.shrunken for e in found), reverse=True)


def test_compare_slices_within_the_margin_is_not_found():
    found = compare(*draw(np.random.default_rng(2), worse=2.0), margin=3.0)
    assert min(each.adjusted_p_value for each in found) == 1


def test_compare_slices_any_false_finding_is_rare():
    generator, draws = np.random.default_rng(3), 300
    wrong = sum(
        min(each.adjusted_p_value for each in compare(*draw(generator, rows=1500))) < 0.05
        for _ in range(draws)
    )
    # the shocks are shared by all slices, so that their tests are dependent: .05 at most
    assert chance(wrong, draws, 0.01, 0.05)


def test_compare_slices_shrunken_errs_less_than_measured():
    generator = np.random.default_rng(4)
    truth = np.append(np.zeros(11), 1.0)
    measured = shrunken = 0.0
    for _ in range(40):
        day, level = generator.integers(0, 30, 600), generator.integers(0, 12, 600)
        x = truth[level] + generator.normal(size=600) * 3
        for each in compare(x, day, {"level": level}, min_rows=2):
            measured += (each.estimate - truth[int(each.level)]) ** 2
            shrunken += (each.shrunken - truth[int(each.level)]) ** 2
    assert shrunken < 0.7 * measured


def test_compare_slices_small_ones_are_left_out():
    x, day, columns = draw(np.random.default_rng(5))
    columns["rare"] = np.where(np.arange(len(x)) < 30, "few rows", "many rows")
    columns["day"] = np.where(day < 3, "few days", "many days")
    levels = {(each.column, each.level) for each in compare(x, day, columns)}
    assert {("rare", "many rows"), ("day", "many days")} <= levels
    assert not {("rare", "few rows"), ("day", "few days")} & levels


def test_compare_slices_equal_models_are_worse_nowhere():
    _, day, columns = draw(np.random.default_rng(6))
    found = compare(np.zeros(len(day)), day, columns)
    assert found
    assert {(each.shrunken, each.adjusted_p_value) for each in found} == {(0.0, 1.0)}


def test_compare_slices_that_lose_just_the_margin_are_not_found():
    rows = np.arange(47)
    found = compare_slices(
        np.full(47, 0.1),
        np.repeat(np.arange(8), [3, 5, 7, 11, 2, 9, 4, 6]),
        {"parity": Levels.of(rows % 2), "third": Levels.of(rows % 3)},
        margin=0.1,
        min_rows=3,
        min_clusters=2,
    )
    assert {each.adjusted_p_value for each in found} == {1.0}


def test_compare_slices_nan_raises():
    x, day, columns = draw(np.random.default_rng(7))
    x[3] = np.nan
    with pytest.raises(EvidenceError, match="missing or not finite"):
        compare(x, day, columns)
