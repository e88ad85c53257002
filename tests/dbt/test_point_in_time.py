"""A decision's features follow from what was known when it was taken, and from nothing else."""

import duckdb
import pytest
from three_weeks import LATER, SENT_AGAIN, SENT_TOO_LATE

WINDOW = LATER[1]
SILVER = (
    "int_flights__conformed",
    "int_flights__movements",
    "int_flights__weather",
    "int_flights__outcomes",
    "int_flights__daily_outcomes",
    "int_flights__queues",
    "int_flights__rates",
)
# moments of a day (UTC) on which weather came late, and schedules and departures were sent again
MOMENTS = ("08:00", "10:15", "14:05", "18:59", "23:30", "26:59")


@pytest.fixture(scope="module")
def compiled(three_weeks) -> dict[str, str]:
    """Return the SQL of silver and of the features, as the pipeline ran it."""
    folder = three_weeks.lake("flights").work(LATER[-1]) / "dbt"
    paths = folder.glob("*/compiled/ratchet/models/**/*.sql")
    return {path.stem: path.read_text() for path in paths}


@pytest.fixture(scope="module")
def at_once(three_weeks):
    """Return a connection to the gold that was built when all three weeks had landed."""
    with duckdb.connect() as connection:
        path = three_weeks.lake("flights").published
        connection.execute(f"attach '{path}' as published (read_only)")
        yield connection


def rebuild(connection, compiled, moment: str, known_by: str) -> None:
    """Build `flights` up to a moment, from only those rows of bronze that were known by another."""
    connection.execute("detach database if exists flights")
    connection.execute("attach ':memory:' as flights")
    for schema in ("bronze", "silver", "gold"):
        connection.execute(f"create schema flights.{schema}")
    for feed in ("schedules", "movements", "weather", "airports"):
        connection.execute(
            f"create table flights.bronze.stg_flights__{feed} as "
            f"from published.bronze.stg_flights__{feed} where known_at <= timestamp '{known_by}'"
        )
    connection.execute(
        f"""
        set variable range_start = timestamp '2012-12-31';
        set variable range_end = timestamp '{moment}' + interval '1 minute';
        """
    )
    for name in SILVER:
        connection.execute(f"create table flights.silver.{name} as {compiled[name]}")
    connection.execute(f"create table flights.gold.feat_flights as {compiled['feat_flights']}")


def differences(connection, moment: str) -> tuple[int, int]:
    """Return how many flights were decided at a moment, and how many of them differ."""
    then = f"from flights.gold.feat_flights where decision_at = '{moment}'"
    later = f"from published.gold.feat_flights where decision_at = '{moment}'"
    return connection.execute(
        f"select (select count(*) {later}), (select count(*) from ({later} except all {then}))"
    ).fetchone()


@pytest.mark.parametrize("clock", MOMENTS)
def test_features_are_those_of_the_moment(at_once, compiled, clock):
    hour, minute = clock.split(":")
    (moment,) = at_once.execute(
        # the nearest moment, from the given one on, at which something was decided
        f"""
        select min(decision_at)::varchar from published.gold.feat_flights
        where decision_at >= timestamp '2013-01-14 00:{minute}:00' + interval '{hour} hours'
        """
    ).fetchone()
    rebuild(at_once, compiled, moment, known_by=moment)
    decided, different = differences(at_once, moment)
    assert decided > 0
    assert different == 0


def test_features_of_an_hour_ago_are_others(at_once, compiled):
    """What is compared does depend on what was known."""
    rebuild(at_once, compiled, "2013-01-14 19:00", known_by="2013-01-14 18:00")
    decided, different = differences(at_once, "2013-01-14 19:00")
    assert different == decided > 0


def test_schedule_sent_again_counts_only_if_it_came_in_time(at_once):
    decided = dict(
        at_once.execute(
            "select flight_id, decision_at::varchar from published.gold.feat_flights "
            "where flight_id in (?, ?)",
            [SENT_AGAIN, SENT_TOO_LATE],
        ).fetchall()
    )
    assert decided == {
        SENT_AGAIN: "2013-01-15 03:30:00",
        SENT_TOO_LATE: "2013-01-15 02:59:00",
    }


def test_weather_that_came_late_is_in_no_feature(at_once):
    late = "from published.bronze.stg_flights__weather where temperature_f = 99"
    assert len(at_once.execute(late).fetchall()) == 1
    used = "from published.gold.feat_flights where temperature_f = 99"
    assert at_once.execute(used).fetchall() == []
