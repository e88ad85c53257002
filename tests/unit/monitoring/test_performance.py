from datetime import timedelta

import numpy as np
import pytest
from fake_lake import WEEKS, FakeLake
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from ratchet.errors import EvidenceError
from ratchet.monitoring import realised

WEEK = WEEKS[0]


def test_measure_ties_and_noise_agrees_with_scikit_learn(fake_lake: FakeLake):
    random = np.random.default_rng(7)
    labels = random.random(500) < 0.3
    answers = {
        # two digits make many ties, where careless implementations differ
        "champion": np.clip(labels * 0.2 + random.random(500) * 0.7, 0, 1).round(2),
        "rule": random.random(500).round(1),
    }
    fake_lake.score(WEEK, {k: list(v) for k, v in answers.items()}, champion="1")
    fake_lake.happen(WEEK, labels.tolist())
    results = realised(fake_lake.spec, [WEEK], WEEK.end, fake_lake.settings)
    found = {row.policy: row for row in results.measure("policy")}
    for policy, probability in (("decision", answers["champion"]), ("rule", answers["rule"])):
        measured = found[policy]
        assert measured.metrics["roc_auc"] == pytest.approx(roc_auc_score(labels, probability))
        assert measured.metrics["pr_auc"] == pytest.approx(
            average_precision_score(labels, probability)
        )
        assert measured.metrics["brier"] == pytest.approx(brier_score_loss(labels, probability))


def test_measure_known_outcomes_costs_every_policy(fake_lake: FakeLake):
    # acted and disrupted 70, acted and on time 10, left and disrupted 100, left and on time 0
    fake_lake.score(WEEK, {"champion": [0.9, 0.9, 0.1, 0.1], "rule": [0.1] * 4}, champion="1")
    fake_lake.happen(WEEK, [True, False, True, False])
    results = realised(fake_lake.spec, [WEEK], WEEK.end, fake_lake.settings)
    costs = {row.policy: row.total_cost for row in results.measure("policy")}
    assert costs == {
        "decision": 180,
        "rule": 200,
        "never": 200,
        "always": 160,
        "perfect": 140,
    }


def test_measure_half_of_labels_known_counts_only_them(fake_lake: FakeLake):
    fake_lake.score(WEEK, {"rule": [0.9, 0.9, 0.1, 0.1]}, champion=None)
    fake_lake.happen(WEEK, [True, False])
    results = realised(fake_lake.spec, [WEEK], WEEK.end, fake_lake.settings)
    row = next(r for r in results.measure("window", "policy") if r.policy == "decision")
    assert (row.labelled, row.total, row.total_cost, row.cost_per_unit) == (2, 4, 80, 40)


def test_measure_label_known_later_is_not_seen(fake_lake: FakeLake):
    fake_lake.score(WEEK, {"rule": [0.9, 0.1]}, champion=None)
    fake_lake.happen(WEEK, [True, False], known_after=timedelta(days=8))
    results = realised(fake_lake.spec, [WEEK], WEEK.end, fake_lake.settings)
    row = next(r for r in results.measure("policy") if r.policy == "rule")
    assert row.labelled == 0
    assert row.cost_per_unit is None
    assert row.metrics == dict.fromkeys(("roc_auc", "pr_auc", "brier"))


def test_measure_labels_of_one_kind_leaves_ranking_undefined(fake_lake: FakeLake):
    fake_lake.score(WEEK, {"rule": [0.9, 0.1]}, champion=None)
    fake_lake.happen(WEEK, [True, True])
    results = realised(fake_lake.spec, [WEEK], WEEK.end, fake_lake.settings)
    row = next(r for r in results.measure("policy") if r.policy == "rule")
    assert (row.metrics["roc_auc"], row.metrics["pr_auc"]) == (None, None)
    assert row.metrics["brier"] == pytest.approx((0.1**2 + 0.9**2) / 2)


def test_realised_missing_predictions_raises(fake_lake: FakeLake):
    with pytest.raises(EvidenceError, match="score the window first"):
        realised(fake_lake.spec, [WEEK], WEEK.end, fake_lake.settings)


@pytest.mark.parametrize(
    "answers, message",
    [
        ({"champion": [0.5, 0.5], "rule": [0.5]}, "rule has 1 rows where 2 decisions"),
        ({"champion": [0.5, float("nan")]}, "champion: some answers are missing or are no prob"),
    ],
)
def test_realised_unusable_predictions_raises(
    fake_lake: FakeLake, answers: dict[str, list[float]], message: str
):
    fake_lake.score(WEEK, answers, champion="1")
    with pytest.raises(EvidenceError, match=message):
        realised(fake_lake.spec, [WEEK], WEEK.end, fake_lake.settings)
