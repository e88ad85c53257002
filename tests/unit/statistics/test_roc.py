import numpy as np
import pytest
from scipy.stats import norm
from simulated import chance
from sklearn.metrics import roc_auc_score

from ratchet.errors import EvidenceError
from ratchet.statistics import (
    clustered_means,
    compare_by_cluster,
    compare_by_delong,
    delong,
    roc_auc_contributions,
    sum_by_cluster,
)

# DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, table 1: albumin, total protein, K-G
# score, and whether surgery helped, of the patients with no value missing. The results are those
# of the SAS/STAT User's Guide, PROC LOGISTIC, "Comparing Receiver Operating Characteristic Curves".
TABLE = """3.0 5.8 10 0 3.2 6.3 5 1 3.9 6.8 3 1 2.8 4.8 6 0 3.2 5.8 3 1 0.9 4.0 5 0 2.5 5.7 8 0
    1.6 5.6 5 1 3.8 5.7 5 1 3.7 6.7 6 1 3.2 5.4 4 1 3.8 6.6 6 1 4.1 6.6 5 1 3.6 5.7 5 1 4.3 7.0 4 1
    3.6 6.7 4 0 2.3 4.4 6 1 4.2 7.6 4 0 4.0 6.6 6 0 3.5 5.8 6 1 3.8 6.8 7 1 3.0 4.7 8 0 4.5 7.4 5 1
    3.7 7.4 5 1 3.1 6.6 6 1 4.1 8.2 6 1 4.3 7.0 5 1 4.3 6.5 4 1 3.2 5.1 5 1 2.6 4.7 6 1 3.3 6.8 6 0
    1.7 4.0 7 0 3.7 6.1 5 1 3.3 6.3 7 1 4.2 7.7 6 1 3.5 6.2 5 1 2.9 5.7 9 0 2.1 4.8 7 1 2.8 6.2 8 0
    4.0 7.0 7 1 3.3 5.7 6 1 3.7 6.9 5 1 3.6 6.6 5 1"""
PATIENTS = np.array(TABLE.split(), dtype=float).reshape(-1, 4)
ALBUMIN, PROTEIN, KG, HELPED = PATIENTS[:, 0], PATIENTS[:, 1], 10 - PATIENTS[:, 2], PATIENTS[:, 3]


def test_delong_areas_and_errors_are_published():
    found = delong(HELPED, [ALBUMIN, KG, PROTEIN])
    assert found.areas == pytest.approx([0.7366, 0.7258, 0.6478], abs=5e-5)
    errors = np.sqrt(np.diag(found.covariance))
    assert errors == pytest.approx([0.0927, 0.1028, 0.1000], abs=5e-5)


@pytest.mark.parametrize(
    ("other", "difference", "error", "low", "high", "two_sided"),
    [
        (ALBUMIN, 0.0108, 0.0953, -0.1761, 0.1976, 0.9102),
        (PROTEIN, -0.0780, 0.1046, -0.2830, 0.1271, 0.4561),
    ],
)
def test_compare_by_delong_is_published(other, difference, error, low, high, two_sided):
    # SAS subtracts the area of the K-G score from the other's; so does a loss of 1 - area when the
    # K-G score is the first model.
    found = compare_by_delong(HELPED, KG, other, margin=0.0, confidence=0.95)
    assert found.estimate == pytest.approx(difference, abs=5e-5)
    assert found.standard_error == pytest.approx(error, abs=5e-5)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert 2 * min(found.p_value, 1 - found.p_value) == pytest.approx(two_sided, abs=5e-5)


def test_delong_joint_contrast_is_published():
    # SAS: chi-square 2.5340 with 2 degrees of freedom for both contrasts with the K-G score
    found = delong(HELPED, [ALBUMIN, KG, PROTEIN])
    contrasts = np.array([[1, -1, 0], [0, -1, 1]])
    away = contrasts @ found.areas
    spread = contrasts @ found.covariance @ contrasts.T
    assert away @ np.linalg.solve(spread, away) == pytest.approx(2.5340, abs=5e-5)


