"""How often monitoring errs: years in which nothing happens, shifts of known size, real flights.

Simulated are features that wobble with the week, in daily windows, judged by the defaults of
`alerts:`. With `--flights`, the weeks of 2013 run through every stage as well, from raw files to
incidents, with the first champion all along; then each kind of fault is planted in one of them.
Shares are given with Wilson's intervals of 95 %. It fails if a harmless year has findings at a rate
above one a year beyond doubt, or a shift of 0.15 standard deviations is mostly not found within two
days.

    python benchmarks/monitoring.py [--flights]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import get_args

import duckdb
import pyarrow.compute as pc
import pyarrow.parquet as pq
from loop import prepare

from ratchet.evaluation import evaluate, judge, load_evidence
from ratchet.feeds import land
from ratchet.incidents import (
    Incident,
    all_incidents,
    judge_window,
    open_incidents,
    read_alerts,
    read_judged,
)
from ratchet.incidents.trial import Stream, delay, harmless
from ratchet.ledger import Ledger
from ratchet.monitoring import observe, watch
from ratchet.orchestration.replay import windows
from ratchet.quality import check_feeds, check_segments
from ratchet.registry import promote, register
from ratchet.serving import score
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.spec.alerts import Alerts, Owners
from ratchet.spec.owner import Owner
from ratchet.statistics import wilson_interval
from ratchet.training import train
from ratchet.warehouse import Layer, build, publish, take_snapshot
from ratchet.window import Window

SEED = 2013
SHIFTS_SD = (0.05, 0.08, 0.1, 0.12, 0.15, 0.2, 0.3)
ROWS = (1_000, 2_000, 4_000, 10_000)
WITHIN = (1, 2, 3, 7, 14)


def share(found: int, runs: int) -> str:
    """Say how often, with an interval."""
    low, high = wilson_interval(found, runs, 0.95)
    return f"{found / runs:.0%} ({low:.0%}-{high:.0%})"


def simulate(years: int, runs: int) -> list[str]:
    """Print the tables of the simulation; return what is worse than it may be."""
    alerts, faults = Alerts(), []
    print("| rows a day | plain p < .05 | BH alone | findings a year |\n|---|---|---|---|")
    for rows in ROWS:
        year = harmless(Stream(rows=rows), alerts, years, SEED)
        print(
            f"| {rows:,} | {year.plain / years:,.0f} | {year.corrected / years:,.0f} | "
            f"{year.found / years:g} (at most {year.found_at_most:.2g}) |"
        )
        if rows == Stream().rows and year.found > years:
            faults.append(f"{year.found} findings in {years} harmless years")
    print("| shift, sd | " + " | ".join(f"within {days} d" for days in WITHIN) + " |")
    print("|---" * (len(WITHIN) + 1) + "|")
    for shift in SHIFTS_SD:
        found = delay(Stream(), alerts, shift, runs, SEED)
        shares = [share(found.found_within(days), runs) for days in WITHIN]
        print(f"| {shift:g} | " + " | ".join(shares) + " |")
        if shift == 0.15 and found.found_within(2) < runs / 2:
            faults.append("a shift of 0.15 sd is mostly not found within two days")
    return faults


def with_owners(spec: Spec) -> Spec:
    """Give feeds, KPIs, concept and service owners of their own, to see who is told of what."""

    def owned(name: str) -> dict[str, Owner]:
        return {"owner": Owner(name=name, email=f"{name}@ratchet.example")}

    owners = {role: owned(role)["owner"] for role in ("concept", "service")}
    return spec.model_copy(
        update={
            "feeds": {n: feed.model_copy(update=owned(n)) for n, feed in spec.feeds.items()},
            "kpis": {n: kpi.model_copy(update=owned(n)) for n, kpi in spec.kpis.items()},
            "alerts": spec.alerts.model_copy(update={"owners": Owners(**owners)}),
        }
    )


def first_champion(spec: Spec, window: Window, settings: Settings) -> None:
    """Train, judge and promote the first model, as the loop does."""
    snapshot_id = take_snapshot(spec, window, settings).id
    for estimator in spec.training.estimators:
        train(spec, window, snapshot_id, estimator, settings)
    evaluate(spec, window, snapshot_id, settings)
    version = register(spec, window, settings, "benchmark")
    ledger = Ledger(settings.lake(spec.name).ledger)
    decision = ledger.record(judge(load_evidence(spec, window, settings), spec))
    if decision.verdict != "accepted":
        sys.exit("; ".join(decision.reasons))
    promote(spec, window, settings, version)


def monitor(spec: Spec, window: Window, settings: Settings) -> list[Incident]:
    """Measure and judge a scored window; return what is open then."""
    observe(spec, window, settings)
    watch(spec, window, settings)
    judge_window(spec, window, settings)
    return open_incidents(spec, window, settings)


def flights(home: Path, weeks: int) -> list[str]:
    """Run the weeks from March on, and plant faults in the last; return what is worse than it may.

    All weeks are built at once; each is scored, checked and monitored by itself.
    """
    spec, settings = prepare(home)
    spec = with_owners(spec)
    first, *later = islice(windows(spec), weeks + 1)
    for window in (first, *later):
        land(spec, window, settings, "benchmark")
    for layer in get_args(Layer):
        build(spec, later[-1], layer, settings, "benchmark")
    publish(spec, later[-1], settings)
    first_champion(spec, first, settings)
    for window in later:
        check_feeds(spec, window, settings)
        check_segments(spec, window, settings)
        score(spec, window, settings)
        found = monitor(spec, window, settings)
        judged = read_judged(spec, window, settings)
        states = {
            state: sum(f.state == state for f in judged)
            for state in sorted({f.state for f in judged})
        }
        print(f"{window}  {states}  open: {[i.fingerprint for i in found]}", flush=True)
    print("| incident | severity | owner | windows | last good | what |\n|---|---|---|---|---|---|")
    for incident in all_incidents(spec, settings):
        print(
            f"| {incident.fingerprint} | {incident.severity} | {incident.owner_name} | "
            f"{len(incident.windows)} from {Window.parse(incident.windows[0])} | "
            f"{incident.last_good} | {incident.lead}: {incident.text} |"
        )
    told = read_alerts(spec, later, settings)
    print(
        {
            f"{a.event} {a.route}": sum((b.event, b.route) == (a.event, a.route) for b in told)
            for a in told
        }
    )
    return plant(spec, later[-1], settings)


def plant(spec: Spec, window: Window, settings: Settings) -> list[str]:
    """Plant each fault in a copy of the last window; return those not told once, to their owner."""
    known = {i.fingerprint for i in all_incidents(spec, settings) if i.is_open}
    print(
        f"| planted in {window} | incidents | severity | owner | silenced |\n|---|---|---|---|---|"
    )
    faults = []
    for name, (fingerprint, owner, spoil) in PLANTS.items():
        with tempfile.TemporaryDirectory(dir=settings.home) as folder:
            copy = replace(settings, home=Path(folder))
            shutil.copytree(settings.home / "lake", copy.home / "lake")
            shutil.copytree(settings.home / "mlflow", copy.home / "mlflow")
            found = spoil(spec, window, copy)
        new = [i for i in found if i.fingerprint not in known or i.fingerprint == fingerprint]
        for i in new:
            print(
                f"| {name} | {i.title}: {i.lead} | {i.severity} | {i.owner_name} | "
                f"{len(i.silenced)} |",
                flush=True,
            )
        told = [(i.fingerprint, i.owner_name) for i in new]
        if told != [(fingerprint, owner)]:
            faults.append(f"{name}: {told} instead of {fingerprint} to {owner}")
    return faults


def _replace(spec: Spec, settings: Settings, table: str, column: str, value: str) -> None:
    """Publish a gold table, or a view, with other values in a column, given as SQL."""
    with duckdb.connect(settings.lake(spec.name).published) as connection:
        connection.execute(
            f"create table gold.spoilt as select * replace ({value} as {column}) from gold.{table}"
        )
        (kind,) = connection.execute(
            "select table_type from information_schema.tables where table_name = ?", [table]
        ).fetchone()
        connection.execute(f"drop {'view' if kind == 'VIEW' else 'table'} gold.{table}")
        connection.execute(f"alter table gold.spoilt rename to {table}")


def dead_feed(spec: Spec, window: Window, settings: Settings) -> list[Incident]:
    """Let no file of the weather come: nothing is scored."""
    from ratchet.quality import Finding, write_findings

    missing = Finding(
        check="landing", subject="weather", state="found", rows=0, text="No file came; ask ASOS."
    )
    write_findings(spec, window, "landing", [missing], settings)
    publish(spec, window, settings)
    return open_incidents(spec, window, settings)


def unit_change(spec: Spec, window: Window, settings: Settings) -> list[Incident]:
    """Let one station tell Celsius."""
    path = settings.lake(spec.name).root / "landing" / "weather" / window.key / "accepted.parquet"
    table = pq.read_table(path)
    celsius = pc.divide(pc.subtract(table["temperature_f"], 32.0), 1.8)
    values = pc.if_else(pc.equal(table["origin"], "LGA"), celsius, table["temperature_f"])
    place = table.schema.get_field_index("temperature_f")
    pq.write_table(table.set_column(place, "temperature_f", values), path)
    check_feeds(spec, window, settings)
    publish(spec, window, settings)
    return open_incidents(spec, window, settings)


def new_segment(spec: Spec, window: Window, settings: Settings) -> list[Incident]:
    """Let a carrier appear that takes over a fifth of another's flights."""
    lake = settings.lake(spec.name)
    with duckdb.connect() as connection:
        for feed in ("schedules", "movements"):
            path = lake.root / "landing" / feed / window.key / "accepted.parquet"
            connection.execute(
                f"""
                copy (
                    select * replace (
                        if(carrier = 'UA' and flight_number % 5 = 0, 'ZZ', carrier) as carrier
                    ) from read_parquet('{path}')
                ) to '{path}.new' (format parquet)
                """
            )
            Path(f"{path}.new").replace(path)
    for layer in get_args(Layer):
        build(spec, window, layer, settings, "benchmark")
    check_feeds(spec, window, settings)
    check_segments(spec, window, settings)
    publish(spec, window, settings)
    score(spec, window, settings)
    return monitor(spec, window, settings)


