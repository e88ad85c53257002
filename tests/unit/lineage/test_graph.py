"""The flagship's columns. What is expected was read by hand from its SQL."""

from types import SimpleNamespace

import pytest

from ratchet.errors import AccessError, BuildError
from ratchet.lineage import (
    column_lineage,
    feature_sources,
    load_graph,
    refuse_restricted_features,
)
from ratchet.lineage.graph import Column, graph_of
from ratchet.settings import Settings

FEATURES = "gold.feat_flights"
EVENTS = {("movements", "event"), ("movements", "event_at"), ("movements", "_window")}
RATE = {("movements", "event"), ("movements", "delay_min")}
EXPECTED = {
    "origin": {("schedules", "origin")},
    "scheduled_hour": {("schedules", "scheduled_departure_at")},
    "temperature_f": {("weather", "temperature_f")},
    "weather_age_min": {("weather", "observed_at"), ("schedules", "scheduled_departure_at")},
    "scheduled_elapsed_min": {
        ("schedules", "scheduled_departure_at"),
        ("schedules", "scheduled_arrival_hhmm"),
        ("airports", "time_zone"),
    },
    "origin_waiting": {*EVENTS, ("schedules", "scheduled_departure_at")},
    "origin_mean_delay_min": {
        *EVENTS,
        ("movements", "delay_min"),
        ("schedules", "scheduled_departure_at"),
    },
    "destination_mean_arrival_delay_min": {("movements", "delay_min")},
    "carrier_rate_14d": RATE,
    "flight_number_rate_28d": RATE,
}


@pytest.mark.parametrize("feature", EXPECTED)
def test_feature_comes_from_the_columns_that_its_sql_names(graph, feature):
    assert graph.sources(FEATURES, feature) == EXPECTED[feature]


def test_every_feature_goes_back_to_columns_that_feeds_declare(graph, flights_spec, tmp_path):
    sources = feature_sources(flights_spec, Settings(tmp_path, tmp_path))
    assert list(sources) == list(flights_spec.gold.features)
    for feature, leaves in sources.items():
        declared = {(f, c) for f, c in leaves if c in flights_spec.feeds[f].columns}
        assert declared, feature
        assert {c for f, c in leaves - declared} <= {"_window"}, feature


def test_conditions_are_followed_only_if_asked_for(graph, flights_spec, tmp_path):
    settings = Settings(tmp_path, tmp_path)
    values = feature_sources(flights_spec, settings)["carrier_rate_14d"]
    every = feature_sources(flights_spec, settings, conditions=True)["carrier_rate_14d"]
    assert values < every
    assert ("schedules", "carrier") in every - values
    assert ("movements", "tail_number") not in every


def test_label_comes_from_how_the_flight_ended(graph, flights_spec):
    gold = flights_spec.gold
    assert graph.sources(f"gold.{gold.outcomes_table}", gold.label) == RATE


def test_all_models_of_the_use_case_can_be_followed(graph):
    assert len(graph.models) > 20
    assert {table: m.problem for table, m in graph.models.items() if m.problem} == {}
    assert all(model.columns for model in graph.models.values())


def test_column_lineage_holds_every_column_of_every_model(graph, flights_spec, tmp_path):
    lineage = column_lineage(flights_spec, Settings(tmp_path, tmp_path))
    assert set(lineage) == {(t, c) for t, m in graph.models.items() for c in m.columns}
    assert lineage["silver.int_flights__movements", "tail_number"] == {("movements", "tail_number")}


def test_graph_is_read_from_its_file_until_the_spec_or_the_sql_changes(
    graph, flights_spec, tmp_path, monkeypatch
):
    settings = Settings(tmp_path, tmp_path)
    assert load_graph(flights_spec, settings) == graph
    monkeypatch.setattr("ratchet.lineage.graph._graph", lambda *_: pytest.fail("compiled again"))
    assert load_graph(flights_spec, settings) == graph
    monkeypatch.setattr("ratchet.lineage.graph.sql_sha256", lambda: "changed")
    with pytest.raises(pytest.fail.Exception, match="compiled again"):
        load_graph(flights_spec, settings)


def test_column_that_does_not_exist_is_refused(graph):
    with pytest.raises(BuildError, match=r"feat_flights\.sql has no column fog"):
        graph.sources(FEATURES, "fog")


def manifest(**models):
    """Return what dbt would say of models that read one feed."""
    nodes = {
        f"model.r.{name}": {
            "resource_type": "model",
            "fqn": ["r", "gold", "tiny", name],
            "schema": "gold",
            "database": "db",
            "name": name,
            "original_file_path": f"models/{name}.sql",
            "compiled_code": sql,
            "columns": {"x": {}},
            "config": {},
            "depends_on": {
                "nodes": [
                    "source.r.raw",
                    *(f"model.r.{other}" for other in models if f"gold.{other}" in sql),
                ]
            },
        }
        for name, sql in models.items()
    }
    source = {"relation_name": "read_parquet('raw')", "name": "raw"}
    return {"nodes": nodes, "sources": {"source.r.raw": source}}


TINY = SimpleNamespace(name="tiny", feeds={"raw": SimpleNamespace(columns={"x": 0, "secret": 0})})


def test_model_that_cannot_be_followed_says_so_and_takes_no_other_with_it():
    found = graph_of(
        manifest(
            bad="select raw as x from read_parquet('raw') as raw",
            after='select x from "db".gold.bad',
            good="select secret + 1 as x from read_parquet('raw')",
        ),
        TINY,
    )
    assert found.sources("gold.good", "x") == {("raw", "secret")}
    assert "name its columns" in found.models["gold.bad"].problem
    with pytest.raises(BuildError, match=r"models/bad\.sql: its columns can't be followed"):
        found.sources("gold.after", "x")


def test_feature_that_only_counts_rows_of_some_value_tells_of_it():
    found = graph_of(
        manifest(f="select count(*) as x from read_parquet('raw') where secret = 1"), TINY
    )
    assert found.models["gold.f"].columns["x"] == Column(
        values=frozenset(), conditions=frozenset({("feeds.raw", "secret"), ("feeds.raw", "*")})
    )
    assert found.sources("gold.f", "x") == set()
    assert found.sources("gold.f", "x", conditions=True) == {("raw", "secret")}


def test_feature_that_counts_rows_of_a_model_tells_of_what_that_one_left_out():
    found = graph_of(
        manifest(
            left="select x from read_parquet('raw') where secret = 1",
            f='select count(*) as x from "db".gold.left',
        ),
        TINY,
    )
    assert found.sources("gold.f", "x", conditions=True) == {("raw", "secret")}


def test_restricted_column_that_only_decides_on_rows_is_refused_by_the_sql(tmp_path, flights_spec):
    """A rate joins flights by their carrier, and no value of it holds that."""
    feed = flights_spec.feeds["schedules"]
    tagged = feed.columns["carrier"].model_copy(update={"tags": ("restricted",)})
    feed = feed.model_copy(update={"columns": {**feed.columns, "carrier": tagged}})
    features = {"carrier_rate_14d": flights_spec.gold.features["carrier_rate_14d"]}
    gold = flights_spec.gold.model_copy(update={"features": features})
    update = {"feeds": {**flights_spec.feeds, "schedules": feed}, "gold": gold}
    settings = Settings(tmp_path, tmp_path)
    refuse_restricted_features(flights_spec, settings)
    with pytest.raises(AccessError, match=r"schedules\.carrier decides which rows carrier_rate"):
        refuse_restricted_features(flights_spec.model_copy(update=update), settings)
