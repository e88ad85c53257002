"""What is decided where the weather is old, on real flights whose weather stopped being sent."""

import shutil
from types import SimpleNamespace

import duckdb
import numpy as np
import pandas as pd
import pytest
from three_weeks import LATER

from ratchet.problems import problem_of
from ratchet.serving import score
from ratchet.settings import Settings

LAST = LATER[-1]
# EWR sends nothing for five hours, and JFK nothing at all for an hour's flights
PLANTED = """
update gold.feat_flights set
    weather_age_min = if(origin = 'EWR', weather_age_min + 300, null)
where (origin = 'EWR' and decision_at between '2013-01-19 12:00' and '2013-01-19 16:59')
    or (origin = 'JFK' and decision_at between '2013-01-20 12:00' and '2013-01-20 12:59')
"""
WEATHER = (
    "temperature_f, dew_point_f, humidity_pct, wind_speed_mph, wind_gust_mph, precipitation_in, "
    "visibility_mi"
)


@pytest.fixture(autouse=True)
def champion(monkeypatch, flights_spec):
    """Let a model that acts on every flight be champion."""
    model = SimpleNamespace(
        version="5",
        spec=flights_spec,
        problem=problem_of(flights_spec),
        answers=lambda rows: np.full(len(rows), 0.9),
        reasons=lambda rows, count: None,
    )
    monkeypatch.setattr("ratchet.serving.scoring.champion_at", lambda *_: model)
    monkeypatch.setattr("ratchet.serving.scoring.first_champion", lambda *_: model)


@pytest.fixture
def lake(three_weeks: Settings, tmp_path) -> Settings:
    published = Settings(tmp_path, tmp_path).lake("flights").published
    published.parent.mkdir(parents=True)
    shutil.copyfile(three_weeks.lake("flights").published, published)
    return Settings(tmp_path, tmp_path)


@pytest.fixture
def planted(lake: Settings) -> int:
    """Let weather grow old; return on how many flights."""
    with duckdb.connect(lake.lake("flights").published) as connection:
        (rows,) = connection.execute(PLANTED).fetchone()
    assert rows > 50
    return int(rows)


def scored(spec, lake, on_stale) -> pd.DataFrame:
    staleness = spec.gold.staleness.model_copy(update={"on_stale": on_stale})
    gold = spec.gold.model_copy(update={"staleness": staleness})
    report = score(spec.model_copy(update={"gold": gold}), LAST, lake)
    rows = pd.read_parquet(report.path)
    assert rows["is_decision"].sum() == report.rows
    return rows


def test_fresh_weather_is_marked_nowhere(flights_spec, lake):
    for on_stale in ("refuse", "baseline", "go_on"):
        rows = scored(flights_spec, lake, on_stale)
        assert rows["stale_features"].isna().all()
        assert rows["fallback"].isna().all()
        assert set(rows.loc[rows["is_decision"], "role"]) == {"champion"}
        assert rows.loc[rows["role"] == "champion", "is_acted"].all()


def test_refuse_leaves_alone_and_says_so(flights_spec, lake, planted):
    rows = scored(flights_spec, lake, "refuse")
    stale = rows[rows["stale_features"].notna() & rows["is_decision"]]
    assert len(stale) == planted
    assert set(stale["stale_features"]) == {WEATHER}
    assert set(stale["fallback"]) == {"refused"}
    assert set(stale["role"]) == {"champion"}
    assert not stale["is_acted"].any()
    assert set(stale["cost_if_positive"]) == {flights_spec.costs.positive_left_alone}
    assert set(stale["cost_if_negative"]) == {flights_spec.costs.negative_left_alone}
    assert (stale["probability"] == 0.9).all()
    fresh = rows[rows["stale_features"].isna()]
    assert fresh["fallback"].isna().all()
    assert fresh.loc[fresh["role"] == "champion", "is_acted"].all()


def test_baseline_lets_the_rule_decide(flights_spec, lake, planted):
    rows = scored(flights_spec, lake, "baseline")
    stale = rows[rows["stale_features"].notna()]
    decided = stale[stale["is_decision"]]
    assert len(decided) == planted
    assert set(decided["role"]) == {"rule"}
    assert set(stale["fallback"]) == {"baseline"}
    assert (decided["is_acted"] == (decided["probability"] >= flights_spec.costs.threshold)).all()
    fresh = rows[rows["stale_features"].isna() & rows["is_decision"]]
    assert set(fresh["role"]) == {"champion"}


def test_go_on_decides_all_the_same_and_is_marked(flights_spec, lake, planted):
    rows = scored(flights_spec, lake, "go_on")
    decided = rows[rows["is_decision"]]
    assert decided["stale_features"].notna().sum() == planted
    assert set(decided["role"]) == {"champion"}
    assert decided["is_acted"].all()
    assert rows["fallback"].isna().all()


def test_rule_decides_while_there_is_no_champion_whatever_is_stale(
    flights_spec, lake, planted, monkeypatch
):
    monkeypatch.setattr("ratchet.serving.scoring.champion_at", lambda *_: None)
    rows = scored(flights_spec, lake, "refuse")
    assert set(rows["role"]) == {"rule"}
    assert rows["is_decision"].all()
    assert rows["stale_features"].notna().sum() == planted
    assert rows["fallback"].isna().all()
