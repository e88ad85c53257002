from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from fake_lake import WEEKS, FakeChampion, FakeLake

from ratchet.decision import Decision
from ratchet.errors import EvidenceError
from ratchet.ledger import Ledger
from ratchet.monitoring import SCORED_POLICIES, known_observation, observe
from ratchet.window import Window

FIRST, SECOND, THIRD = WEEKS
ROWS = 400


@pytest.fixture
def watched(fake_lake: FakeLake) -> FakeLake:
    """A lake with a champion."""
    fake_lake.champion = FakeChampion("1", 20.0)
    return fake_lake


def answers(shift: float = 0.0) -> list[float]:
    return (np.linspace(0.01, 0.6, ROWS) + shift).tolist()


def run_week(lake: FakeLake, window: Window, shift: float = 0.0) -> None:
    probabilities = answers(shift)
    roles = {"champion": probabilities, "first": probabilities, "rule": answers()}
    lake.score(window, roles, champion="1")


def cohorts(lake: FakeLake, window: Window) -> pd.DataFrame:
    return pd.read_parquet(lake.lake.monitoring / "cohorts" / f"{window.key}.parquet")


def test_observe_looks_at_each_cohort_once_at_each_age(watched: FakeLake):
    """Of labels that are known in the end, half were known after half a day."""
    for window in (FIRST, SECOND):
        run_week(watched, window)
    watched.happen(FIRST, [i % 4 == 0 for i in range(ROWS // 2)])
    late = [i % 2 == 0 for i in range(ROWS)]
    watched.happen(FIRST, late, known_after=timedelta(days=2))
    watched.outcomes = watched.outcomes[: ROWS // 2] + watched.outcomes[ROWS:]
    observation = observe(watched.spec, SECOND, watched.settings)
    found = cohorts(watched, SECOND).query("policy == 'decision'").set_index("age_days")
    assert set(found["cohort"]) == {FIRST.key}
    assert found["matured_share"].to_dict() == {0.5: 0.5, 1.0: 0.5, 3.0: 1.0}
    assert found["is_mature"].to_dict() == {0.5: False, 1.0: False, 3.0: True}
    assert observation.realised is not None
    assert observation.realised.window == FIRST.key
    assert observation.realised.cost_per_unit == found.loc[3.0, "cost_per_unit"]


def test_observe_label_that_never_comes_does_not_keep_a_cohort_open(watched: FakeLake):
    run_week(watched, FIRST)
    run_week(watched, SECOND)
    watched.happen(FIRST, [True] * (ROWS - 1))
    observation = observe(watched.spec, SECOND, watched.settings)
    assert observation.realised is not None
    assert (observation.realised.window, observation.realised.labelled) == (FIRST.key, ROWS - 1)


def test_observe_looks_at_no_cohort_that_has_been_looked_at(watched: FakeLake):
    for window in WEEKS:
        run_week(watched, window)
    observe(watched.spec, THIRD, watched.settings)
    assert set(cohorts(watched, THIRD)["cohort"]) == {SECOND.key}


def test_observe_old_window_again_does_not_see_later_ones(watched: FakeLake):
    run_week(watched, FIRST)
    watched.happen(FIRST, [True] * ROWS, known_after=timedelta(days=8))
    before = observe(watched.spec, FIRST, watched.settings)
    paths = sorted(watched.lake.monitoring.rglob("*.parquet"))
    contents = [path.read_bytes() for path in paths]
    for window in (SECOND, THIRD):
        run_week(watched, window)
    assert observe(watched.spec, FIRST, watched.settings) == before
    assert len(paths) == 1
    assert [path.read_bytes() for path in paths] == contents


def test_known_observation_is_what_was_observed_last_and_is_observed_where_nothing_was(
    watched: FakeLake, monkeypatch: pytest.MonkeyPatch
):
    for window in (FIRST, SECOND):
        run_week(watched, window)
    watched.happen(FIRST, [i % 4 == 0 for i in range(ROWS)])
    first = known_observation(watched.spec, SECOND, watched.settings)
    assert first.realised is not None
    with monkeypatch.context() as patch:
        patch.setattr("ratchet.monitoring.observation.observe", None)
        assert known_observation(watched.spec, SECOND, watched.settings) == first
    watched.outcomes.clear()  # what was published is corrected, and observed again
    watched.happen(FIRST, [True] * ROWS)
    again = observe(watched.spec, SECOND, watched.settings)
    assert again != first
    assert known_observation(watched.spec, SECOND, watched.settings) == again


def test_observe_without_labels_writes_nulls_never_nan(watched: FakeLake):
    run_week(watched, FIRST)
    run_week(watched, SECOND)
    observe(watched.spec, SECOND, watched.settings)
    table = pq.read_table(watched.lake.monitoring / "cohorts" / f"{SECOND.key}.parquet")
    policies = len(SCORED_POLICIES) + len(watched.spec.costs.policies)
    assert table.num_rows == policies * len(watched.spec.monitoring.maturities)
    for column in ("cost_per_unit", "roc_auc", "pr_auc", "brier"):
        assert table.column(column).null_count == table.num_rows


def test_observe_without_champion_needs_no_predictions(fake_lake: FakeLake):
    observation = observe(fake_lake.spec, FIRST, fake_lake.settings)
    assert observation.new_labels == 0
    assert observation.champion is observation.realised is None
    assert cohorts(fake_lake, FIRST).empty


def test_observe_champion_without_predictions_raises(watched: FakeLake):
    with pytest.raises(EvidenceError, match="score the window first"):
        observe(watched.spec, FIRST, watched.settings)


def test_observe_counts_labels_that_matured_after_the_last_training(watched: FakeLake):
    judged = Decision(
        kind="release", use_case="flights", window=FIRST.key, verdict="refused", clauses=()
    )
    Ledger(watched.lake.ledger).record(judged)
    patient = watched.spec.monitoring.model_copy(update={"label_wait_days": 14})
    spec = watched.spec.model_copy(update={"monitoring": patient})
    run_week(watched, SECOND)
    watched.happen(FIRST, [True] * 10, known_after=timedelta(days=6))  # before FIRST ended
    watched.happen(FIRST, [True] * 20, known_after=timedelta(days=8))  # in SECOND
    watched.happen(SECOND, [True] * 40, known_after=timedelta(days=8))  # after SECOND
    observation = observe(spec, SECOND, watched.settings)
    assert (observation.last_training, observation.new_labels) == (FIRST.key, 20)
