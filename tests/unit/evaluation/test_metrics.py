import math

import numpy as np
import pandas as pd
import pytest

from ratchet.errors import EvidenceError
from ratchet.evaluation import measure
from ratchet.problems import problem_of

LABELS = [True, True, False, False, False]
ANSWERS = [0.9, 0.2, 0.3, 0.1, 0.0]


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
