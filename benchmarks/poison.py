"""How small a fault each check of feeds finds, planted in real weeks, and what clean ones raise.

Reads the year of flights as `make replay` landed it in RATCHET_HOME; writes nothing. Each fault is
planted at a seeded random place in the landed rows of each of some weeks, in DuckDB, and undone.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random

import duckdb
from scipy.stats import binomtest

from ratchet.quality.feeds import CHECKS, MIN_PAST_DAYS
from ratchet.quality.rows import FeedRows, partners, weeks
from ratchet.settings import Settings
from ratchet.spec import Spec, load_spec
from ratchet.window import Window

SEED = 2013
FEEDS = ("schedules", "movements", "weather")
CELSIUS = "temperature_f = (temperature_f - 32) / 1.8, dew_point_f = (dew_point_f - 32) / 1.8"
MOVED = "_at = _at + interval {0:g} hour, sent_at = sent_at + interval {0:g} hour"

Plant = Callable[[float, Random, str], list[str]]


def _hours(size: float, moment: str) -> str:
    since = f"_at - timestamp '{moment}'"
    return f"_is_new and {since} >= interval 0 hour and {since} < interval {size:g} hour"


def _station(rng: Random) -> str:
    return f"origin = '{rng.choice(['EWR', 'JFK', 'LGA'])}'"


# name: check that should find it, feed, sizes, statements by size, random numbers and moment
FAULTS: dict[str, tuple[tuple[str, ...], str, tuple[float, ...], Plant]] = {
    "one temperature, degrees off": (
        ("impossible_value",),
        "weather",
        (15, 25, 35, 50),
        lambda size, rng, moment: [
            f"update rows set temperature_f = temperature_f + {size} where rowid = ("
            f"select min(rowid) from rows where {_station(rng)} and {_hours(6, moment)} "
            "and temperature_f is not null)"
        ],
    ),
    "wind of a station in knots, hours": (
        ("off_grid",),
        "weather",
        (6, 12, 24, 72),
        lambda size, rng, moment: [
            "update rows set wind_speed_mph = round(wind_speed_mph / 1.15078) "
            f"where {_station(rng)} and {_hours(size, moment)}"
        ],
    ),
    "temperatures of a station in Celsius, hours": (
        ("unit_slip", "off_grid", "impossible_value"),
        "weather",
        (6, 12, 24, 72),
        lambda size, rng, moment: [
            f"update rows set {CELSIUS} where {_station(rng)} and {_hours(size, moment)}"
        ],
    ),
    "temperatures of all stations in Celsius, hours": (
        ("unit_slip", "off_grid", "impossible_value"),
        "weather",
        (12, 24, 72, 168),
        lambda size, _, moment: [f"update rows set {CELSIUS} where {_hours(size, moment)}"],
    ),
    "movements that come again, rows": (
        ("duplicate_burst",),
        "movements",
        (10, 30, 100, 300),
        lambda size, _, moment: [
            f"insert into rows select * from rows where {_hours(24, moment)} limit {size:g}"
        ],
    ),
    "all movements silent, hours": (
        ("silent_feed",),
        "movements",
        (4, 8, 16, 24),
        lambda size, _, moment: [f"delete from rows where {_hours(size, moment)}"],
    ),
    "a pressure that stays, hours": (
        ("stuck_value",),
        "weather",
        (12, 18, 24, 48),
        lambda size, rng, moment: [
            "update rows set pressure_hpa = 1013.7 "
            f"where {_station(rng)} and {_hours(size, moment)}"
        ],
    ),
    "two airlines swapped, share of the week's rows": (
        ("code_swap",),
        "movements",
        (0.01, 0.05, 0.2, 1),
        lambda size, _, __: [
            "update rows set carrier = if(carrier = 'UA', 'DL', 'UA') "
            f"where _is_new and carrier in ('UA', 'DL') and hash(rowid) % 1000 < {1000 * size:g}"
        ],
    ),
    "all movements later and filed so, hours": (
        ("clock_shift",),
        "movements",
        (0.1, 1, 2, 5),
        lambda size, _, __: [
            f"update rows set _at = _at + interval {60 * size:g} minute where _is_new",
            "update rows set event_at = _at, _day = _at::date where _is_new",
        ],
    ),
    "some movements an hour later, share of the week's rows": (
        ("clock_shift",),
        "movements",
        (0.001, 0.01, 0.1),
        lambda size, _, __: [
            "update rows set _at = _at + interval 1 hour, event_at = event_at + interval 1 hour "
            f"where _is_new and hash(rowid) % 10000 < {10000 * size:g}"
        ],
    ),
    "all weather later within its files, hours": (
        ("clock_shift",),
        "weather",
        (1, 2, 5),
        lambda size, _, __: [f"update rows set {MOVED.format(size)} where _is_new"],
    ),
    "all weather later and filed so, hours": (
        ("clock_shift",),
        "weather",
        (1, 2, 3, 5),
        lambda size, _, __: [
            f"update rows set {MOVED.format(size)}, _day = (_at + interval {size + 1} hour)::date "
            "where _is_new"
        ],
    ),
    "a day's schedules lost, share": (
        ("volume",),
        "schedules",
        (0.1, 0.2, 0.3, 0.5),
        lambda size, _, moment: [
            f"delete from rows where _date = timestamp '{moment}'::date "
            f"and hash(rowid) % 1000 < {1000 * size:g}"
        ],
    ),
}


def _rows(
    spec: Spec, feed: str, window: Window, connection: duckdb.DuckDBPyConnection
) -> list[FeedRows]:
    related = partners(spec.feeds, feed)
    return [
        FeedRows(feed, spec.feeds[feed], spec.quality, start, end, connection, related)
        for start, end in weeks(window)
    ]


def _faults(rows: FeedRows, checks: tuple[str, ...]) -> set[str]:
    fresh = replace(rows)  # nothing cached
    return {f.name for check in checks for f in CHECKS[check](fresh) if f.is_fault}


def detection(spec: Spec, settings: Settings, windows: list[Window]) -> None:
    """Print how often each fault was found, with Wilson's interval of 95 %."""
    rng, lake = Random(SEED), settings.lake(spec.name)  # noqa: S311
    found: Counter[tuple[str, float]] = Counter()
    for window in windows:
        for feed in FEEDS:
            with duckdb.connect(config={"threads": 1}) as connection:
                (rows,) = _rows(spec, feed, window, connection)
                rows.load(lake, window)
                for name, (checks, where, sizes, plant) in FAULTS.items():
                    if where != feed:
                        continue
                    clean = _faults(rows, checks)
                    for size in sizes:
                        moment = window.start + timedelta(hours=rng.randrange(24, 96))
                        connection.execute("begin")
                        for statement in plant(size, rng, f"{moment:%Y-%m-%d %H:%M}"):
                            connection.execute(statement)
                        found[name, size] += bool(_faults(rows, checks) - clean)
                        connection.execute("rollback")
    for name, (checks, _, sizes, _) in FAULTS.items():
        cells = []
        for size in sizes:
            low, high = binomtest(found[name, size], len(windows)).proportion_ci(method="wilson")
            cells.append(f"{size:g}: {found[name, size]}/{len(windows)} ({low:.2f}–{high:.2f})")
        print(f"| {name} | {', '.join(f'`{check}`' for check in checks)} | {'; '.join(cells)} |")


