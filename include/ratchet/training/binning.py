"""Counts by bin and by level, in SQL: the same for the rows of a training and for those of today.

A bin holds what is above one edge and up to the next. A missing value is none, and one that is not
finite is missing too, but counted apart: in DuckDB, NaN is a number above all others. What is
beyond `LARGEST` counts as infinite.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Key = tuple[str | None, ...]
"""Values of the columns that rows are grouped by, as text."""

LARGEST = sys.float_info.max**0.25
"""Some 1e77: squares of what is larger, and sums of them, need not be finite."""


class Binned(NamedTuple):
    """One numeric column of one group of rows: rows by bin, and those without a finite value."""

    counts: Counts
    missing: int
    non_finite: int


def count_bins(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    edges: Mapping[str, Sequence[float]],
    by: Sequence[str] = (),
) -> dict[Key, dict[str, Binned]]:
    """Count numeric columns by bin, in one pass over the rows.

    Parameters
    ----------
    relation
        Name or SQL of what is read; the columns are double.
    edges
        Ascending, finite edges by column.
    by
        SQL of what rows are grouped by.

    Returns
    -------
    dict
        By group, `()` for all rows; then by column. Groups without rows are not there.
    """
    if not edges:
        return {}
    limits = {f"e{i}": [-LARGEST, *of, LARGEST] for i, of in enumerate(edges.values())}
    columns = [
        f'map_values(histogram("{name}"::double, ${limit})) as c{i}'
        for i, (name, limit) in enumerate(zip(edges, limits, strict=True))
    ]
    found = _grouped(connection, relation, ["count(*) as n", *columns], by, limits)
    rows = found.column("n").to_numpy()
    keys = _keys(found, len(by))
    counted: dict[Key, dict[str, Binned]] = {key: {} for key in keys}
    for i, (name, of) in enumerate(edges.items()):
        # at or below the first limit is -inf, and above the last, if it is there, inf and NaN
        bins = _padded(found.column(f"c{i}").combine_chunks(), len(of) + 3)
        inner, non_finite = bins[:, 1:-1], bins[:, 0] + bins[:, -1]
        missing = rows - inner.sum(axis=1) - non_finite
        for key, *each in zip(keys, inner, missing.tolist(), non_finite.tolist(), strict=True):
            counted[key][name] = Binned(*each)
    return {key: counted[key] for key, n in zip(keys, rows, strict=True) if n}


def _padded(lists: pa.ListArray, length: int) -> Counts:
    """Return lists of counts as rows of a table, with zeros where they end before."""
    starts, values = lists.offsets.to_numpy(), lists.values.to_numpy(zero_copy_only=False)
    sizes = np.diff(starts)
    table = np.zeros((len(sizes), length), np.int64)
    table[np.arange(length) < sizes[:, None]] = values[starts[0] : starts[-1]]
    return table


def count_levels(
    connection: duckdb.DuckDBPyConnection, relation: str, column: str, by: Sequence[str] = ()
) -> dict[Key, dict[str | None, int]]:
    """Count a column by level, as text, in one pass over the rows; None is a missing one.

    Parameters
    ----------
    relation, by
        As in `count_bins`.
    """
    level = f'"{column}"::varchar'
    found = _grouped(connection, relation, ["count(*) as n"], [*by, level])
    levels = found.column(f"k{len(by)}").to_pylist()
    counts = found.column("n").to_pylist()
    if not by:
        return {(): dict(zip(levels, counts, strict=True))} if levels else {}
    counted: dict[Key, dict[str | None, int]] = {}
    for key, name, count in zip(_keys(found, len(by)), levels, counts, strict=True):
        counted.setdefault(key, {})[name] = count
    return counted


def _grouped(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    columns: Sequence[str],
    by: Sequence[str],
    parameters: Mapping[str, object] | None = None,
) -> pa.Table:
    keys = [f"k{i}" for i in range(len(by))]
    named = [f"{sql} as {key}" for sql, key in zip(by, keys, strict=True)]
    grouping = f"group by {', '.join(keys)} order by {', '.join(keys)}" if keys else ""
    query = f"select {', '.join([*named, *columns])} from {relation} {grouping}"  # noqa: S608
    return connection.execute(query, dict(parameters or {})).to_arrow_table()


def _keys(found: pa.Table, length: int) -> list[Key]:
    if not length:
        return [()] * len(found)
    columns = [found.column(f"k{i}").cast(pa.string()).to_pylist() for i in range(length)]
    return list(zip(*columns, strict=True))
