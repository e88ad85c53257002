"""What the pipeline adds to its own SQL: the year from bronze to gold, against the same SQL bare.

Both sides make every table of the year at once from the same landed files, one after the other in
one run, on one thread. Ours is `build` for three layers, with its control table, hooks, contracts
and tests. The other is one DuckDB session without dbt that runs the compiled SQL of the same models
in order, and then, timed apart, that of the tests. dbt's time for models and for tests is told
apart from what dbt itself takes, and the rows of both sides are compared.

    python benchmarks/medallion.py
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, get_args

import duckdb
from loop import prepare

from ratchet.feeds import land
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.warehouse import Layer, build, warm
from ratchet.window import Window

VARIABLES = ("lake", "landed", "window_end", "range_start", "range_end")
STARTED = {"model": r"START sql \w+ model \w+\.(\w+)", "test": r"START test (\w+)"}


def through_pipeline(spec: Spec, window: Window, settings: Settings) -> dict[str, float]:
    """Build all layers from nothing; return seconds in all, of models, and of tests."""
    lake = settings.lake(spec.name)
    lake.warehouse.unlink(missing_ok=True)
    for path in lake.monitoring.glob("results/*.parquet"):
        path.unlink()
    started = time.perf_counter()
    for layer in get_args(Layer):
        build(spec, window, layer, settings, "benchmark")
    seconds = {"all": time.perf_counter() - started}
    for kind in ("model", "test"):
        (seconds[kind],) = duckdb.execute(
            f"select sum(seconds) from '{lake.monitoring}/results/*.parquet' where kind = '{kind}'"
        ).fetchone()
    return seconds


def compiled(
    spec: Spec, window: Window, settings: Settings, kind: str
) -> list[tuple[str, str, str]]:
    """Return layer, name and compiled SQL of every model or test, in the order in which dbt ran."""
    lake = settings.lake(spec.name)
    found = []
    for layer in get_args(Layer):
        folder = lake.work(window) / "dbt" / layer
        sql = {path.stem: path.read_text() for path in folder.glob("compiled/**/*.sql")}
        names = re.findall(STARTED[kind], (folder / "dbt.log").read_text())
        found += [(layer, name, sql[name]) for name in names]
    return found


def bare(
    models: list[tuple[str, str, str]],
    tests: list[tuple[str, str, str]],
    views: set[str],
    variables: dict[str, Any],
    path: Path,
) -> dict[str, float]:
    """Run the SQL of models, then of tests, in one session; return the seconds that each takes."""
    started = time.perf_counter()
    with duckdb.connect(path) as connection:
        for name, value in variables.items():
            connection.execute(f"set variable {name} = $value", {"value": value})
        for layer in get_args(Layer):
            connection.execute(f"create schema {layer}")
        for layer, name, sql in models:
            kind = "view" if name in views else "table"
            connection.execute(f"create {kind} {layer}.{name} as {sql}")
        built = time.perf_counter()
        for _, _, sql in tests:
            connection.execute(f"select count(*) from (\n{sql}\n)").fetchone()
        tested = time.perf_counter() - built
    return {"model": time.perf_counter() - started - tested, "test": tested}


def beside(warehouse: Path, path: Path) -> None:
    """Begin a database that holds nothing but what a build would tell models and tests."""
    path.unlink(missing_ok=True)
    with duckdb.connect(path) as connection:
        connection.execute(f"attach '{warehouse}' as pipeline (read_only)")
        connection.execute("create schema control")
        for table in ("costs", "build_window"):
            connection.execute(f"create table control.{table} as from pipeline.control.{table}")


def read_back(spec: Spec, settings: Settings) -> tuple[set[str], dict[str, Any]]:
    """Return which models are views, and the variables that the pipeline set for them."""
    with duckdb.connect(settings.lake(spec.name).warehouse, read_only=True) as connection:
        rows = connection.execute("select view_name from duckdb_views() where not internal")
        views = {name for (name,) in rows.fetchall()}
        query = f"select {', '.join(VARIABLES)} from control.build_window"
        return views, dict(zip(VARIABLES, connection.execute(query).fetchone(), strict=True))


def compare(ours: Path, other: Path, models: list[tuple[str, str, str]], views: set[str]) -> int:
    """Return how many rows all tables have; raise ValueError if any table differs."""
    rows = 0
    with duckdb.connect() as connection:
        connection.execute(f"attach '{ours}' as ours (read_only)")
        connection.execute(f"attach '{other}' as other (read_only)")
        for layer, name, _ in models:
            if name in views:
                continue
            here, there, different = connection.execute(
                f"""
                select
                    (select count(*) from ours.{layer}.{name}),
                    (select count(*) from other.{layer}.{name}),
                    (select count(*)
                     from (from ours.{layer}.{name} except all from other.{layer}.{name}))
                """
            ).fetchone()
            if different or here != there:
                raise ValueError(f"{name}: {here} rows, {there} bare, {different} of them differ")
            rows += here
    return rows


def main() -> None:
    """Print seconds of both sides, and the ratios of their medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=6)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as home:
        spec, settings = prepare(Path(home))
        window = Window(spec.schedule.history_start, spec.schedule.end)
        land(spec, window, settings, "benchmark")
        warm()
        lake, other = settings.lake(spec.name), Path(home) / spec.name / f"{spec.name}.duckdb"
        other.parent.mkdir()
        ours, theirs = [], []
        for _ in range(repeats):
            ours.append(through_pipeline(spec, window, settings))
            models, tests = (compiled(spec, window, settings, kind) for kind in STARTED)
            views, variables = read_back(spec, settings)
            beside(lake.warehouse, other)
            theirs.append(bare(models, tests, views, variables, other))
            print(
                *(f"{name} {value:.2f} s" for name, value in ours[-1].items()),
                *(f"bare {name} {value:.2f} s" for name, value in theirs[-1].items()),
                sep="  ",
                flush=True,
            )
        rows = compare(lake.warehouse, other, models, views)
    base = median(t["model"] for t in theirs)
    base_of_all = median(t["model"] + t["test"] for t in theirs)
    total, in_models, in_tests = (
        median(o[name] for o in ours) for name in ("all", "model", "test")
    )
    print(f"{len(models)} models, {rows:,} rows in tables, the same on both sides")
    print(f"models alone: {in_models / base:.2f} of the bare SQL")
    print(f"all but tests: {(total - in_tests) / base:.2f}")
    print(f"all: {total / base:.2f}; tests {in_tests / base:.2f}")
    print(f"all: {total / base_of_all:.2f} of the bare SQL of models and {len(tests)} tests")


if __name__ == "__main__":
    main()
