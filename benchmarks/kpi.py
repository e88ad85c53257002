"""How often KPIs alarm: on simulated half years with five events, and on a year of flights.

The half years are simulated (`tests/unit/city.py` says how); the flights are what lies in a home
that `make replay` has filled. In a copy of it, one day's flights are counted twice.

    python benchmarks/kpi.py --seeds 400
    python benchmarks/kpi.py --home .ratchet
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import duckdb
import numpy as np

from ratchet.incidents.finding import Finding, judge
from ratchet.monitoring.kpi import watch_kpis
from ratchet.monitoring.signal import Signal
from ratchet.orchestration.replay import windows
from ratchet.settings import PROJECT, Settings
from ratchet.spec import Spec, load_spec
from ratchet.statistics import forecast_days, wilson_interval
from ratchet.window import Window

sys.path.insert(0, str(PROJECT / "tests" / "unit"))
from city import EVENTS, city_counts

P, FLOOR = 1e-3, 0.1


def half_year(seed: int, *, events: bool) -> tuple[set[str], int]:
    """Return which events are found, and on how many other days something is."""
    counts, weekdays = city_counts(seed, events=events)
    days = forecast_days(np.log(counts), weekdays, np.ones(counts.size, bool), range(counts.size))
    alarms = {
        n
        for n, day in enumerate(days)
        if day and day.p_value < P and abs(np.expm1(day.error)) >= FLOOR
    }
    found = {name for name, (at, _) in EVENTS.items() if alarms & set(at)} if events else set()
    near = {n for at, _ in EVENTS.values() for n in (*at, at[-1] + 1)} if events else set()
    return found, len(alarms - near)


def tell(what: str, count: int, of: int) -> None:
    """Print a share with its 95 % interval."""
    low, high = wilson_interval(count, of, 0.95)
    print(f"{what:<44} {count}/{of} = {count / of:.3f} [{low:.3f}, {high:.3f}]")


def simulate(seeds: int) -> None:
    """Print how many events are found, and how much else."""
    results = [half_year(seed, events=True) for seed in range(seeds)]
    for name in EVENTS:
        tell(name, sum(name in found for found, _ in results), seeds)
    good = sum(len(found) >= 4 and false <= 1 for found, false in results)
    tell("four of five, and at most one false day", good, seeds)
    tell("no false day", sum(false == 0 for _, false in results), seeds)
    quiet = [half_year(seed, events=False)[1] for seed in range(seeds)]
    tell("no day at all in half a year without events", quiet.count(0), seeds)


def found_of(signals: list[Signal], spec: Spec) -> list[Finding]:
    """Return what is significant in its family, and larger than its floor and null limit."""
    return [finding for finding in judge([signals], spec.alerts) if finding.state == "found"]


def replayed(home: Path) -> None:
    """Print the findings of each week of flights, by month, and those of a doubled day."""
    spec = load_spec(PROJECT / "include" / "use_cases" / "flights.yaml")
    settings = Settings(home, PROJECT / "include" / "use_cases")
    _, *weeks = windows(spec)
    months: Counter[tuple[str, str, str]] = Counter()
    total = 0
    for week in weeks:
        signals = watch_kpis(spec, week, settings)
        total += sum(s.is_enough for s in signals)
        for s in found_of(signals, spec):
            months[(str(s.segment)[:7], s.subject, s.rule)] += 1
            print(f"{s.name:<44} p {s.p_value:.1e} effect {s.effect:.3g}  {s.text}")
    print(f"{total} signals; findings by month:")
    for (month, subject, rule), count in sorted(months.items()):
        print(f"  {month} {rule} {subject}: {count}")
    doubled(spec, settings, weeks[20])


def doubled(spec: Spec, settings: Settings, week: Window) -> None:
    """Print what is told of a week in which each flight is counted twice."""
    table = spec.kpis["flights"].table
    with tempfile.TemporaryDirectory() as folder:
        copy = Settings(Path(folder), settings.use_cases)
        published = copy.lake(spec.name).published
        published.parent.mkdir(parents=True)
        shutil.copyfile(settings.lake(spec.name).published, published)
        with duckdb.connect(published) as connection:
            connection.execute(f"create table days as from gold.{table}")
            connection.execute(f"drop view gold.{table}")
            counts = ", ".join(
                f"{name} * 2 as {name}"
                for name in ("flights", "disrupted_flights", "acted_flights", "total_cost_points")
            )
            connection.execute(
                f"create table gold.{table} as select * replace ({counts}) from days "
                "where decision_date between ? and ? union all by name "
                "from days where decision_date not between ? and ?",
                [week.start.date(), week.end.date()] * 2,
            )
        for at in (week, Window(week.end, week.end + (week.end - week.start))):
            found = found_of(watch_kpis(spec, at, copy), spec)
            print(f"counted double, {at}: {len(found)} findings")
            for s in found[:3]:
                print(f"  {s.name}: {s.text}")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=0, help="half years to simulate")
    parser.add_argument("--home", type=Path, help="RATCHET_HOME of a replay of flights")
    arguments = parser.parse_args()
    if arguments.seeds:
        simulate(arguments.seeds)
    if arguments.home:
        replayed(arguments.home.resolve())


if __name__ == "__main__":
    main()
