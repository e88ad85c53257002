"""Segments of a use case's tables: each against its own past and against all others.

Checked are the feeds as they came, by the day of the file, so that a fault is named where it
enters, and the gold features by the moment of their decision. A feed without `event_time` has no
past. A window is compared with windows of the same length, whole weeks before it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pandas as pd

from ratchet.errors import BuildError, FeedError, SpecError
from ratchet.quality.finding import Finding, State, write_findings
from ratchet.quality.segment_tests import compare_segments, is_number
from ratchet.settings import Settings
from ratchet.spec.types import Spec
from ratchet.statistics import benjamini_hochberg
from ratchet.window import Window

MAX_INTEGER_LEVELS = 50  # a whole number of more levels is a size, and no label
GONE = 0.9  # of a segment's rows: a column that is missing in more of them is lost, not thinned
WEEK = timedelta(days=7)

# The last second of the day that stamps a row's file: its window is the one in which the day ends.
_STAMP = "strptime(regexp_extract(_file, '_([0-9]{8})\\.', 1), '%Y%m%d') + interval 86399 second"


def check_segments(spec: Spec, window: Window, settings: Settings) -> list[Finding]:
    """Check all segments of a window's data; keep all findings, and return those that block.

    Parameters
    ----------
    spec
        The use case. Keys are found in the data (text, booleans, and whole numbers of few levels
        that are not declared numeric), and added to by `quality.segments`.
    window
        A landed window. One that is longer than a week is checked week by week.
    settings
        Names the lake. Gold is read from its warehouse, so that nobody reads what is not checked.

    Returns
    -------
    list of Finding
        The faults that block. Kept as family "segments", with a finding for each key and check of
        what was looked at and is right, and one of what has too few rows to tell. Checks are
        `segment_` volume, appeared, disappeared, missing, lost (missing nearly everywhere), mean
        and rate, of gold `feature_segment_` and the same.

    Raises
    ------
    FeedError
        If the window was not landed.
    BuildError
        If there is no warehouse.
    SpecError
        If `quality.segments` names a column that its table lacks.
    """
    warehouse = settings.lake(spec.name).warehouse
    if not warehouse.exists():
        raise BuildError(f"{spec.name}: there is no warehouse at {warehouse}; build gold first")
    feeds, features = list(_feeds(spec, window, settings)), _features(spec)
    tables = {table.name: table for table in (*feeds, features)}
    findings: list[Finding] = []
    with (
        duckdb.connect(config={"threads": 1}) as landed,
        duckdb.connect(warehouse, read_only=True, config={"threads": 1}) as built,
    ):
        for part in _parts(window):
            frames = [_compare(landed, table, part, spec) for table in feeds]
            tests = pd.concat([*frames, _compare(built, features, part, spec)], ignore_index=True)
            rate = spec.quality.false_discovery_rate
            tests["found"] = benjamini_hochberg(tests["p_value"].to_numpy(), rate)
            findings += _findings(tests, tables, part)
    return write_findings(spec, window, "segments", findings, settings)


def _parts(window: Window) -> Iterator[Window]:
    """Yield a window, or its weeks if it is longer than one."""
    start = window.start
    while start < window.end:
        end = min(start + WEEK, window.end)
        yield Window(start, end)
        start = end


class _Table(NamedTuple):
    """A table to check.

    `moment` is the SQL of the time by which a row belongs to a window. The columns of `left_out`
    are not looked at; numbers in `sizes` are averaged, all others only name; those of `no_keys`
    are no labels, however few levels they have. `prefix` begins the names of its checks: what is
    found in gold follows from a feed, and may be judged apart.
    """

    name: str
    relation: str
    moment: str
    left_out: frozenset[str]
    sizes: frozenset[str]
    no_keys: frozenset[str]
    prefix: str
    remedy: str


def _feeds(spec: Spec, window: Window, settings: Settings) -> Iterator[_Table]:
    for name, feed in spec.feeds.items():
        if feed.event_time is None:
            continue
        folder = settings.lake(spec.name).landing(name, window)
        files = ", ".join(
            "'" + str(path).replace("'", "''") + "'" for path in _landed(folder, window, spec)
        )
        columns = ", ".join(f'"{column}"' for column in feed.columns)
        yield _Table(
            name,
            f"(select {columns}, _file from read_parquet([{files}], union_by_name = true))",  # noqa: S608
            _STAMP,
            frozenset({"_file"}),
            frozenset(feed.columns) - frozenset(feed.key),
            frozenset(),
            "",
            f"ask {feed.producer} what changed, or accept it in the spec with a reason",
        )


def _landed(folder: Path, window: Window, spec: Spec) -> list[Path]:
    """Return the accepted rows of a feed's window and of those in its history, oldest first."""
    if not (folder / "accepted.parquet").exists():
        raise FeedError(f"{folder} holds no landed window; land it first")
    first = window.start - timedelta(days=spec.quality.history_days)
    return [
        path
        for path in sorted(folder.parent.glob("*/accepted.parquet"))
        if path.parent.name <= window.key and Window.parse(path.parent.name).end > first
    ]


def _features(spec: Spec) -> _Table:
    gold = spec.gold
    sizes = frozenset(name for name, feature in gold.features.items() if feature.kind == "numeric")
    return _Table(
        gold.features_table,
        f"gold.{gold.features_table}",
        gold.decided_at,
        frozenset({gold.key, gold.decided_at}),
        sizes | {spec.rule.column},
        sizes | {spec.rule.column},
        "feature_",
        "look for it in the feeds that it is made of, or accept it in the spec with a reason",
    )