def concept_change(spec: Spec, window: Window, settings: Settings) -> list[Incident]:
    """Let every other flight that is on time by the record be disrupted, features unchanged."""
    gold = spec.gold
    is_late = (
        f"{gold.label} or (hash({gold.key}) % 2 = 0 and {gold.decided_at} >= "
        f"timestamp '{window.start:%Y-%m-%d}' - interval 7 day)"
    )
    _replace(spec, settings, gold.outcomes_table, gold.label, is_late)
    return monitor(spec, window, settings)


def doubled_kpi(spec: Spec, window: Window, settings: Settings) -> list[Incident]:
    """Let the mart count each flight of the window twice."""
    since = f"date '{window.start:%Y-%m-%d}' - 3"
    _replace(
        spec,
        settings,
        "mart_flight_days",
        "flights",
        f"if(decision_date >= {since}, 2 * flights, flights)",
    )
    return monitor(spec, window, settings)


def latency(spec: Spec, window: Window, settings: Settings) -> list[Incident]:
    """Let answers take a hundred times as long."""
    path = settings.lake(spec.name).monitoring / "service" / f"{window.key}.parquet"
    table = pq.read_table(path, partitioning=None)
    place = table.schema.get_field_index("row_ms")
    slow = pc.add(pc.multiply(table["row_ms"], 100.0), 100.0)
    pq.write_table(table.set_column(place, "row_ms", slow), path)
    return monitor(spec, window, settings)


Spoil = Callable[[Spec, Window, Settings], Sequence[Incident]]

PLANTS: dict[str, tuple[str, str, Spoil]] = {  # with the incident, and whose it is
    "dead feed": ("data:weather", "weather", dead_feed),
    "unit change": ("data:weather", "weather", unit_change),
    "new segment": ("segment:carrier=ZZ", "schedules", new_segment),
    "concept change": ("concept:flights", "concept", concept_change),
    "KPI doubled": ("kpi:flights", "flights", doubled_kpi),
    "latency": ("service:scoring", "service", latency),
}


def main() -> None:
    """Print the tables, and fail if monitoring errs too often."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=20, help="harmless years (default 20)")
    parser.add_argument("--runs", type=int, default=400, help="of each shift (default 400)")
    parser.add_argument("--flights", action="store_true", help="and run real flights")
    parser.add_argument("--weeks", type=int, default=14, help="of these, from March (default 14)")
    arguments = parser.parse_args()
    faults = simulate(arguments.years, arguments.runs) if arguments.years else []
    if arguments.flights:
        with tempfile.TemporaryDirectory() as home:
            faults += flights(Path(home), arguments.weeks)
    if faults:
        sys.exit("; ".join(faults))


if __name__ == "__main__":
    main()
