"""A million rows of 30 columns against a stored profile: what drift costs, and how exact it is.

Twenty columns are numbers, of which some moved, and ten are labels, one with 10,000 levels. The
profile is that of a million earlier rows. Beside it, in the same run, the least that a plain DuckDB
script would do: each column grouped by stored deciles or levels, and its PSI, in SQL. Each runs in
a process of its own, on one thread, and its memory is told with what its libraries take. Then every
measure is compared with the exact one, of all values, by scipy and numpy.

    python benchmarks/drift.py
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np

ROWS, DAYS, LEVELS = 1_000_000, 56, 10_000
NUMBERS = [f"n{at}" for at in range(20)]
LABELS = [f"c{at}" for at in range(10)]
AIMS = {"KS": 0.0005, "Wasserstein, sd": 0.01, "PSI": 1e-9, "JS": 1e-9}
Measured = dict[str, float]


def make(home: Path, name: str, seed: int, moved: float) -> None:
    """Write a million rows; every second column of each kind moves, by a tenth or so."""
    import pyarrow as pa

    rng = np.random.default_rng(seed)
    columns: dict[str, pa.Array] = {}
    for at, number in enumerate(NUMBERS):
        shift = moved * (at % 2)
        if at % 5 == 0:
            values = rng.normal(shift, 1 + moved * (at % 4 == 0), ROWS)
        elif at % 5 == 1:
            values = np.exp(rng.normal(shift, 1, ROWS))
        elif at % 5 == 2:
            values = np.where(rng.random(ROWS) < 0.9 - shift, 0.0, rng.exponential(1, ROWS))
        elif at % 5 == 3:
            values = rng.binomial(23, 0.5 + shift / 5, ROWS).astype(np.float64)
        else:
            values = rng.normal(np.where(rng.random(ROWS) < 0.5 + shift, -2.0, 2.0))
        values[rng.random(ROWS) < 0.02] = np.nan
        columns[number] = pa.array(values, from_pandas=True)
    for at, label in enumerate(LABELS):
        levels = LEVELS if at == 9 else 5 + 10 * at
        weights = np.ones(levels)
        weights[0] += moved * (at % 2) * levels
        found = rng.choice(levels, ROWS, p=weights / weights.sum())
        columns[label] = pa.DictionaryArray.from_arrays(
            pa.array(found), [f"level {level}" for level in range(levels)]
        ).cast(pa.string())
    seconds = np.sort(rng.integers(0, DAYS * 86400, ROWS))
    columns["at"] = pa.array(np.datetime64("2013-01-01", "us") + seconds * 1_000_000)
    columns["label"] = pa.array(rng.random(ROWS) < 0.3)
    columns["answer"] = pa.array(rng.beta(2, 5, ROWS))
    with duckdb.connect(home / f"{name}.duckdb", config={"threads": 1}) as connection:
        connection.register("rows", pa.table(columns))
        connection.execute("create table rows_of as from rows")


def make_reference(home: Path) -> Measured:
    """Write the earlier rows."""
    make(home, "before", 1, 0.0)
    return {}


def make_current(home: Path) -> Measured:
    """Write the rows that are compared with them."""
    make(home, "now", 2, 0.1)
    return {}


def open_rows(home: Path, name: str) -> duckdb.DuckDBPyConnection:
    """Open what was made, to read only."""
    return duckdb.connect(home / f"{name}.duckdb", read_only=True, config={"threads": 1})


def make_profile(home: Path) -> Measured:
    """Store the profile of the earlier rows."""
    from ratchet.settings import Settings
    from ratchet.spec import load_spec
    from ratchet.spec.types import Feature
    from ratchet.training import build_profile

    spec = load_spec(Settings.load().use_cases / "flights.yaml")
    features = {name: Feature(kind="numeric", known_at="at") for name in NUMBERS}
    features |= {name: Feature(kind="categorical", known_at="at") for name in LABELS}
    gold = spec.gold.model_copy(update={"features": features, "decided_at": "at", "label": "label"})
    slices = spec.evaluation.slices.model_copy(update={"columns": ()})
    evaluation = spec.evaluation.model_copy(update={"slices": slices})
    spec = spec.model_copy(update={"gold": gold, "evaluation": evaluation})
    with open_rows(home, "before") as connection:
        rows = connection.execute("from rows_of").df()
    began = time.process_time()
    profile = build_profile(spec, rows, rows, rows["answer"])
    seconds = time.process_time() - began
    written = (home / "profile.json").write_text(profile.model_dump_json())
    return {"CPU s": seconds, "kB": written / 1000}


def make_deciles(home: Path) -> Measured:
    """Store what the plain script needs: deciles, and the shares of bins and levels."""
    began = time.process_time()
    with duckdb.connect(home / "deciles.duckdb", config={"threads": 1}) as connection:
        connection.execute("create table past (name text, level text, share double)")
        connection.execute(f"attach '{home}/before.duckdb' as before (read_only)")
        connection.execute("use before")
        tenths = [tenth / 10 for tenth in range(1, 10)]
        found = ", ".join(f"quantile_cont({name}, {tenths})" for name in NUMBERS)
        row = connection.execute(f"select {found} from rows_of").fetchone()
        edges = dict(zip(NUMBERS, row or (), strict=True))
        for name in [*NUMBERS, *LABELS]:
            query = f"{grouped(name, edges)} select '{name}', level, share from now"
            connection.execute(f"insert into deciles.past {query}")
    (home / "deciles.json").write_text(json.dumps(edges))
    return {"CPU s": time.process_time() - began}


def grouped(name: str, edges: dict[str, list[float]]) -> str:
    """Return SQL of the shares of a column's bins or levels."""
    level = f'"{name}"'
    if name in edges:
        steps = " ".join(f"when {name} <= {edge} then {at}" for at, edge in enumerate(edges[name]))
        level = f"(case {steps} else {len(edges[name])} end)::varchar"
    return (
        f"with counted as (select {level} as level, count(*) as n from rows_of "
        f"where {name} is not null group by all), "
        "now as (select level, n / sum(n) over () as share from counted)"
    )


