"""A million rows, 10,000 segments, some 300,000 tests: what is found, and what it costs.

A test is one measure of one segment that had enough rows: its volume, and for each of the 20
numeric columns its missingness and its mean. Two faults are planted, in 35 rows of the window: a
column is missing in all 12 rows of one customer, and another one is three standard deviations too
high in the 23 rows of another. With `--worlds N` the false discovery rate and the power are
measured on N smaller worlds, each with another seed and four faults.

    python benchmarks/segments.py
    python benchmarks/segments.py --worlds 40
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import stats

from ratchet.quality import compare_segments
from ratchet.statistics import benjamini_hochberg

ROWS, LEVELS, COLUMNS, PERIODS = 1_000_000, 10_000, 20, 9  # a window and eight before it
OTHER_KEYS = {"region": 50, "product": 110}
Q = 0.01
MIN_ROWS = 10


def world(
    seed: int, rows: int, levels: int, keys: dict[str, int]
) -> tuple[np.random.Generator, dict[str, np.ndarray]]:
    """Return columns of like segments: normal, skewed and counted, 2 % missing, some absurd."""
    generator = np.random.default_rng(seed)
    columns: dict[str, np.ndarray] = {"period": generator.integers(0, PERIODS, rows)}
    columns["customer"] = generator.integers(0, levels, rows)
    for name, count in keys.items():
        columns[name] = generator.integers(0, count, rows)
    habits = generator.normal(0, 0.3, levels)
    for at in range(COLUMNS):
        values = generator.normal(size=rows) + habits[columns["customer"]]
        if at % 4 == 1:
            values = np.exp(values)
        elif at % 4 == 2:
            values = np.round(3 * np.abs(values))
        values[generator.uniform(size=rows) < 0.02] = np.nan
        values[generator.integers(0, rows, 3)] = [1e12, -1e12, np.inf]
        columns[f"x{at}"] = values
    return generator, columns


def window_of(columns: dict[str, np.ndarray], rows: int, taken: set[int]) -> np.ndarray:
    """Return the rows of the window of a customer that has so many, and was not taken before."""
    window = np.flatnonzero(columns["period"] == 0)
    counts = np.bincount(columns["customer"][window])
    customer = next(int(c) for c in np.flatnonzero(counts == rows) if c not in taken)
    taken.add(customer)
    return window[columns["customer"][window] == customer]


def measure(path: Path, keys: list[str]) -> None:
    """Print what is found, and what it costs beside a plain GROUP BY."""
    relation = f"read_parquet('{path}')"
    means = ", ".join(f"avg(x{at})" for at in range(COLUMNS))
    with duckdb.connect(config={"threads": 1}) as connection:
        began = time.process_time()
        for key in keys:
            query = f"select {key}, period, {means} from {relation} group by all"
            connection.execute(query).fetchnumpy()
        plain = time.process_time() - began
        began = time.process_time()
        tests = compare_segments(connection, relation, [(key,) for key in keys], MIN_ROWS)
        found = tests[benjamini_hochberg(tests["p_value"].to_numpy(), Q)]
        seconds = time.process_time() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{tests['p_value'].notna().sum():,} tests, {len(found)} findings at q = {Q}:")
    for row in found.to_dict("records"):
        print(
            f"  {row['segment']} {row['measure']} of {row['column']}, {row['rows']} rows:", end=""
        )
        print(f" {row['observed']:.2f} where {row['expected']:.2f}, p = {row['p_value']:.1g}")
    print(f"{seconds:.1f} CPU-s, {memory:,.0f} MB at most (the making of the rows is not in it)")
    print(f"{seconds / plain:.1f} times a plain GROUP BY of the means ({plain:.1f} CPU-s)")


def write(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Write columns as Parquet, NaN as NULL but for those that are infinite."""
    table = {
        name: pa.array(values, from_pandas=name.startswith("x")) for name, values in columns.items()
    }
    pq.write_table(pa.table(table), path)


def make(path: Path, seed: int) -> None:
    """Write the million rows with the two planted faults."""
    _, columns = world(seed, ROWS, LEVELS, OTHER_KEYS)
    taken: set[int] = set()
    columns["x7"][window_of(columns, 12, taken)] = np.nan
    columns["x3"][window_of(columns, 23, taken)] += 3
    write(path, columns)


def many_worlds(count: int, folder: Path) -> None:
    """Print the false discovery rate and the power over many smaller worlds."""
    shifts = (1.0, 1.5, 2.0, 3.0)
    hits = dict.fromkeys(shifts, 0)
    shares, clean = [], 0
    for seed in range(count):
        _, columns = world(seed, ROWS // 20, LEVELS // 40, {})
        taken: set[int] = set()
        planted = {}
        for at, shift in enumerate(shifts):
            chosen = window_of(columns, 20 + at, taken)
            columns["x0"][chosen] += shift
            planted[f"customer={columns['customer'][chosen[0]]}"] = shift
        write(folder / "world.parquet", columns)
        with duckdb.connect(config={"threads": 1}) as connection:
            relation = f"read_parquet('{folder / 'world.parquet'}')"
            tests = compare_segments(connection, relation, [("customer",)], MIN_ROWS)
        found = tests[benjamini_hochberg(tests["p_value"].to_numpy(), Q)]
        is_true = found["segment"].isin(planted) & (found["column"] == "x0")
        shares.append(1 - is_true.mean() if len(found) else 0.0)
        clean += bool((~is_true).any())
        for segment in found.loc[is_true & (found["measure"] == "mean"), "segment"]:
            hits[planted[segment]] += 1
    error = np.std(shares) / np.sqrt(count)
    print(f"{count} worlds: false discovery rate {np.mean(shares):.4f} ± {error:.4f}, at q = {Q}")
    limit = stats.beta.ppf(0.975, clean + 1, count - clean)
    print(f"  {clean} worlds with a false finding (97.5 % bound {limit:.3f})")
    for shift, number in hits.items():
        deviation = np.sqrt(number / count * (1 - number / count) / count)
        print(f"  mean + {shift} sd in 20-23 rows: found {number / count:.2f} ± {deviation:.2f}")


def main() -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=2013)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--worlds", type=int, default=0, help="so many smaller ones instead")
    arguments = parser.parse_args()
    if arguments.make:
        make(arguments.make, arguments.seed)
        return
    with tempfile.TemporaryDirectory() as folder:
        if arguments.worlds:
            many_worlds(arguments.worlds, Path(folder))
            return
        path = Path(folder) / "rows.parquet"  # made by another process, whose memory does not count
        command = [sys.executable, __file__, "--make", str(path), "--seed", str(arguments.seed)]
        subprocess.run(command, check=True)
        measure(path, ["customer", *OTHER_KEYS])


if __name__ == "__main__":
    main()