def clean(spec: Spec, settings: Settings, windows: list[Window]) -> None:
    """Print what each check found in the windows as they are, and in how many feed-weeks."""
    lake, found, judged = settings.lake(spec.name), Counter[str](), 0
    for window in windows:
        for feed in FEEDS:
            with duckdb.connect(config={"threads": 1}) as connection:
                for rows in _rows(spec, feed, window, connection):
                    rows.load(lake, window)
                    if rows.past_days < MIN_PAST_DAYS:
                        continue
                    judged += 1
                    for check in CHECKS:
                        names = _faults(rows, (check,))
                        accepted = {name for name in names if name in spec.quality.accepted}
                        found[check] += len(names - accepted)
                        for name in sorted(names):
                            print(f"{window} {name}{' (accepted)' if name in accepted else ''}")
    for check in CHECKS:
        print(f"| `{check}` | {found[check]} in {judged} feed-weeks |")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weeks", type=int, default=8, help="weeks in which faults are planted")
    parser.add_argument("--skip-clean", action="store_true", help="plant only")
    arguments = parser.parse_args()
    settings = Settings.load()
    spec = load_spec(settings.use_cases / "flights.yaml")
    landed = sorted((settings.lake(spec.name).root / "landing" / FEEDS[0]).iterdir())
    windows = [Window.parse(path.name) for path in landed]
    # the first has no past, and the last is cut by the year's end
    chosen = Random(SEED).sample(windows[1:-1], arguments.weeks)  # noqa: S311
    detection(spec, settings, sorted(chosen, key=lambda window: window.start))
    if not arguments.skip_clean:
        clean(spec, settings, windows)


if __name__ == "__main__":
    main()
