"""Signals and evidence that a test can read at a glance."""

from datetime import timedelta

from ratchet.incidents.evidence import Evidence, Seen, levels_of
from ratchet.lineage import Graph
from ratchet.monitoring import Signal
from ratchet.spec import Spec
from ratchet.spec.owner import Owner
from ratchet.window import Window

OWNER = Owner(name="Somebody", email="somebody@ratchet.example")
FIRST = Window.parse("2013-03-01T0000--2013-03-08T0000")
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


def week(number: int) -> Window:
    """Return the week so many after the first one."""
    ahead = timedelta(days=7 * number)
    return Window(FIRST.start + ahead, FIRST.end + ahead)


def signal(name: str = "temperature_f", window: Window = FIRST, **changes: object) -> Signal:
    """Return a feature's drift that nobody can doubt, with some changes."""
    plain = {
        "window": window.key,
        "family": "feature_drift",
        "rule": "ks",
        "subject": "feat_flights",
        "column": name,
        "rows": 7000,
        "is_enough": True,
        "value": 0.5,
        "expected": 0.0,
        "effect": 0.5,
        "floor": 0.1,
        "null_limit": 0.02,
        "p_value": 1e-9,
        "unit": "largest difference of shares",
        "reference": "the champion's training data",
        "text": "It moved; look at its feed.",
    }
    return Signal(**{**plain, **changes})


def evidence(source: str, subject: str, **changes: object) -> Evidence:
    """Return a finding of a rule, with some changes."""
    family = source.partition(".")[0]
    column = changes.get("column")
    plain = {
        "kind": "finding",
        "name": f"{source}:{subject}" + (f".{column}" if column else ""),
        "source": source,
        "family": family,
        "subject": subject,
        "column": None,
        "leaves": frozenset(),
        "home": "flights",
        "severity": "digest",
        "weight": 2.0,
        "rows": 7000,
        "value": 0.5,
        "threshold": 0.1,
        "unit": "share",
        "owner": OWNER,
        "text": "It moved; look at it.",
    }
    return Evidence(**{**plain, **changes})


def fault(check: str, feed: str, column: str | None = None, **changes: object) -> Evidence:
    """Return what a check says that blocks a feed or a column of it."""
    columns = [column] if column else ["temperature_f", "wind_speed_mph"]
    return evidence(
        f"data.{check}",
        feed,
        **{
            "kind": "fault",
            "column": column,
            "leaves": frozenset((feed, name) for name in columns),
            "home": feed,
            "severity": "ticket",
            "weight": 0.0,
            **changes,
        },
    )


def changed(segment: str, table: str = "schedules", **changes: object) -> Evidence:
    """Return the news of a segment that appeared in a feed, or in gold."""
    columns = [level.partition("=")[0] for level in levels_of(segment)]
    source = "data.segment_appeared"
    plain = {
        "kind": "news",
        "name": f"{source}:{table}[{segment}]",
        "family": "segment",
        "segment": segment,
        "leaves": frozenset((table, column) for column in columns),
        "home": table,
        "severity": "ticket",
        "text": f"{table}, {segment}: 7000 rows, the first in its history; ask who sends it.",
    }
    return evidence(source, table, **{**plain, **changes})


def drift(feature: str, feed: str, rule: str = "feature_drift.ks", **changes: object) -> Evidence:
    """Return the drift of a feature that is read from a feed's column of the same name."""
    leaves = frozenset({(feed, feature)})
    return evidence(
        rule,
        "feat_flights",
        **{"column": feature, "leaves": leaves, "home": feed, **changes},
    )


def seen(window: Window, *found: Evidence, **changes: object) -> Seen:
    """Return a window in which everything was looked at."""
    judged = frozenset(e.source for e in found) | {
        "feature_drift.ks",
        "performance.realised_cost",
        "kpi.level",
        "service.latency",
        "service.errors",
    }
    plain = {
        "window": window.key,
        "evidence": found,
        "is_checked": True,
        "judged": judged,
        "unknown": frozenset(),
    }
    return Seen(**{**plain, **changes})


def graph_of(spec: Spec) -> Graph:
    """Return the lineage of `SOURCES`, without dbt."""

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
