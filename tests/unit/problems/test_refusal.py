"""A use case where nothing beats persistence ends in a clear refusal, not in a champion."""

import numpy as np
import pandas as pd
import pytest
from model_lake import FIRST, ModelLake, flights, small

from ratchet.evaluation import evaluate, judge
from ratchet.settings import Settings
from ratchet.training import train


@pytest.fixture
def stubborn(spec, tmp_path):
    """A lake whose flights end as the last one of the same airline and airport did, nearly."""
    spec = small(spec)
    gold = spec.gold.model_copy(update={"entity": ("carrier", "origin")})
    spec = spec.model_copy(update={"gold": gold})
    rows = flights(spec, FIRST)
    rng = np.random.default_rng(3)
    rows[gold.label_known_at] = rows[gold.decided_at] + pd.Timedelta("1min")
    changes = rng.random(len(rows)) < 0.05
    labels = pd.Series(changes).groupby([rows["carrier"], rows["origin"]]).cumsum() % 2 == 1
    rows[gold.label] = labels.to_numpy()
    lake = ModelLake(spec, Settings(tmp_path, tmp_path), rows)
    lake.publish()
    return lake


def test_nothing_beats_persistence_is_refused_and_says_so(stubborn):
    spec, snapshot = stubborn.spec, stubborn.snapshot_id(FIRST)
    for estimator in spec.training.estimators:
        train(spec, FIRST, snapshot, estimator, stubborn.settings)
    evidence = evaluate(spec, FIRST, snapshot, stubborn.settings)
    assert evidence.best_baseline == "persistence"
    decision = judge(evidence, spec)
    assert decision.verdict == "refused"
    assert "better_than_baseline" in [c.name for c in decision.clauses if not c.passed]
    assert "persistence" in " ".join(decision.reasons)