def _compare(
    connection: duckdb.DuckDBPyConnection, table: _Table, part: Window, spec: Spec
) -> pd.DataFrame:
    """Test the table's segments in a part of a window against as many like it as history holds."""
    described = connection.execute(f"describe select * from {table.relation}").fetchall()  # noqa: S608
    types = {row[0]: row[1] for row in described if row[0] not in table.left_out}
    columns = ", ".join(
        f'"{name}"::varchar as "{name}"'
        if is_number(type_) and name not in table.sizes
        else f'"{name}"'
        for name, type_ in types.items()
    )
    step_days = math.ceil(part.days / WEEK.days) * WEEK.days
    first = part.start - timedelta(days=spec.quality.history_days // step_days * step_days)
    start, end, first_start = (
        f"timestamp '{bound.astimezone(UTC):%Y-%m-%d %H:%M}'"
        for bound in (part.start, part.end, first)
    )
    connection.execute(f"""
        create or replace temp table segment_rows as
        select
            {columns},
            (ceil(epoch({end} - _moment) / {step_days * 86400}) - 1)::int as period
        from (select *, {table.moment} as _moment from {table.relation})
        where _moment >= {first_start} and _moment < {end}
            and epoch({end} - _moment) - period * {step_days * 86400} <= epoch({end} - {start})
        """)  # noqa: S608
    keys = _keys(connection, table, types, spec)
    if not keys:
        return pd.DataFrame()
    tests = compare_segments(connection, "segment_rows", keys, spec.quality.min_segment_rows)
    return tests.assign(table=table.name)


def _keys(
    connection: duckdb.DuckDBPyConnection, table: _Table, types: dict[str, str], spec: Spec
) -> list[tuple[str, ...]]:
    """Return what is declared, and the columns whose levels are labels of more than a few rows."""
    declared = spec.quality.segments.get(table.name, ())
    for name in (name for key in declared for name in key if name not in types):
        raise SpecError(
            f"quality.segments.{table.name} names {name!r}, which the table lacks; "
            f"name columns out of {', '.join(types)}"
        )
    texts = [name for name, type_ in types.items() if type_ in ("VARCHAR", "BOOLEAN")]
    integers = [
        name for name, type_ in types.items() if type_.endswith("INT") or type_ == "INTEGER"
    ]
    names = [*texts, *(name for name in integers if name not in table.no_keys)]
    counts = ", ".join(f'count(distinct "{name}")' for name in names)
    found = connection.execute(f"select count(*), {counts} from segment_rows").fetchone()  # noqa: S608
    rows, *levels = found or (0,)
    most = dict.fromkeys(texts, rows / spec.quality.min_segment_rows)
    discovered = [
        (name,)
        for name, count in zip(names, levels, strict=True)
        if 1 < count <= most.get(name, MAX_INTEGER_LEVELS)
    ]
    return list(dict.fromkeys([*declared, *discovered]))


def _findings(tests: pd.DataFrame, tables: dict[str, _Table], part: Window) -> Iterator[Finding]:
    """Tell every fault; of all else, how much of a key is right, and how much can't be told."""
    is_fault = tests["found"] | tests["change"].notna()
    for test in tests[is_fault].to_dict("records"):
        yield _fault({str(name): value for name, value in test.items()}, tables, part)
    groups = ["table", "key", "measure", "is_enough"]
    for names, some in tests[~is_fault].groupby(groups, sort=False):
        table, key, measure = (str(name) for name in names[:3])
        is_enough = bool(names[3])
        segments = some.drop_duplicates("segment")
        yield Finding(
            check=_check(table, measure, tables),
            subject=table,
            segment=key,
            state="ok" if is_enough else "not_enough_data",
            rows=int(segments["rows"].sum()),
            text=f"{part}: {table} by {key}: {len(some):,} tests of {len(segments):,} segments "
            + ("found nothing; nothing to do." if is_enough else _TOO_FEW),
        )


_TOO_FEW = "have too few rows or periods to tell; wait, or give coarser segments."


def _check(table: str, what: str, tables: dict[str, _Table]) -> str:
    return f"{tables[table].prefix}segment_{what}"


def _fault(test: dict[str, Any], tables: dict[str, _Table], part: Window) -> Finding:
    """Tell a fault: what there is, what is usual, and whom to ask."""
    measure, rows = test["measure"], test["rows"]
    observed, expected = test["observed"], test["expected"]
    state: State = "found"
    broken = None
    if measure == "volume":
        said = f"{rows:,} rows where {expected:,.1f} are usual"
        if test["change"] == "appeared" or not test["past_rows"]:
            measure = state = "appeared"
            said = f"{rows:,} rows, the first in its history"
        elif test["change"] == "disappeared" or not rows:
            measure = state = "disappeared"
    elif measure == "mean":
        said = f"the mean of {test['column']} is {observed:,.4g} where {expected:,.4g} is usual"
    else:
        said = f"{test['column']} is {'missing' if measure == 'missing' else 'true'} in "
        said += f"{observed:.1%} of rows where {expected:.1%} is usual"
        if measure == "missing":
            broken = max(round((observed - expected) * rows), 0)
            measure = "lost" if observed > GONE else measure
    table = tables[test["table"]]
    return Finding(
        check=_check(table.name, measure, tables),
        subject=table.name,
        column=test["column"],
        segment=test["segment"],
        state=state,
        rows=rows,
        broken=broken,
        observed=observed,
        expected=expected,
        p_value=test["p_value"] if test["found"] else None,
        text=f"{part}: {table.name}, {test['segment']}: {said}; {table.remedy}.",
    )
