import math

import numpy as np
import pandas as pd
import pytest

from ratchet.errors import EvidenceError
from ratchet.evaluation import difference, measure
from ratchet.problems import problem_of

LABELS = [True, True, False, False, False]
ANSWERS = [0.9, 0.2, 0.3, 0.1, 0.0]
DAYS = np.array(["2013-03-01T10", "2013-03-01T22", "2013-03-02T00", "2013-03-03T09"], "datetime64")


def measured(spec, answers, labels, whose):
    rows = pd.DataFrame({spec.gold.label: np.array(labels, dtype=bool)})
    return measure(problem_of(spec), np.array(answers), rows, whose)


def test_measure_of_five_rows_is_what_a_hand_works_out(spec):
    quality, losses = measured(spec, ANSWERS, LABELS, "five rows")
    found = quality.metrics
    assert quality.rows == 5
    # of 2 x 3 pairs, all but (0.2, 0.3) are in the right order
    assert found["roc_auc"] == pytest.approx(5 / 6)
    # precision 1/1 at the first positive, 2/3 at the second, each half of the recall
    assert found["pr_auc"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["brier"] == pytest.approx((0.01 + 0.64 + 0.09 + 0.01 + 0) / 5)
    log = -(math.log(0.9) + math.log(0.2) + math.log(0.7) + math.log(0.9) + math.log(1)) / 5
    assert found["log_loss"] == pytest.approx(log)
    assert losses.tolist() == [70, 100, 10, 0, 0]
    # acted on and disrupted, missed, acted on in vain, and twice left alone rightly
    assert quality.cost_per_unit == pytest.approx((70 + 100 + 10 + 0 + 0) / 5)
    assert found["acted_share"] == pytest.approx(2 / 5)


@pytest.mark.parametrize(
    ("answers", "labels", "message"),
    [
        ([], [], "no rows"),
        ([0.1, math.nan], [True, False], "missing or are no probabilities"),
        ([0.1, 1.1], [True, False], "missing or are no probabilities"),
        ([0.1, 0.2], [False, False], "all 2 labels are the same"),
    ],
)
def test_measure_of_what_has_no_number_raises(spec, answers, labels, message):
    with pytest.raises(EvidenceError, match=message):
        measured(spec, answers, labels, "the rule")


def test_difference_weighs_days_by_their_rows():
    found = difference([10, 10, 0, 70], [0, 20, 30, 70], DAYS)
    # days' totals are 0, -30 and 0, with 2, 1 and 1 rows: -7.5 a row
    assert (found.mean_per_unit, found.days) == (-7.5, 3)
    # so the days lie +15, -22.5 and +7.5 off
    error = math.sqrt((15**2 + 22.5**2 + 7.5**2) * 3 / 2) / 4
    assert found.standard_error == pytest.approx(error)
    assert found.t == pytest.approx(-7.5 / error)


def test_difference_of_equally_long_days_has_the_error_of_the_mean_of_days():
    rng = np.random.default_rng(0)
    costs = rng.normal(size=(12, 30))
    moments = np.repeat(np.datetime64("2013-03-01") + np.arange(12), 30)
    found = difference(costs.ravel(), np.zeros(360), moments)
    assert found.mean_per_unit == pytest.approx(costs.mean())
    assert found.standard_error == pytest.approx(costs.mean(axis=1).std(ddof=1) / math.sqrt(12))


def test_difference_of_equal_policies_has_no_t():
    found = difference([10, 0, 0, 70], [10, 0, 0, 70], DAYS)
    assert (found.mean_per_unit, found.standard_error, found.t) == (0, 0, None)


def test_difference_on_one_day_raises():
    with pytest.raises(EvidenceError, match="at least two days"):
        difference([10, 0], [0, 0], DAYS[:2])
