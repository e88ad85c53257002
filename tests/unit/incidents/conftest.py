from pathlib import Path

import pytest

from ratchet.lineage import Graph
from ratchet.settings import Settings
from ratchet.spec import Spec

# The flagship's features as they are computed, but for one whose SQL can't be followed.
SOURCES = {
    "temperature_f": {("weather", "temperature_f")},
    "wind_speed_mph": {("weather", "wind_speed_mph")},
    "weather_age_min": {("weather", "observed_at"), ("schedules", "scheduled_departure_at")},
    "carrier": {("schedules", "carrier")},
    "scheduled_elapsed_min": {
        ("airports", "time_zone"),
        ("schedules", "scheduled_arrival_hhmm"),
    },
    "origin_mean_delay_min": {("movements", "delay_min"), ("schedules", "carrier")},
    "route_rate_28d": {("movements", "delay_min")},
}


@pytest.fixture
def settings(spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return an empty lake whose lineage is known without dbt."""
    graph = graph_of(spec)
    monkeypatch.setattr("ratchet.lineage.load_graph", lambda *_: graph)
    return Settings(tmp_path, tmp_path)


def graph_of(spec: Spec) -> Graph:
    def model(parents: tuple[str, ...], columns: dict[str, set[tuple[str, str]]]) -> dict:
        return {
            "table": "",
            "path": "feat_flights.sql",
            "sql": "",
            "sha256": "",
            "parents": parents,
            "key": (),
            "range": (),
            "columns": {
                name: {"values": [(f"feeds.{f}", c) for f, c in leaves], "conditions": []}
                for name, leaves in columns.items()
            },
            "rows": (),
            "problem": None,
        }

    feeds = {name: tuple(feed.columns) for name, feed in spec.feeds.items()}
    return Graph.model_validate(
        {
            "models": {
                "bronze.stg_flights__weather": model(("feeds.weather",), {}),
                "silver.int_flights__conformed": model(("feeds.schedules", "feeds.movements"), {}),
                "gold.feat_flights": model(
                    ("bronze.stg_flights__weather", "silver.int_flights__conformed"), SOURCES
                ),
                "gold.mart_decision_costs": model(("silver.int_flights__conformed",), {}),
            },
            "feeds": feeds,
        }
    )