def draw(generator, rows=400, days=20, shared=1.0, ties=True):
    day = generator.integers(0, days, rows)
    label = generator.random(rows) < norm.cdf(generator.normal(-0.5, shared, days)[day])
    score = label + generator.normal(size=rows) + shared * generator.normal(size=days)[day]
    return label, np.round(score, 1) if ties else score, day


@pytest.mark.parametrize("seed", range(5))
def test_delong_areas_with_ties_are_those_of_sklearn(seed):
    label, score, _ = draw(np.random.default_rng(seed))
    assert delong(label, [score]).areas[0] == pytest.approx(roc_auc_score(label, score))
    assert roc_auc_contributions(label, score).mean() == pytest.approx(roc_auc_score(label, score))


def test_delong_covariance_is_the_sum_over_all_pairs():
    # DeLong et al. (1988), equations 4 to 6, written out over the m x n pairs.
    label, score, _ = draw(np.random.default_rng(9), rows=60)
    scores = np.stack([score, np.roll(score, 1)])
    wins = [
        (s[label][:, None] > s[~label]) + 0.5 * (s[label][:, None] == s[~label]) for s in scores
    ]
    above, below = np.stack([w.mean(1) for w in wins]), np.stack([w.mean(0) for w in wins])
    expected = np.cov(above) / label.sum() + np.cov(below) / (~label).sum()
    assert delong(label, scores).covariance == pytest.approx(expected)


def test_roc_auc_contributions_of_independent_rows_give_the_error_of_delong():
    label, score, _ = draw(np.random.default_rng(10), rows=3000, shared=0.0)
    sums = sum_by_cluster(roc_auc_contributions(label, score), np.arange(3000))
    expected = np.sqrt(delong(label, [score]).covariance[0, 0])
    assert clustered_means(sums, 0.9).standard_error == pytest.approx(expected, rel=2e-3)


def test_roc_auc_contributions_of_repeated_rows_have_the_error_of_the_rows_once():
    # Obuchowski (1997), section 2: rows that only repeat each other are one row.
    label, score, _ = draw(np.random.default_rng(11), rows=500)
    once = roc_auc_contributions(label, score)
    thrice = roc_auc_contributions(np.repeat(label, 3), np.repeat(score, 3))
    errors = [
        float(clustered_means(sum_by_cluster(x, cluster), 0.9).standard_error)
        for x, cluster in ((once, np.arange(500)), (thrice, np.repeat(np.arange(500), 3)))
    ]
    assert errors[1] == pytest.approx(errors[0], rel=1e-9)


@pytest.mark.parametrize("clustered", [True, False])
def test_roc_auc_by_day_covers_where_rows_do_not(clustered):
    # Days share shocks in label and score, so the area of 400 rows varies as if there were fewer.
    generator, draws = np.random.default_rng(12), 300
    truth = roc_auc_score(*draw(generator, rows=400_000, days=20_000, ties=False)[:2])
    covered = 0
    for _ in range(draws):
        label, score, day = draw(generator, rows=600, days=30, ties=False)
        found = clustered_means(
            sum_by_cluster(
                roc_auc_contributions(label, score), day if clustered else np.arange(len(day))
            ),
            0.9,
        )
        covered += bool(found.low <= truth <= found.high)
    assert chance(covered, draws, *((0.85, 0.92) if clustered else (0.5, 0.75)))


def test_roc_auc_contributions_compare_two_models_by_day():
    label, score, day = draw(np.random.default_rng(13), rows=6000, days=60)
    noise = np.random.default_rng(14).normal(size=6000)
    worse = score + noise
    differences = roc_auc_contributions(label, worse) - roc_auc_contributions(label, score)
    found = compare_by_cluster(differences, day, margin=0.0, confidence=0.9)
    expected = roc_auc_score(label, worse) - roc_auc_score(label, score)
    assert found.estimate == pytest.approx(expected)
    assert found.p_value < 0.01


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([1, 0, 0], [[1, 2, 3]], "two rows of either label"),
        ([1, 1, 0, 0], [[1, np.nan, 3, 4]], "missing or not finite"),
        ([1, 1, 0, 0], [[1, 2, 3]], "do not belong together"),
    ],
)
def test_delong_bad_rows_raise(labels, scores, message):
    with pytest.raises(EvidenceError, match=message):
        delong(labels, scores)
