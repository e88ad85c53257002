from datetime import timedelta

import numpy as np
import pytest
from model_lake import FIRST, ModelLake

from ratchet.problems import COST, problem_of
from ratchet.registry import load_release, register
from ratchet.training import split
from ratchet.training.expecting import expect_from_holdout


def test_expect_from_holdout_counts_only_rows_of_one_maturity(model_lake: ModelLake):
    """Rows of the last days have early labels only; late ones among the older do not count."""
    spec, problem = model_lake.spec, problem_of(model_lake.spec)
    gold, days = spec.gold, spec.monitoring.label_wait_days
    holdout = split(model_lake.rows, spec, FIRST).holdout.copy()
    late = np.arange(len(holdout)) % 10 == 0
    holdout.loc[late, gold.label_known_at] += np.timedelta64(days, "D")
    # what is too young or too late costs as if nobody had known better
    young = holdout[gold.decided_at] > FIRST.end.replace(tzinfo=None) - timedelta(days=days)
    answers = np.where(late | young, 0.999, 0.3)
    found = expect_from_holdout(problem, holdout, problem.decide(answers, holdout), FIRST.end)
    assert found is not None
    counted = holdout[~late & ~young]
    assert (found.rows, found.age_days) == (len(counted), days)
    costs = np.where(counted[gold.label], 70, 10)
    assert found.levels[COST].value == pytest.approx(costs.mean())


def test_release_carries_what_its_holdout_lets_one_expect(trained_lake: ModelLake):
    spec, settings = trained_lake.spec, trained_lake.settings
    version = register(spec, FIRST, settings, "by hand")
    found = load_release(spec, version, settings).expectations
    assert found is not None
    assert set(found.levels) == {COST, "label_share", "brier", "roc_auc"}
    assert 0.5 < found.levels["roc_auc"].value < 1
