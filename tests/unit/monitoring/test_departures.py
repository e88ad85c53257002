"""The source of drift on a published lake: planted changes are found, at their column."""

from types import SimpleNamespace

import duckdb
import numpy as np
import pandas as pd
import pytest
from model_lake import FIRST, SECOND, THIRD, ModelLake

from ratchet.monitoring import Signal, watch_drift
from ratchet.monitoring.departures import measure_features
from ratchet.training import build_profile, sample_reference

WEEK = 420  # flights
TREND = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


@pytest.fixture
def lake(model_lake: ModelLake, monkeypatch: pytest.MonkeyPatch) -> ModelLake:
    """A lake with a champion that was trained on the first window."""
    lake, gold = model_lake, model_lake.spec.gold
    monitoring = lake.spec.monitoring.model_copy(update={"min_rows": 200})
    slices = lake.spec.evaluation.slices.model_copy(update={"columns": (("origin",),)})
    evaluation = lake.spec.evaluation.model_copy(update={"slices": slices})
    update = {"monitoring": monitoring, "evaluation": evaluation}
    lake.spec = lake.spec.model_copy(update=update)
    train = lake.rows[lake.rows[gold.decided_at] < pd.Timestamp(SECOND.start.replace(tzinfo=None))]
    answers = pd.Series(np.resize(TREND, len(train)))
    moment = pd.Timestamp(FIRST.start)
    champion = SimpleNamespace(
        version="1",
        spec=lake.spec,
        profile=build_profile(lake.spec, train, train, answers),
        sample=sample_reference(lake.spec, train),
        candidate=SimpleNamespace(train_rows=len(train), train_start=moment, train_end=moment),
    )
    monkeypatch.setattr("ratchet.registry.champion_at", lambda *_: champion)
    return lake


def signals(lake: ModelLake, probabilities: list[float]) -> list[Signal]:
    lake.publish()
    folder = lake.lake.predictions
    folder.mkdir(parents=True, exist_ok=True)
    answers = {"probability": np.resize(probabilities, WEEK), "role": "champion"}
    pd.DataFrame(answers).to_parquet(folder / f"{THIRD.key}.parquet")
    return watch_drift(lake.spec, THIRD, lake.settings)


def found(told: list[Signal]) -> set[tuple[str, str | None]]:
    return {
        (signal.family, signal.column)
        for signal in told
        if signal.segment is None
        and signal.effect is not None
        and signal.null_limit is not None
        and signal.effect > max(signal.floor, signal.null_limit)
    }


def test_watch_drift_unchanged_week_is_measured_and_silent(lake: ModelLake):
    told = signals(lake, TREND)
    assert {signal.family for signal in told} == {
        "feature_drift",
        "prediction_drift",
        "label_drift",
        "missingness",
        "multivariate_drift",
    }
    assert {s.column for s in told if s.family == "missingness"} == set(lake.spec.gold.features)
    assert {s.segment for s in told} == {None, "origin=EWR", "origin=JFK", "origin=LGA"}
    assert len({signal.name for signal in told}) == len(told)
    assert found(told) == set()


def test_watch_drift_that_needs_more_memory_takes_it(lake: ModelLake, monkeypatch):
    usual = signals(lake, TREND)
    limits = []

    def measure(scene, connection, *arguments):
        (limit,) = connection.execute("select current_setting('memory_limit')").fetchone()
        limits.append(limit)
        return measure_features(scene, connection, *arguments)

    def keep_nothing(connection: duckdb.DuckDBPyConnection, columns: int) -> None:
        connection.execute("set memory_limit = '1MB'")

    monkeypatch.setattr("ratchet.monitoring.departures.measure_features", measure)
    monkeypatch.setattr("ratchet.monitoring.departures.keep_little", keep_nothing)
    assert watch_drift(lake.spec, THIRD, lake.settings) == usual
    little, much = limits  # the first did not do
    assert little != much


def test_watch_drift_planted_changes_are_found_at_their_columns(lake: ModelLake):
    gold = lake.spec.gold
    now = lake.rows[gold.decided_at] >= pd.Timestamp(THIRD.start.replace(tzinfo=None))
    lake.rows.loc[now, "temperature_f"] += 2
    lake.rows.loc[now & (lake.rows.index % 3 == 0), "dew_point_f"] = np.nan
    lake.rows.loc[now, "carrier"] = lake.rows.loc[now, "carrier"].replace({"AA": "VX"})
    told = signals(lake, [answer + 0.25 for answer in TREND])
    assert found(told) == {
        ("feature_drift", "temperature_f"),
        ("feature_drift", "carrier"),
        ("missingness", "dew_point_f"),
        ("prediction_drift", "probability"),
        ("multivariate_drift", None),
    }
    (ks,) = (s for s in told if (s.rule, s.column) == ("ks", "temperature_f"))
    assert (ks.direction, ks.rows, ks.unit) == ("up", WEEK, "share of rows")
    assert "training of version 1" in ks.reference


def test_watch_drift_few_rows_say_so_instead_of_numbers(lake: ModelLake):
    monitoring = lake.spec.monitoring.model_copy(update={"min_rows": WEEK + 1})
    lake.spec = lake.spec.model_copy(update={"monitoring": monitoring})
    told = [signal for signal in signals(lake, TREND) if signal.segment is None]
    assert told
    assert {(s.is_enough, s.value, s.p_value) for s in told} == {(False, None, None)}


def test_watch_drift_answers_have_a_floor_of_their_own(lake: ModelLake):
    retraining = lake.spec.retraining.model_copy(update={"max_prediction_psi": 0.4})
    lake.spec = lake.spec.model_copy(update={"retraining": retraining})
    floors = {(s.family, s.floor) for s in signals(lake, TREND) if s.rule == "psi"}
    assert ("prediction_drift", 0.4) in floors
    assert {floor for family, floor in floors if family != "prediction_drift"} == {
        lake.spec.monitoring.max_psi
    }


def test_watch_drift_window_that_is_not_scored_says_nothing(lake: ModelLake):
    assert watch_drift(lake.spec, SECOND, lake.settings) == []
