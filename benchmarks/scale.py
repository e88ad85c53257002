"""A hundred million rows through the pipeline: peak memory, and what one more day costs.

A made-up feed of events, landed by day. All days but the last are built at once from nothing, then
the last one alone: bronze, silver that removes duplicates, gold with an enforced contract and
trailing sums, data tests on each. The macros, tests, hooks and shared models are those of the
project. That is done with a tenth of the days first, and then with all; each build, and
the publication of the last one, runs in a process of its own, whose peak memory, CPU seconds, and
bytes read and written are counted.

    python benchmarks/scale.py                        # 100 days of 1,000,000 rows
    python benchmarks/scale.py --rows-per-day 10000   # a quick look
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import duckdb
import psutil

from ratchet.settings import Settings
from ratchet.spec import Spec, load_spec
from ratchet.spec.types import Feed
from ratchet.warehouse import Layer, build, invocation, publish, verdict
from ratchet.warehouse import build as build_module
from ratchet.window import Window

START = datetime(2030, 1, 1, tzinfo=UTC)
FEED = {
    "producer": "A loop",
    "event_time": "event_at",
    "description": "One row per event; one in a thousand is sent twice.",
    "files": "daily",
    "active": {"start": START.date()},
    "key": ["event_id"],
    "max_quarantined_share": 0.01,
    "columns": {
        "event_id": {"type": "integer", "description": "Event."},
        "event_at": {"type": "timestamp", "description": "When it happened."},
        "customer_id": {"type": "integer", "description": "Whose it is."},
        "kind": {"type": "text", "description": "What happened."},
        "amount_usd": {"type": "number", "description": "What was paid."},
    },
}
MODELS = {
    "bronze/events/_sources.yml": """
version: 2
sources:
  - name: events
    config:
      meta:
        formatter: template
        external_location: "read_parquet(getvariable('lake') || '/landing/$name/' ||
          getvariable('landed') || '/accepted.parquet')"
    tables: [{name: events}]
""",
    "bronze/events/stg_events__events.sql": """
select
    event_id, event_at, customer_id, kind, amount_usd,
    {{ known_at('event_at') }} as known_at,
    _file, _row, _sha256, _loaded_at, _run_id, _window
from {{ source('events', 'events') }}
where {{ window_bound(2) }} <= {{ window_end() }}
""",
    "bronze/events/_models.yml": """
version: 2
models:
  - name: stg_events__events
    data_tests:
      - between: {arguments: {at: known_at, bounds: {amount_usd: [0, 1000]}}}
""",
    "silver/events/int_events__events.sql": """
{{ config(incremental_predicates=[in_range('known_at')]) }}
select event_id, event_at, customer_id, kind, amount_usd, known_at
from {{ ref('stg_events__events') }}
where {{ in_range_since('known_at', '1 day') }}
qualify
    row_number() over (partition by event_id order by known_at, _row) = 1
    and {{ in_range('known_at') }}
order by known_at
""",
    "silver/events/_models.yml": """
version: 2
models:
  - name: int_events__events
    data_tests:
      - unique_combination: {arguments: {columns: [event_id], at: known_at}}
      - between: {arguments: {at: known_at, bounds: {amount_usd: [0, 1000]}}}
""",
    "gold/events/feat_customers.sql": """
{{ config(incremental_predicates=[in_range('decision_at')]) }}
with days as (
    select
        customer_id,
        date_trunc('day', known_at) + interval '1 day' as decision_at,
        count(*) as events,
        sum(amount_usd) as amount_usd
    from {{ ref('int_events__events') }}
    where {{ in_range_since('known_at', '8 days') }}
    group by all
)
select
    customer_id,
    days.decision_at - interval '1 minute' as decision_at,
    cast(sum(events) over week as bigint) as events_7d,
    sum(amount_usd) over week as amount_7d_usd
from days
window week as (
    partition by customer_id order by days.decision_at
    range between interval '6 days' preceding and current row
)
qualify {{ in_range("days.decision_at - interval '1 minute'") }}
order by decision_at
""",
    "gold/events/_models.yml": """
version: 2
models:
  - name: feat_customers
    columns:
      - {name: customer_id, data_type: bigint}
      - {name: decision_at, data_type: timestamp}
      - {name: events_7d, data_type: bigint}
      - {name: amount_7d_usd, data_type: double}
    data_tests:
      - unique_combination: {arguments: {columns: [decision_at, customer_id], at: decision_at}}
      - between: {arguments: {at: decision_at, bounds: {events_7d: [1, 1000000]}}}
""",
}


def day(number: int) -> Window:
    """Return the window of a day, from 0."""
    return Window(START + timedelta(days=number), START + timedelta(days=number + 1))


def use_case(home: Path) -> tuple[Spec, Settings]:
    """Return the made-up use case; dbt's project is the copy below `home` from now on."""
    flights = load_spec(Settings.load().use_cases / "flights.yaml")
    schedule = flights.schedule.model_copy(update={"history_start": START})
    feeds = {"events": Feed.model_validate(FEED)}
    changes: dict[str, Any] = {"name": "events", "feeds": feeds, "schedule": schedule}
    project = home / "dbt_project"
    for module in (invocation, verdict, sys.modules[build_module.__module__]):
        vars(module)["DBT_PROJECT"] = project
    return flights.model_copy(update=changes), Settings(home, home)


