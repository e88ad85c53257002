"""Segments of real flights: silent in clean weeks, and loud by name where a fault is planted."""

from pathlib import Path

import duckdb
import pytest

from ratchet.errors import BuildError, FeedError, SpecError
from ratchet.quality import check_segments, read_findings
from ratchet.settings import Settings
from ratchet.window import Window

FIRST = Window.parse("2013-02-01T0000--2013-03-29T0000")
WEEK = Window.parse("2013-03-29T0000--2013-04-05T0000")
LATER = Window.parse("2013-04-05T0000--2013-04-12T0000")
LONG = Window(WEEK.start, LATER.end)
FEEDS = ("schedules", "movements", "weather")
TYPES = {
    "text": "varchar",
    "integer": "bigint",
    "number": "double",
    "date": "date",
    "timestamp": "timestamp",
}


@pytest.fixture(scope="module")
def whole(flights_spec, flights_inbox, tmp_path_factory) -> Path:
    """Return real rows of ten weeks as Parquet, one file a feed. Read, never write."""
    folder = tmp_path_factory.mktemp("rows")
    for name in FEEDS:
        feed = flights_spec.feeds[name]
        columns = {name: TYPES[column.type] for name, column in feed.columns.items()}
        files = sorted((flights_inbox / "flights" / name).glob("*.csv"))
        files = [str(file) for file in files if "20130131" < file.stem.split("_")[1] < "20130412"]
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.execute(
                f"""copy (
                    select * exclude (filename), parse_filename(filename) as _file
                    from read_csv(?, columns = {columns}, nullstr = 'NA', filename = true)
                ) to '{folder / name}.parquet'""",
                [files],
            )
    return folder


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(tmp_path, tmp_path)


@pytest.fixture
def lake(flights_spec, whole, settings):
    """Return a function that lands the real weeks with a change, and the gold that follows."""

    def fill(feed="", changed="*", windows=(FIRST, WEEK, LATER)):
        lake = settings.lake(flights_spec.name)
        with duckdb.connect(config={"threads": 1}) as connection:
            for name in FEEDS:
                chosen = f"""
                    select {changed if name == feed else "*"},
                        strptime(_file[-12:-5], '%Y%m%d') + interval 1 day as _at
                    from '{whole / name}.parquet'"""
                for window in windows:
                    folder = lake.landing(name, window)
                    folder.mkdir(parents=True)
                    connection.execute(f"""
                        copy (
                            select * exclude (_at) from ({chosen})
                            where _at > timestamp '{window.start:%Y-%m-%d}'
                                and _at <= timestamp '{window.end:%Y-%m-%d}'
                        ) to '{folder / "accepted.parquet"}'""")
        lake.warehouse.parent.mkdir(parents=True)
        with duckdb.connect(lake.warehouse) as connection:
            connection.execute(f"""
                create schema gold;
                create table gold.feat_flights as select
                    carrier || flight_number || flight_date as flight_id, carrier, origin,
                    scheduled_departure_at - interval 2 hour as decision_at, distance_mi,
                    extract(hour from scheduled_departure_at) as scheduled_hour
                from '{whole / "schedules"}.parquet'""")

    return fill


def faults(spec, window, settings):
    return {
        (f.check, f.subject, f.column, f.segment, f.state)
        for f in read_findings(spec, window, settings, blocking=False)
        if f.is_fault
    }


def in_week(condition, column, value):
    """Return the SQL of all columns with one changed in the tested week where a condition holds."""
    in_it = "_file[-12:-5] between '20130405' and '20130411'"
    return (
        f"* replace (case when {in_it} and {condition} then {value} else {column} end as {column})"
    )


