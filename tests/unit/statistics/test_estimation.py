import time

import numpy as np
import pytest
from scipy.stats import binom, ttest_ind
from simulated import chance
from sklearn.metrics import auc, brier_score_loss, roc_auc_score

from ratchet.errors import EvidenceError
from ratchet.statistics import (
    Dispersion,
    compare_levels,
    design_effect,
    expect_class_mean,
    expect_mean,
    expect_roc_auc,
    measure_dispersion,
    measure_gap,
    measure_level,
    reach_of,
    roc_auc_surprises,
)


def scored(seed: int, rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Return scores with ties, and probabilities that differ from them."""
    scores = np.random.default_rng(seed).beta(1, 2, rows).round(2)
    return scores, scores**1.3


def area_by_confusion_matrices(p: np.ndarray, scores: np.ndarray) -> float:
    """Fill the expected confusion matrix at every threshold, and measure below the curve."""
    true, false = [0.0], [0.0]
    for threshold in sorted(set(scores), reverse=True):
        tp = sum(p[i] for i in range(len(p)) if scores[i] >= threshold)
        fp = sum(1 - p[i] for i in range(len(p)) if scores[i] >= threshold)
        fn = sum(p[i] for i in range(len(p)) if scores[i] < threshold)
        tn = sum(1 - p[i] for i in range(len(p)) if scores[i] < threshold)
        true.append(tp / (tp + fn))
        false.append(fp / (fp + tn))
    return auc(false, true)


def area_by_pairs(p: np.ndarray, scores: np.ndarray) -> float:
    """Sum over all pairs of a positive and a negative, ties counting half."""
    above = (scores[:, None] > scores[None, :]) + (scores[:, None] == scores[None, :]) / 2
    pairs = p[:, None] * (1 - p[None, :])
    return float((pairs * above).sum() / (p.sum() * (1 - p).sum()))


@pytest.mark.parametrize("seed", range(5))
def test_expect_roc_auc_agrees_with_confusion_matrices_and_with_pairs(seed: int):
    scores, p = scored(seed)
    found = expect_roc_auc(p, scores).value
    assert found == pytest.approx(area_by_confusion_matrices(p, scores), abs=1e-9)
    assert found == pytest.approx(area_by_pairs(p, scores), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_expect_mean_agrees_with_the_expected_confusion_matrix(seed: int):
    # acted and disrupted 70, acted and on time 10, left and disrupted 100, left and on time 0
    scores, p = scored(seed)
    acted = scores >= 0.25
    cells = {
        (label, act): sum(
            p[i] if label else 1 - p[i] for i in range(len(p)) if bool(acted[i]) is act
        )
        for label in (True, False)
        for act in (True, False)
    }
    matrix = {(True, True): 70, (True, False): 100, (False, True): 10, (False, False): 0}
    by_hand = sum(matrix[cell] * count for cell, count in cells.items()) / len(p)
    found = expect_mean(p, np.where(acted, 70, 100), np.where(acted, 10, 0))
    assert found.value == pytest.approx(by_hand, abs=1e-9)
    brier = np.mean([p[i] * (1 - s) ** 2 + (1 - p[i]) * s**2 for i, s in enumerate(scores)])
    assert expect_mean(p, (1 - scores) ** 2, scores**2).value == pytest.approx(brier, abs=1e-9)


def test_expectations_of_certain_labels_are_what_scikit_learn_measures():
    scores, p = scored(1)
    labels = np.random.default_rng(2).random(len(p)) < p
    assert expect_roc_auc(labels, scores).value == pytest.approx(
        roc_auc_score(labels, scores), abs=1e-9
    )
    brier = expect_mean(labels, (1 - scores) ** 2, scores**2)
    assert brier.value == pytest.approx(brier_score_loss(labels, scores), abs=1e-9)
    assert brier.sampling_error == 0


def test_expect_mean_error_is_the_binomial_one():
    expected = expect_mean(np.full(50, 0.3), 1, 0)
    assert expected.sampling_error == pytest.approx(binom(50, 0.3).std() / 50)


def test_expect_class_mean_of_two_classes_is_the_binary_one():
    _, p = scored(3)
    values = np.tile([10.0, 70.0], (len(p), 1))
    found = expect_class_mean(np.column_stack([1 - p, p]), values)
    binary = expect_mean(p, 70, 10)
    assert found.rows == pytest.approx(binary.rows)
    assert found.variances == pytest.approx(binary.variances)


def test_sampling_errors_are_those_of_labels_that_are_drawn():
    rng, (scores, p) = np.random.default_rng(5), scored(4)
    drawn = rng.random((4000, len(p))) < p
    areas = [expect_roc_auc(labels, scores).value for labels in drawn[:1500]]
    assert expect_roc_auc(p, scores).sampling_error == pytest.approx(np.std(areas), rel=0.06)
    costs = np.where(drawn, 70, 10).mean(axis=1)
    assert expect_mean(p, 70, 10).sampling_error == pytest.approx(costs.std(), rel=0.04)


def test_roc_auc_surprises_add_up_to_realised_less_expected():
    scores, p = scored(6)
    labels = np.random.default_rng(7).random(len(p)) < p
    gap = roc_auc_score(labels, scores) - area_by_pairs(p, scores)
    assert roc_auc_surprises(p, scores, labels).mean() == pytest.approx(gap, abs=1e-9)


@pytest.mark.parametrize("p", [[], [0.5, float("nan")], [0.5, 1.1]])
def test_expect_unusable_probabilities_raises(p: list[float]):
    with pytest.raises(EvidenceError):
        expect_mean(p, 1, 0)


def test_expect_roc_auc_of_one_certain_class_raises():
    with pytest.raises(EvidenceError, match="nothing can be ranked"):
        expect_roc_auc([1.0, 1.0], [0.2, 0.3])


def test_design_effect_of_equal_days_is_the_anova_ratio():
    # variance of four equal days' means, over that of a mean of independent rows
    gaps = np.array([0.3, -0.1, 0.2, -0.4])
    by_hand = gaps.var(ddof=1) / 0.05**2
    assert design_effect(gaps, [0.05] * 4, [100] * 4) == pytest.approx(by_hand)
    assert design_effect(gaps / 100, [0.05] * 4, [100] * 4) == 1


def test_pooled_takes_the_median_so_that_one_strange_week_counts_little():
    own = Dispersion(gap=0.0, sampling_error=0.1, design_effect=5.0, degrees_of_freedom=10)
    pooled = own.pooled([(7.0, 6), (900.0, 6)])
    assert (pooled.design_effect, pooled.degrees_of_freedom) == (7.0, 22)


def test_compare_levels_agrees_with_scipys_welch_test():
    rng = np.random.default_rng(8)
    now, before = rng.normal(1, 1, 7), rng.normal(0, 2, 11)
    levels = [measure_level(x, np.arange(len(x))) for x in (now, before)]
    assert all(levels)
    found = compare_levels(*levels)  # type: ignore[arg-type]
    expected = ttest_ind(now, before, equal_var=False, alternative="greater")
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.estimate / found.standard_error == pytest.approx(expected.statistic)


def test_measure_level_of_one_day_is_none():
    assert measure_level([1.0, 2.0], ["mon", "mon"]) is None


def days_with_a_common_shock(rng: np.random.Generator, days: int, rows: int = 60, shift: float = 0):
    """Draw probabilities, and labels of days that have something in common beyond them."""
    day = np.repeat(np.arange(days), rows)
    p = rng.beta(1.5, 4, days * rows)
    shock = rng.normal(shift, 0.6, days)[day]
    odds = p / (1 - p) * np.exp(shock)
    # what a calibrated model would have said: its days differ, their mean does not
    return day, p, rng.random(len(p)) < odds / (1 + odds)


def gap_of_a_week(rng: np.random.Generator, shift: float = 0) -> tuple[float, float]:
    """Return p-values of a week's gap with, and without, what days have in common."""
    day, p, labels = days_with_a_common_shock(rng, 20)
    bias = (labels - p).mean()
    dispersion = measure_dispersion(labels - p - bias, expect_mean(p, 1, 0), day)
    _, q, later = days_with_a_common_shock(rng, 7, shift=shift)
    expected = expect_mean(q, 1, 0)
    naive = dispersion.model_copy(update={"design_effect": 1.0})
    surprises = later - q - bias
    return tuple(measure_gap(surprises, expected, each).p_value for each in (dispersion, naive))


def test_measure_gap_keeps_its_level_where_days_have_shocks_and_independence_does_not():
    rng = np.random.default_rng(9)
    found = np.array([gap_of_a_week(rng) for _ in range(400)])
    assert chance((found[:, 0] < 0.05).sum(), 400, 0.04, 0.06)
    assert (found[:, 1] < 0.05).mean() > 0.2


def test_measure_gap_finds_a_changed_concept():
    rng = np.random.default_rng(10)
    found = [gap_of_a_week(rng, shift=1.5)[0] for _ in range(50)]
    assert np.mean(np.array(found) < 0.001) > 0.9


def test_measure_gap_limit_is_beyond_its_interval():
    expected = expect_mean(np.full(100, 0.3), 1, 0)
    dispersion = Dispersion(gap=0.0, sampling_error=0.02, design_effect=2.0, degrees_of_freedom=12)
    gap = measure_gap(np.zeros(100), expected, dispersion)
    assert gap.limit > gap.high == reach_of(expected, dispersion, 0.95)
    assert gap.p_value == 1


def test_expect_a_million_rows_costs_less_than_a_cpu_second():
    rng = np.random.default_rng(11)
    p = rng.beta(1, 3, 1_000_000)
    started = time.process_time()
    expect_mean(p, np.where(p >= 0.25, 70, 100), np.where(p >= 0.25, 10, 0))
    expect_mean(p, (1 - p) ** 2, p**2)
    expect_roc_auc(p, p)
    assert time.process_time() - started < 1