def write_project(home: Path) -> None:
    """Copy the project's macros, tests and shared models, and add the use case's own models."""
    real, project = invocation.DBT_PROJECT, home / "dbt_project"
    left_out = shutil.ignore_patterns("flights", "target", "logs")
    shutil.copytree(real, project, ignore=left_out)
    shutil.copytree(real / "macros" / "flights", project / "macros" / "flights")
    for name, text in MODELS.items():
        path = project / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.strip() + "\n")


def write_landed(number: int, rows: int, home: Path) -> int:
    """Write what landing would leave of a day; return the bytes of its rows."""
    window = day(number)
    folder = Settings(home, home).lake("events").landing("events", window)
    folder.mkdir(parents=True)
    first, midnight = number * rows, window.start.replace(tzinfo=None)
    gap_us = 86_400_000_000 // rows
    sql = f"""
        select
            -- one in a thousand is the event before, sent again
            {first} + if(range % 1000 = 999, range - 1, range) as event_id,
            timestamp '{midnight}' + to_microseconds(cast(range * {gap_us} as bigint)) as event_at,
            cast(hash(event_id) % 100000 as bigint) as customer_id,
            ['view', 'click', 'buy'][cast(hash(event_id, 1) % 3 as integer) + 1] as kind,
            cast(hash(event_id, 2) % 10000 as double) / 100 as amount_usd,
            'events_{midnight:%Y%m%d}.csv' as _file,
            range + 2 as _row,
            '{number:064x}' as _sha256,
            timestamp '{midnight}' + interval '1 day' as _loaded_at,
            'benchmark' as _run_id,
            '{window.key}' as _window
        from range({rows})
    """
    path = folder / "accepted.parquet"
    duckdb.execute(f"copy ({sql}) to '{path}'")
    manifest = {"feed": "events", "window": window.key, "run_id": "benchmark", "files": []}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return path.stat().st_size


def build_day(number: int, home: Path) -> None:
    """Build all layers up to a day."""
    spec, settings = use_case(home)
    for layer in get_args(Layer):
        report = build(spec, day(number), layer, settings, "benchmark")
        if report.causes:
            raise ValueError(f"{layer}: {report.causes}")


def publish_day(number: int, home: Path) -> None:
    """Publish what was built up to a day."""
    spec, settings = use_case(home)
    publish(spec, day(number), settings)


STEPS = {"build": build_day, "publish": publish_day}


def take(step: str, number: int, home: Path) -> dict[str, float]:
    """Do a step in this process; return what that took."""
    process = psutil.Process()
    cpu, before, started = time.process_time(), process.io_counters(), time.perf_counter()
    STEPS[step](number, home)
    after = process.io_counters()
    return {
        "seconds": time.perf_counter() - started,
        "cpu_s": time.process_time() - cpu,
        "read_mb": (after.read_chars - before.read_chars) / 1e6,
        "written_mb": (after.write_chars - before.write_chars) / 1e6,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def take_apart(step: str, number: int, home: Path) -> dict[str, float]:
    """Do that in a process of its own."""
    command = [sys.executable, __file__, "--step", step, "--day", str(number), "--home", str(home)]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    measured: dict[str, float] = json.loads(found.splitlines()[-1])
    return measured


def measure(home: Path, days: int, rows: int) -> dict[str, dict[str, float]]:
    """Build all days but the last from nothing, then the last; return what the last one took."""
    lake = Settings(home, home).lake("events")
    shutil.rmtree(lake.warehouse.parent, ignore_errors=True)
    for number in range(days):
        if not lake.landing("events", day(number)).exists():
            write_landed(number, rows, home)
    costs = {}
    for name, step, last in (
        ("all at once", "build", days - 2),
        ("one more day", "build", days - 1),
        ("its publication", "publish", days - 1),
    ):
        costs[name] = take_apart(step, last, home)
        figures = (f"{key} {value:,.1f}" for key, value in costs[name].items())
        print(f"{days} days, {name}:", *figures, sep="  ", flush=True)
    with duckdb.connect(lake.warehouse, read_only=True) as connection:
        silver, gold = (
            connection.execute(f"select count(*) from {table}").fetchone()[0]
            for table in ("silver.int_events__events", "gold.feat_customers")
        )
    expected = days * rows - days * (rows // 1000)
    if silver != expected or not gold:
        raise ValueError(f"silver has {silver} rows, expected {expected}; gold has {gold}")
    size_mb = lake.warehouse.stat().st_size / 1e6
    print(f"{days} days: {silver:,} rows in silver, {gold:,} in gold; {size_mb:,.0f} MB")
    return costs


def main() -> None:
    """Print peak memory, and the cost of a day with all of history as a ratio to a tenth of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=100)
    parser.add_argument("--rows-per-day", type=int, default=1_000_000)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--day", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        print(json.dumps(take(arguments.step, arguments.day, arguments.home)))
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_project(home)
        early = measure(home, arguments.days // 10, arguments.rows_per_day)
        late = measure(home, arguments.days, arguments.rows_per_day)
    for name in ("one more day", "its publication"):
        ratios = (f"{key} {late[name][key] / cost:.2f}" for key, cost in early[name].items())
        print(f"{name}, ratio:", *ratios, sep="  ")


if __name__ == "__main__":
    main()
