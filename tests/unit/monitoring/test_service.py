"""What is told of how a window was scored: clean, slow, incomplete, on stale features."""

from datetime import timedelta

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from model_lake import SECOND, ModelLake

from ratchet.monitoring.service import SUBJECT, watch_service
from ratchet.serving import score
from ratchet.serving.scoring import SERVICE
from ratchet.window import Window

WEEK = timedelta(days=7)
TIMES = (0.11, 0.1, 0.12, 0.09, 0.13, 0.1, 0.11, 0.12)  # ms per row, of the eight weeks before


def record_path(lake: ModelLake, window: Window):
    return lake.lake.monitoring / "service" / f"{window.key}.parquet"


def record(lake: ModelLake, window: Window, **changes) -> None:
    row = {
        "window": window.key,
        "version": None,
        "rows": 420,
        "duration_s": 0.05,
        "row_ms": 0.1,
        "stale_rows": 0,
        "fallback_rows": 0,
        "refused_rows": 0,
        **changes,
    }
    path = record_path(lake, window)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([row], schema=SERVICE), path)


@pytest.fixture
def scored(model_lake: ModelLake) -> ModelLake:
    """Return a lake with eight recorded weeks, and a ninth that was scored."""
    score(model_lake.spec, SECOND, model_lake.settings)
    for number, row_ms in enumerate(TIMES, start=1):
        past = Window(SECOND.start - number * WEEK, SECOND.end - number * WEEK)
        record(model_lake, past, row_ms=row_ms)
    return model_lake


def watched(lake: ModelLake) -> dict:
    signals = watch_service(lake.spec, SECOND, lake.settings)
    assert {s.subject for s in signals} == {SUBJECT}
    return {signal.rule: signal for signal in signals}


def found(signals: dict) -> set[str]:
    return {
        rule
        for rule, s in signals.items()
        if s.is_enough and s.p_value < 2e-3 and s.effect >= max(s.floor, s.null_limit)
    }


def test_score_records_time_and_rows_beside_the_predictions(scored):
    (row,) = pq.read_table(record_path(scored, SECOND), partitioning=None).to_pylist()
    assert (row["window"], row["version"], row["rows"]) == (SECOND.key, None, 420)
    assert row["duration_s"] > 0
    assert row["row_ms"] == pytest.approx(1000 * row["duration_s"] / 420)
    assert (row["stale_rows"], row["fallback_rows"], row["refused_rows"]) == (0, 0, 0)


def test_service_like_before_finds_nothing(scored):
    record(scored, SECOND, row_ms=0.14)
    signals = watched(scored)
    assert len(signals) == 8
    assert all(s.is_enough for s in signals.values())
    assert found(signals) == set()


def test_service_ten_times_slower_is_found_within_its_hard_limit(scored):
    record(scored, SECOND, row_ms=1.1)
    signals = watched(scored)
    assert found(signals) == {"latency_change"}
    assert signals["latency_change"].effect == pytest.approx(9)
    assert "what else runs on the machine" in signals["latency_change"].text


def test_service_over_its_hard_limit_is_found_without_a_past(scored):
    for path in record_path(scored, SECOND).parent.iterdir():
        path.unlink()
    record(scored, SECOND, row_ms=25.0)
    signals = watched(scored)
    assert found(signals) == {"latency"}
    assert signals["latency"].effect == pytest.approx(5)
    assert not signals["latency_change"].is_enough
    assert signals["latency_change"].p_value is None


def test_service_decisions_without_an_answer_are_errors(scored):
    record(scored, SECOND)
    gold = scored.spec.gold
    with duckdb.connect(scored.lake.published) as connection:
        connection.execute(
            f"insert into gold.{gold.features_table} select * replace ({gold.key} || 'x' as "
            f"{gold.key}) from gold.{gold.features_table} where {gold.decided_at} >= ? limit 30",
            [SECOND.start.replace(tzinfo=None)],
        )
    signals = watched(scored)
    assert found(signals) == {"errors"}
    assert signals["errors"].value == pytest.approx(30 / 450)


def test_service_dead_source_shows_as_stale_features(scored):
    gold = scored.spec.gold
    with duckdb.connect(scored.lake.published) as connection:
        connection.execute(
            f"update gold.{gold.features_table} set weather_age_min = 600 "
            f"where {gold.decided_at} >= ? and hash({gold.key}) % 2 = 0",
            [SECOND.start.replace(tzinfo=None)],
        )
    score(scored.spec, SECOND, scored.settings)
    signals = watched(scored)
    assert {"staleness", "staleness_change"} <= found(signals)
    assert 0.4 < signals["staleness"].value < 0.6
    assert "mon_freshness" in signals["staleness"].text


@pytest.mark.parametrize("kind", ["fallback_rows", "refused_rows"])
def test_service_model_that_hardly_decides_is_found(scored, kind):
    record(scored, SECOND, stale_rows=60, **{kind: 60})
    assert {"fallback", "fallback_change"} <= found(watched(scored))


def test_service_volume_that_falls_by_half_is_found(scored):
    record(scored, SECOND, rows=200)
    signals = watched(scored)
    assert found(signals) == {"volume"}
    assert signals["volume"].direction == "down"


def test_service_champion_is_not_compared_with_the_rule(scored):
    record(scored, SECOND, version="1", row_ms=3.0)
    signals = watched(scored)
    assert found(signals) == set()
    assert not signals["latency_change"].is_enough


def test_service_depends_on_nothing_later_and_is_silent_without_a_record(scored):
    record(scored, SECOND)
    before = watched(scored)
    record(scored, Window(SECOND.start + WEEK, SECOND.end + WEEK), row_ms=99.0)
    assert watched(scored) == before
    record_path(scored, SECOND).unlink()
    assert watch_service(scored.spec, SECOND, scored.settings) == []
