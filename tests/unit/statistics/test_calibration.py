import numpy as np
import pytest
from scipy.special import expit, logit
from simulated import chance
from sklearn.linear_model import LogisticRegression

from ratchet.errors import EvidenceError
from ratchet.statistics import measure_calibration, spiegelhalter


def draw(generator, n_days=40, rows=50, shock=0.0, slope=1.0, intercept=0.0):
    """Return probabilities, and labels that recalibrate with `slope` and `intercept`."""
    day = np.repeat(np.arange(n_days), rows)
    z = generator.normal(-1, 1, len(day))
    truth = expit(slope * z + intercept + generator.normal(0, shock, n_days)[day])
    return expit(z), generator.random(len(day)) < truth, day


def test_measure_calibration_recalibration_is_that_of_statsmodels():
    # statsmodels 0.15.0: Logit(y, [z, 1]).fit(cov_type="cluster", cov_kwds={"groups": days,
    # "use_correction": False}); Hotelling's test of (1, 0) with its covariance times 20 / 19.
    generator = np.random.default_rng(11)
    days = np.repeat(np.arange(20), 15)
    shock = generator.normal(0, 0.5, 20)[days]
    z = generator.normal(-1, 1, 300)
    labels = generator.random(300) < 1 / (1 + np.exp(-(0.8 * z + 0.3 + shock)))
    found = measure_calibration(expit(z), labels, days, bins=10)
    assert found.slope == pytest.approx(0.70531312, rel=1e-6)
    assert found.intercept == pytest.approx(0.28202837, rel=1e-6)
    assert found.p_value == pytest.approx(0.004458011133850637, rel=1e-5)


def test_measure_calibration_error_worked_out_by_hand():
    # Two bins of four rows: .2 said and 1 of 4 occurred, .6 said and 2 of 4.
    found = measure_calibration(
        [0.2] * 4 + [0.6] * 4, [1, 0, 0, 0, 1, 1, 0, 0], [0, 1, 2, 3] * 2, bins=2
    )
    assert found.error == pytest.approx((0.05 + 0.1) / 2)
    assert found.bias == pytest.approx(0.4 - 3 / 8)
    # each row is a cluster of its bin: s / 2 with s^2 = p (1 - p) 4 / 3
    errors = [np.sqrt(3 / 16 * 4 / 3) / 2, np.sqrt(1 / 4 * 4 / 3) / 2]
    assert found.error_by_chance == pytest.approx(np.mean(errors) * np.sqrt(2 / np.pi))


@pytest.mark.parametrize("shock", [0.0, 0.6])
def test_measure_calibration_error_of_a_calibrated_model_is_what_chance_makes(shock):
    generator = np.random.default_rng(3)
    found = [measure_calibration(*draw(generator, shock=shock), bins=10) for _ in range(100)]
    if shock:  # a shared shock flattens the curve a little, which is a true error of some .02
        assert np.mean([f.error_by_chance for f in found]) > 0.02
    else:
        ratio = np.mean([f.error for f in found]) / np.mean([f.error_by_chance for f in found])
        assert 0.95 < ratio < 1.05


@pytest.mark.parametrize(
    ("model", "low", "high"),
    [({}, 0.03, 0.07), ({"slope": 0.5}, 0.95, 1), ({"intercept": 0.5}, 0.95, 1)],
)
def test_measure_calibration_test_keeps_its_level_and_finds_what_is_wrong(model, low, high):
    generator, draws = np.random.default_rng(8), 200
    found = [measure_calibration(*draw(generator, **model), bins=10) for _ in range(draws)]
    assert chance(sum(f.p_value < 0.05 for f in found), draws, low, high)


def test_measure_calibration_test_by_day_keeps_its_level_where_days_share_shocks():
    generator, draws = np.random.default_rng(9), 150
    by_day = by_row = 0
    for _ in range(draws):
        # integrating the shock out of the logit leaves a slope below 1: say what is then true
        p, _, day = draw(generator, shock=0.0)
        share = generator.normal(0, 0.15, 40)[day]
        labels = generator.random(len(p)) < np.clip(p + share * p * (1 - p) * 4, 0, 1)
        by_day += measure_calibration(p, labels, day, bins=10).p_value < 0.05
        by_row += measure_calibration(p, labels, np.arange(len(p)), bins=10).p_value < 0.05
    assert chance(by_day, draws, 0.03, 0.08)
    assert by_row > 3 * by_day


