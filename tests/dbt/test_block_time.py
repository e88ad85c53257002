"""The second use case, from files to a verdict, with stage functions alone."""

import shutil

import duckdb
import numpy as np
import pytest
from three_weeks import LATER

from ratchet.evaluation import evaluate, judge
from ratchet.quality import check_snapshot, judge_snapshot
from ratchet.registry import initialise, load_release, register
from ratchet.serving import score
from ratchet.settings import Settings
from ratchet.training import train
from ratchet.warehouse import load_snapshot, take_snapshot

WINDOW = LATER[-1]
TRAILING = """
    select avg(landings.air_time_min), median(landings.air_time_min), count(*)
    from bronze.stg_block_time__landings as landings
    inner join bronze.stg_block_time__schedules as schedules using (flight_id)
    where schedules.origin = ? and schedules.destination = ?
        and landings.known_at <= ?::timestamp and landings.known_at > ?::timestamp - interval 28 day
"""


@pytest.fixture(scope="module")
def spec(block_time_spec):
    """Return the spec, content with three weeks, of which the last eight days judge."""
    spec = block_time_spec
    training = spec.training.model_copy(update={"min_rows": 5000, "holdout_days": 8})
    gate = spec.gate.model_copy(update={"min_holdout_rows": 2000, "min_holdout_days": 2})
    return spec.model_copy(update={"training": training, "gate": gate})


@pytest.fixture(scope="module")
def lake(spec, block_time_weeks, tmp_path_factory):
    settings = Settings(tmp_path_factory.mktemp("lake"), block_time_weeks.use_cases)
    shutil.copytree(block_time_weeks.lake(spec.name).root, settings.lake(spec.name).root)
    initialise(settings)
    return settings


@pytest.fixture(scope="module")
def snapshot(spec, lake):
    return take_snapshot(spec, WINDOW, lake).id


@pytest.fixture(scope="module")
def evidence(spec, lake, snapshot):
    for estimator in spec.training.estimators:
        train(spec, WINDOW, snapshot, estimator, lake)
    return evaluate(spec, WINDOW, snapshot, lake)


def test_trailing_features_are_those_of_landings_known_then(spec, lake):
    with duckdb.connect(lake.lake(spec.name).published, read_only=True) as connection:
        asked = connection.execute(
            """
            select distinct origin, destination, decision_at, route_air_time_min,
                route_median_min, route_flights
            from gold.feat_block_time
            where decision_at = '2013-01-19 18:00' and route_flights > 0
            order by route_flights desc limit 5
            """
        ).fetchall()
        assert len(asked) == 5
        for origin, destination, moment, mean, median, flights in asked:
            found = connection.execute(TRAILING, [origin, destination, moment, moment]).fetchone()
            assert found == (pytest.approx(mean), pytest.approx(median), flights)


def test_snapshot_is_usable_and_a_feature_that_saw_the_landing_is_found(
    spec, lake, snapshot, monkeypatch
):
    findings = check_snapshot(spec, WINDOW, snapshot, lake)
    assert judge_snapshot(findings, spec, WINDOW, snapshot).verdict == "accepted"
    rows = load_snapshot(spec, snapshot, lake)
    leaky = rows.assign(route_seats=rows["air_time_min"] + np.arange(len(rows)) % 3)
    monkeypatch.setattr("ratchet.warehouse.load_snapshot", lambda *_: leaky)
    found = check_snapshot(spec, WINDOW, snapshot, lake)
    assert judge_snapshot(found, spec, WINDOW, snapshot).verdict == "blocked"
    faults = {(f.check, f.column) for f in found if f.is_fault}
    assert ("separates_label", "route_seats") in faults


def test_evidence_measures_a_number(evidence):
    assert set(evidence.candidates) == {"ridge", "above_route"}
    assert set(evidence.baselines) == {"constant", "persistence", "rule"}
    rule, constant = evidence.baselines["rule"], evidence.baselines["constant"]
    assert rule.cost_per_unit < evidence.baselines["persistence"].cost_per_unit
    assert rule.metrics["mae"] < 15 < constant.metrics["mae"]
    for candidate in evidence.candidates.values():
        assert candidate.quality.metrics["r2"] > 0.95


@pytest.mark.usefixtures("evidence")
def test_candidate_that_does_not_beat_the_rule_is_refused_in_words(spec, lake, snapshot):
    """Three weeks of January are too few to beat the route's median by a minute a flight."""
    gate = spec.gate.model_copy(update={"min_saving_per_unit": 3.0})
    demanding = spec.model_copy(update={"gate": gate})
    decision = judge(evaluate(demanding, WINDOW, snapshot, lake), demanding)
    assert decision.verdict == "refused"
    assert "better_than_baseline" in [c.name for c in decision.clauses if not c.passed]
    assert "the best baseline (rule" in " ".join(decision.reasons)
    evaluate(spec, WINDOW, snapshot, lake)


@pytest.mark.usefixtures("evidence")
def test_scores_are_minutes_of_rule_and_champion(spec, lake, monkeypatch):
    before = score(spec, WINDOW, lake)
    assert before.champion is None
    version = register(spec, WINDOW, lake, "test")
    release = load_release(spec, version, lake)
    monkeypatch.setattr("ratchet.serving.scoring.champion_at", lambda *_: release)
    monkeypatch.setattr("ratchet.serving.scoring.first_champion", lambda *_: release)
    after = score(spec, WINDOW, lake)
    with duckdb.connect() as connection:
        rows = connection.execute(
            "select role, count(*), min(predicted), max(predicted) from read_parquet(?) "
            "group by role order by role",
            [str(after.path)],
        ).fetchall()
    assert [role for role, *_ in rows] == ["champion", "first", "rule"]
    assert len({number for _, number, *_ in rows}) == 1
    for _, _, least, most in rows:
        assert 0 < least < most < 800
