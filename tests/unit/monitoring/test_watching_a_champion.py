"""A real release, really scored: the parts that meet in monitoring and in the report."""

import pandas as pd
import pytest
from model_lake import FIRST, SECOND, THIRD, ModelLake

from ratchet.evaluation import judge, load_evidence
from ratchet.ledger import Ledger
from ratchet.monitoring import Observation, observe
from ratchet.registry import promote, register
from ratchet.reporting import summarise
from ratchet.retraining import decide_once, gather
from ratchet.serving import score

WEEK = 420  # flights


@pytest.fixture
def champion_lake(trained_lake: ModelLake, monkeypatch: pytest.MonkeyPatch) -> ModelLake:
    lake = trained_lake
    gold = lake.spec.gold

    def read_outcomes(spec, decided, known_by, settings):
        start, end, known = (
            bound.replace(tzinfo=None) for bound in (decided.start, decided.end, known_by)
        )
        rows = lake.rows[lake.rows[gold.decided_at].between(start, end, inclusive="left")]
        columns = [gold.key, gold.decided_at, gold.label, gold.label_known_at]
        return rows.loc[rows[gold.label_known_at] <= known, columns]

    monkeypatch.setattr("ratchet.warehouse.read_outcomes", read_outcomes, raising=False)
    monitoring = lake.spec.monitoring.model_copy(update={"min_rows": WEEK})
    lake.spec = lake.spec.model_copy(update={"monitoring": monitoring})
    version = register(lake.spec, FIRST, lake.settings, "by hand")
    evidence = load_evidence(lake.spec, FIRST, lake.settings)
    Ledger(lake.lake.ledger).record(judge(evidence, lake.spec))
    promote(lake.spec, FIRST, lake.settings, version)
    return lake


def week(lake: ModelLake, window) -> Observation:
    score(lake.spec, window, lake.settings)
    observation = observe(lake.spec, window, lake.settings)
    decide_once(lake.spec, window, lake.settings)
    return observation


def test_watch_same_world_as_in_training_holds_and_pays(champion_lake: ModelLake):
    lake = champion_lake
    first, second = week(lake, SECOND), week(lake, THIRD)
    assert (first.champion, first.realised) == ("1", None)
    assert second.realised is not None
    assert second.realised.window == SECOND.key
    assert second.realised.labelled == second.realised.total == WEEK
    assert second.prediction_drift is not None
    assert second.prediction_drift.state == "ok"
    summary = summarise(lake.spec, lake.settings)
    kinds = [(decision.kind, decision.verdict) for decision in summary.decisions]
    assert kinds == [
        ("release", "accepted"),
        ("promotion", "promoted"),
        ("retrain", "held"),
        ("retrain", "held"),
    ]
    assert summary.saved_per_unit("first") == 0
    assert all((summary.saved_per_unit(other) or 0) > 0 for other in ("rule", "never", "always"))


def test_watch_shifted_world_names_the_features_and_asks_nothing_without_proof(champion_lake):
    lake = champion_lake
    storm = lake.rows[lake.spec.gold.decided_at] >= pd.Timestamp(SECOND.start.replace(tzinfo=None))
    lake.rows.loc[storm, ["origin_mean_delay_min", "wind_speed_mph"]] += 2
    lake.publish()
    observation = week(lake, SECOND)
    assert {drift.name for drift in observation.drifted_features} == {
        "origin_mean_delay_min",
        "wind_speed_mph",
    }
    situation = gather(lake.spec, SECOND, lake.settings)
    assert [alarm.reason for alarm in situation.alarms] == ["drift"]
    assert situation.proof is None  # no cohort has all its labels yet
    assert decide_once(lake.spec, SECOND, lake.settings).verdict == "held"