@pytest.mark.parametrize("sure", [0.1, 0.5, 1.0, 4.0, 20.0])
@pytest.mark.parametrize("bias", [-3.0, 0.0, 3.0])
@pytest.mark.parametrize("clusters", [2, 14])
def test_measure_calibration_slope_of_any_bad_model_is_that_of_sklearn(sure, bias, clusters):
    generator = np.random.default_rng(3)
    truth = generator.normal(-1, 1, 3000)
    y, p = generator.random(3000) < expit(truth), expit(sure * truth + bias)
    found = measure_calibration(p, y, np.arange(3000) % clusters, bins=10)
    x = logit(np.clip(p, 1e-6, 1 - 1e-6))[:, None]
    best = LogisticRegression(C=np.inf, tol=1e-8, solver="newton-cholesky").fit(x, y)
    assert found.slope == pytest.approx(best.coef_[0, 0], rel=1e-4)
    assert found.intercept == pytest.approx(best.intercept_[0], rel=1e-4, abs=1e-4)
    assert (found.p_value is None) == (clusters == 2)


def test_measure_calibration_of_equal_labels_has_no_slope():
    found = measure_calibration(np.linspace(0.1, 0.9, 40), [1] * 40, np.arange(40) % 4, bins=10)
    assert (found.slope, found.intercept, found.p_value) == (None, None, None)


def test_measure_calibration_constant_has_no_slope():
    found = measure_calibration(np.full(40, 0.25), [1, 0, 0, 0] * 10, np.arange(40) % 4, bins=10)
    assert (found.error, found.bias) == (0, 0)
    assert (found.slope, found.intercept, found.p_value) == (None, None, None)


def test_measure_calibration_labels_told_apart_have_no_slope():
    p = np.linspace(0.01, 0.99, 100)
    found = measure_calibration(p, p > 0.5, np.arange(100) % 10, bins=10)
    assert (found.slope, found.p_value) == (None, None)
    assert found.error > 0.2


@pytest.mark.parametrize(
    ("p", "y", "day", "message"),
    [
        ([0.5, np.nan], [0, 1], [0, 1], "no probability"),
        ([0.5, 1.1], [0, 1], [0, 1], "no probability"),
        ([0.5], [0, 1], [0, 1], "do not belong together"),
        ([0.4, 0.5], [0, 1], [0, 0], "two clusters"),
    ],
)
def test_measure_calibration_bad_rows_raise(p, y, day, message):
    with pytest.raises(EvidenceError, match=message):
        measure_calibration(p, y, day, bins=2)


def test_spiegelhalter_worked_out_by_hand():
    # Sum of (y - p)(1 - 2p): .8 * .6 - .3 * .4 = .36; variance: .36 * .16 + .16 * .21 = .0912
    z, p = spiegelhalter([0.2, 0.3], [True, False])
    assert z == pytest.approx(0.36 / np.sqrt(0.0912))
    assert p == pytest.approx(0.2332, abs=5e-5)  # 2 * (1 - Phi(1.1921)), a table of the normal


def test_spiegelhalter_is_the_brier_score_in_standard_errors():
    # Its definition: the Brier score less its mean under the probabilities, by draws from them.
    generator = np.random.default_rng(6)
    p = generator.uniform(size=60)
    labels = generator.random(60) < p
    brier = ((labels - p) ** 2).mean()
    drawn = (((generator.random((20_000, 60)) < p) - p) ** 2).mean(axis=1)
    z, _ = spiegelhalter(p, labels)
    assert z == pytest.approx((brier - drawn.mean()) / drawn.std(), abs=0.04)


def test_spiegelhalter_probabilities_that_tell_nothing_raise():
    with pytest.raises(EvidenceError, match="tells nothing"):
        spiegelhalter([0.5, 1.0, 0.0], [True, True, False])
