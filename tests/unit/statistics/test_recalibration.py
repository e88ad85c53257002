import numpy as np
import pytest

from ratchet.statistics import recalibrate, recalibration


def answered(truth, rows: int = 6000, days: int = 14):
    """Draw probabilities, labels that are true with a function of them, and days."""
    rng = np.random.default_rng(3)
    p = rng.beta(1.5, 3, rows)
    return p, rng.random(rows) < truth(p), np.arange(rows) % days


def test_recalibration_of_calibrated_probabilities_is_none():
    assert recalibration(*answered(lambda p: p)) is None


def test_recalibration_of_probabilities_that_are_too_high_brings_them_down():
    p, labels, days = answered(lambda p: p**2)
    knots = recalibration(p, labels, days)
    assert knots is not None
    corrected = recalibrate(p, knots)
    assert corrected.mean() == pytest.approx(labels.mean(), abs=0.01)
    assert np.abs(corrected - p**2).mean() < 0.03
    assert (np.diff([y for _, y in knots]) >= 0).all()


def test_recalibration_on_few_days_is_none():
    assert recalibration(*answered(lambda p: p**2, days=4)) is None


def test_recalibrate_without_a_curve_changes_nothing():
    assert recalibrate([0.2, 0.7], None).tolist() == [0.2, 0.7]