def run_plain(home: Path) -> Measured:
    """Measure the PSI of each column by plain SQL."""
    began = time.process_time()
    edges = json.loads((home / "deciles.json").read_text())
    found = {}
    with open_rows(home, "now") as connection:
        connection.execute(f"attach '{home}/deciles.duckdb' as stored (read_only)")
        for name in [*NUMBERS, *LABELS]:
            found[name] = connection.execute(
                f"{grouped(name, edges)} "
                "select sum((now.share - past.share) * ln(now.share / past.share)) "
                f"from now join stored.past using (level) where past.name = '{name}'"
            ).fetchone()
    return {"CPU s": time.process_time() - began, "columns": len(found)}


def run_ours(home: Path) -> Measured:
    """Count all columns in the profile's bins, and take every measure with its limit."""
    from ratchet.monitoring.drift import keep_little, pair_columns
    from ratchet.training import Numeric, Profile

    libraries = peak_mb()
    began = time.process_time()
    profile = Profile.model_validate_json((home / "profile.json").read_bytes())
    loaded = time.process_time()
    with open_rows(home, "now") as connection:
        keep_little(connection, len(profile.features))
        pairs = pair_columns(connection, "rows_of", profile.features, 7.0)
    counted = time.process_time()
    found: dict[str, dict[str, float]] = {}
    for name, pair in pairs.items():
        measures = {
            "KS": pair.gap(),
            "Wasserstein, sd": pair.transport(),
            "PSI": pair.stability(profile.bins),
            "JS": pair.information(profile.bins),
            "missing": pair.missing(),
        }
        found[name] = {rule: each.value for rule, each in measures.items() if each is not None}
    ended = time.process_time()
    for name, pair in pairs.items():
        if isinstance(pair.column, Numeric):
            found[name]["spread"] = pair.column.spread or 0.0
    edges = {
        name: column.coarse_edges(profile.bins)
        for name, column in profile.features.items()
        if isinstance(column, Numeric)
    }
    (home / "found.json").write_text(json.dumps({"found": found, "edges": edges}))
    return {
        "CPU s": ended - began,
        "of it loading": loaded - began,
        "counting": counted - loaded,
        "measuring": ended - counted,
        "MB of libraries": libraries,
    }


