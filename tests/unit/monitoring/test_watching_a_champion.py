"""A real release, really scored: the parts that meet in monitoring and in the report."""

import pandas as pd
import pytest
from incidents_made import graph_of
from model_lake import FIRST, SECOND, THIRD, ModelLake

from ratchet.evaluation import judge, load_evidence
from ratchet.incidents import judge_window, read_judged
from ratchet.ledger import Ledger
from ratchet.monitoring import Observation, observe, watch
from ratchet.registry import promote, register
from ratchet.reporting import summarise
from ratchet.retraining import decide_once, gather
from ratchet.serving import score
from ratchet.spec.alerts import Persistence

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
    graph = graph_of(lake.spec)
    monkeypatch.setattr("ratchet.lineage.load_graph", lambda *_: graph)
    monitoring = lake.spec.monitoring.model_copy(update={"min_rows": WEEK})
    at_once = dict.fromkeys(("feature_drift", "prediction_drift"), Persistence(windows=1, of=1))
    persistence = lake.spec.alerts.persistence.model_copy(update=at_once)
    alerts = lake.spec.alerts.model_copy(update={"persistence": persistence})
    lake.spec = lake.spec.model_copy(
        update={"monitoring": monitoring, "alerts": alerts, "kpis": {}}  # there are no marts here
    )
    version = register(lake.spec, FIRST, lake.settings, "by hand")
    evidence = load_evidence(lake.spec, FIRST, lake.settings)
    Ledger(lake.lake.ledger).record(judge(evidence, lake.spec))
    promote(lake.spec, FIRST, lake.settings, version)
    return lake


def week(lake: ModelLake, window) -> Observation:
    score(lake.spec, window, lake.settings)
    observation = observe(lake.spec, window, lake.settings)
    watch(lake.spec, window, lake.settings)
    judge_window(lake.spec, window, lake.settings)
    decide_once(lake.spec, window, lake.settings)
    return observation


def drifted(lake: ModelLake, window) -> set[str | None]:
    """Return the columns that were found to have moved, over all rows."""
    judged = read_judged(lake.spec, window, lake.settings)
    return {f.column for f in judged if f.state == "found" and f.segment is None and f.column}


def test_watch_same_world_as_in_training_holds_and_pays(champion_lake: ModelLake):
    lake = champion_lake
    first, second = week(lake, SECOND), week(lake, THIRD)
    assert (first.champion, first.realised) == ("1", None)
    assert second.realised is not None
    assert second.realised.window == SECOND.key
    assert second.realised.labelled == second.realised.total == WEEK
    assert drifted(lake, THIRD) == set()
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
    """What moved is nothing that makes flights late, so the answers stay as they are."""
    lake = champion_lake
    warm = lake.rows[lake.spec.gold.decided_at] >= pd.Timestamp(SECOND.start.replace(tzinfo=None))
    lake.rows.loc[warm, ["temperature_f", "humidity_pct"]] += 2
    lake.publish()
    week(lake, SECOND)
    assert drifted(lake, SECOND) == {"temperature_f", "humidity_pct"}
    situation = gather(lake.spec, SECOND, lake.settings)
    assert {alarm.reason for alarm in situation.alarms} == {"drift"}
    assert situation.proof is None  # no cohort has all its labels yet
    assert decide_once(lake.spec, SECOND, lake.settings).verdict == "held"