def test_check_segments_airline_new_at_an_airport_appeared_and_all_else_is_right(
    flights_spec, lake, settings
):
    lake()
    assert check_segments(flights_spec, WEEK, settings) == []
    # Virgin America's first flights out of Newark left on 2 April 2013
    appeared = ("segment_appeared", None, "carrier=VX, origin=EWR", "appeared")
    assert faults(flights_spec, WEEK, settings) == {
        (appeared[0], feed, *appeared[1:]) for feed in ("schedules", "movements")
    }
    found = read_findings(flights_spec, WEEK, settings, blocking=False)
    right = {(f.check, f.subject, f.segment) for f in found if f.state == "ok"}
    assert right >= {
        ("segment_mean", "movements", "tail_number"),
        ("segment_missing", "weather", "origin"),
        ("segment_volume", "schedules", "carrier,origin"),
        ("feature_segment_mean", "feat_flights", "scheduled_hour"),
    }
    assert any(f.state == "not_enough_data" for f in found)
    # a flight number names, and is no size; nor is a minute of delay a label
    assert not {f.segment for f in found} & {"flight_number", "delay_min"}


def test_check_segments_column_lost_by_one_airline_blocks(flights_spec, lake, settings):
    lake("movements", in_week("carrier = 'F9'", "tail_number", "null"))
    blocking = check_segments(flights_spec, LATER, settings)
    names = {f.name for f in blocking}
    assert "segment_lost:movements.tail_number[carrier=F9]" in names
    fault = next(f for f in blocking if f.segment == "carrier=F9")
    assert fault.state == "found"
    assert fault.broken == fault.rows
    assert "tail_number is missing in 100.0% of rows" in fault.text
    assert fault.text.endswith("what changed, or accept it in the spec with a reason.")


def test_check_segments_unit_changed_at_one_station_is_found(flights_spec, lake, settings):
    celsius = "(temperature_f - 32) / 1.8"
    lake("weather", in_week("origin = 'LGA'", "temperature_f", celsius))
    check_segments(flights_spec, LATER, settings)
    found = {fault for fault in faults(flights_spec, LATER, settings) if fault[1] == "weather"}
    assert found == {("segment_mean", "weather", "temperature_f", "origin=LGA", "found")}


def test_check_segments_airline_that_stops_disappeared(flights_spec, lake, settings):
    lake("schedules", in_week("carrier = 'HA'", "carrier", "'UA'"))
    check_segments(flights_spec, LATER, settings)
    found = faults(flights_spec, LATER, settings)
    assert ("segment_disappeared", "schedules", None, "carrier=HA", "disappeared") in found


def test_check_segments_later_rows_change_nothing(flights_spec, lake, settings):
    lake("movements", in_week("true", "delay_min", "999"))
    check_segments(flights_spec, WEEK, settings)
    assert {fault[0] for fault in faults(flights_spec, WEEK, settings)} == {"segment_appeared"}


def test_check_segments_long_window_is_checked_by_week(flights_spec, lake, settings):
    change = in_week("carrier = 'F9'", "tail_number", "null")
    lake("movements", change, windows=(FIRST, LONG))
    blocking = check_segments(flights_spec, LONG, settings)
    assert {f.text.split(": ")[0] for f in blocking} == {str(LATER)}
    assert ("segment_appeared", "movements", None, "carrier=VX, origin=EWR", "appeared") in faults(
        flights_spec, LONG, settings
    )


def test_check_segments_what_is_not_there_is_refused(flights_spec, lake, settings):
    lake()
    missing = Window.parse("2013-04-12T0000--2013-04-19T0000")
    with pytest.raises(FeedError, match="holds no landed window; land it"):
        check_segments(flights_spec, missing, settings)
    keys = {"segments": {"feat_flights": (("gate",),)}}
    wrong = flights_spec.model_copy(
        update={"quality": flights_spec.quality.model_copy(update=keys)}
    )
    with pytest.raises(SpecError, match="names 'gate', which the table lacks; name columns out of"):
        check_segments(wrong, WEEK, settings)
    settings.lake(flights_spec.name).warehouse.unlink()
    with pytest.raises(BuildError, match=r"no warehouse at .*flights\.duckdb; build gold first"):
        check_segments(flights_spec, WEEK, settings)