def compare(home: Path) -> Measured:
    """Return the largest errors, by measure."""
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import ks_2samp, wasserstein_distance

    told = json.loads((home / "found.json").read_text())
    errors = dict.fromkeys([*AIMS, "missing"], 0.0)
    with open_rows(home, "before") as before, open_rows(home, "now") as now:
        for name in [*NUMBERS, *LABELS]:
            sides = []
            for connection in (before, now):
                frame = connection.execute(f"select {name} as x from rows_of").df()
                sides.append(frame["x"])
            present = [side.dropna().to_numpy() for side in sides]
            exact = {"missing": abs(sides[1].isna().mean() - sides[0].isna().mean())}
            if name in NUMBERS:
                exact["KS"] = ks_2samp(*present, method="asymp").statistic
                distance = wasserstein_distance(*present)
                exact["Wasserstein, sd"] = distance / told["found"][name]["spread"]
                edges = told["edges"][name]
                counts = [
                    np.bincount(np.searchsorted(edges, side), minlength=len(edges) + 1)
                    for side in present
                ]
            else:
                before_counts, now_counts = (side.value_counts() for side in sides)
                both = before_counts.index.union(now_counts.index)
                counts = [each.reindex(both, fill_value=0) for each in (before_counts, now_counts)]
            p, q = (np.asarray(count) / count.sum() for count in counts)
            smooth_p, smooth_q = ((np.asarray(count) + 0.5) / count.sum() for count in counts)
            exact["PSI"] = float(((q - p) * np.log(smooth_q / smooth_p)).sum())
            exact["JS"] = float(jensenshannon(p, q, base=2) ** 2)
            for rule, value in exact.items():
                error = abs(told["found"][name][rule] - value)
                errors[rule] = max(errors[rule], float(error))
    return errors


def peak_mb() -> float:
    """Return the peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


STEPS: dict[str, Callable[[Path], Measured]] = {
    step.__name__: step
    for step in (
        make_reference,
        make_current,
        make_profile,
        make_deciles,
        run_plain,
        run_ours,
        compare,
    )
}


def take_apart(step: str, home: Path) -> Measured:
    """Take a step in a process of its own."""
    command = [sys.executable, __file__, "--step", step, "--home", str(home)]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    measured: Measured = json.loads(found.splitlines()[-1])
    return measured


def main() -> None:
    """Print what each step took, the ratio, and the errors beside what is aimed at."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        measured = STEPS[arguments.step](arguments.home)
        print(json.dumps({**measured, "peak MB": peak_mb()}))
        return
    with tempfile.TemporaryDirectory() as folder:
        costs = {step: take_apart(step, Path(folder)) for step in STEPS}
    errors = costs.pop("compare")
    for step, cost in costs.items():
        figures = (f"{name} {value:,.2f}" for name, value in cost.items())
        print(f"{step}:", *figures, sep="  ")
    ours, plain = costs["run_ours"], costs["run_plain"]
    for name in ("CPU s", "peak MB"):
        print(f"ratio of {name}: {ours[name] / plain[name]:.2f}")
    for rule, aim in AIMS.items():
        print(f"{rule}: largest error {errors[rule]:.2g}, aim {aim:g}")
    print(f"missing values: largest error {errors['missing']:.2g}")


if __name__ == "__main__":
    main()
