"""Single values that cannot be, though the contract lets them through."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from ratchet.quality.finding import Finding
from ratchet.quality.rows import FeedRows
from ratchet.quality.tails import rare_count, tail_limit, tail_size

IMPOSSIBLE = "impossible_value"
OFF_GRID = "off_grid"
MIN_PEERS = 3  # values to be held against: a median that one wrong value can't move
MIN_MOMENTS = 1000  # of the past, six weeks of hours: what moves all series at once is rare
MIN_OFF_GRID = 5  # rows of a group in a day: fewer are rare, and right
OFF_GRID_SHARE = 0.25  # of a group's day: a new timetable brings fewer unseen values
# Times the farthest that the past went. A storm after a calm season sets records among stations.
_GAP_IN_SERIES, _GAP_IN_EVENTS = 2.5, 1.5
_TELLING = 0.25  # of the variance, at most, is left within a context that says what to expect
_REMEASURED = 0.01  # relative: what never varied may be measured anew
_BULK = (0.01, 0.99)  # of the past: what lies between should be known to the grid
_GRAIN = 20  # rows for each distinct value, at least: then the past knows the grid
_CLUMPING = 3.0  # variance over mean of unseen values a day: they come in runs


def impossible_value(rows: FeedRows) -> list[Finding]:
    """Find values farther from what their peers say than the past's tail reaches.

    In a series of measurements the peers are the values before and after, and the other series at
    the same moment; where all series step at once, all their values before. Of events they are the
    past rows of the same context: the one or two columns that tell most about the value.
    """
    findings = []
    for column in rows.numbers:
        expected = _in_series(rows, column) if rows.entities else _in_context(rows, column)
        rows.connection.execute(f"create or replace temp table residuals as {expected}")
        findings += _beyond(rows, column, "v - e") + _beyond(rows, column, "e - v")
        if rows.entities:
            rows.connection.execute(
                f"create or replace temp table residuals as {_common_step(rows, column)}"
            )
            findings += _beyond(rows, column, "v - e") + _beyond(rows, column, "e - v")
    return list({finding.name: finding for finding in reversed(findings)}.values())[::-1]


def _common_step(rows: FeedRows, column: str) -> str:
    """Return the median of all series at a moment, and what it was if none of them had moved."""
    entity = ", ".join(f'"{name}"' for name in rows.entities)
    return f"""
        select * from (
            select min(_id) as _id, any_value(_is_new) as _is_new, median(v) as v,
                median(v) - median(v - before) as e
            from (
                select rowid as _id, _at, _is_new, "{column}"::double as v,
                    lag(v) over (partition by {entity} order by _at) as before
                from rows where v is not null
            )
            group by _at having count(before) >= {MIN_PEERS}
        )
        qualify count(*) filter (not _is_new) over () >= {MIN_MOMENTS}"""  # noqa: S608


def _in_series(rows: FeedRows, column: str) -> str:
    entity = ", ".join(f'"{name}"' for name in rows.entities)
    return f"""
        select
            _id, _is_new, v,
            [lag(v) over (partition by {entity} order by _at),
                lead(v) over (partition by {entity} order by _at)]
                || list(v) over (partition by _at) as peers,
            case when len(list_filter(peers, lambda x: x is not null)) > {MIN_PEERS}
                then list_aggregate(peers, 'median') end as e
        from (select rowid as _id, *, "{column}"::double as v from rows)
        where v is not null"""  # noqa: S608


def _in_context(rows: FeedRows, column: str) -> str:
    context = _best_context(rows, column)
    names = ", ".join(f'"{name}"' for name in context)
    using = f"join known using ({names})" if context else "cross join known"
    return f"""
        with known as (
            select {names or "true as everything"}, median("{column}")::double as e from rows
            where not _is_new and "{column}" is not null
            group by {names or "1"} having count(*) >= {MIN_PEERS}
        )
        select rows.rowid as _id, _is_new, rows."{column}"::double as v, e
        from rows {using} where v is not null"""  # noqa: S608


def _best_context(rows: FeedRows, column: str) -> tuple[str, ...]:
    """Return the columns within whose groups a value varies least; none if none tells much."""
    names = [
        name
        for name, declared in rows.feed.columns.items()
        if declared.type == "text" or (declared.type == "integer" and name in rows.feed.key)
    ]
    contexts = [(), *((name,) for name in names), *combinations(names, 2)]
    spreads = []
    for context in contexts:
        by = ", ".join(f'"{name}"' for name in context) or "true"
        spread, share = rows.ask(
            f"""
            select sum((n - 1) * v) / nullif(sum(n - 1), 0), sum(n) / any_value(total)
            from (
                select count(*) as n, var_samp("{column}") as v, sum(count(*)) over () as total
                from rows where not _is_new and "{column}" is not null group by {by}
            ) where n >= {MIN_PEERS}"""  # noqa: S608
        )[0]
        spreads.append(spread if share and share > 0.5 else np.inf)
    best = int(np.argmin(spreads))
    return contexts[best] if spreads[best] <= _TELLING * spreads[0] else ()


def _beyond(rows: FeedRows, column: str, side: str) -> list[Finding]:
    """Judge one side: where a tail is long on one, a value may be absurd on the other."""
    count, new = rows.ask(
        "select count(*) filter (not _is_new), count(*) filter (_is_new) from residuals"
    )[0]
    if not new or not tail_size(count):
        return []
    largest = rows.ask(
        f"select greatest({side}, 0) from residuals where not _is_new order by 1 desc limit ?",  # noqa: S608
        tail_size(count),
    )
    tail = np.array([size for (size,) in largest])
    p = rows.quality.false_discovery_rate / (new * 2 * len(rows.numbers))
    gap = _GAP_IN_SERIES if rows.entities else _GAP_IN_EVENTS
    limit = max(tail_limit(tail, count, p), gap * float(tail[0]))
    days = rows.ask(
        f"""
        select
            _date, count(*), arg_max(rowid, {side}), arg_max(v, {side}), arg_max(e, {side})
        from (
            select r.rowid, r._date, v, e from residuals join rows as r on r.rowid = _id
            where r._is_new and {side} > greatest(?, {_REMEASURED} * abs(e))
        ) group by 1 order by 1""",  # noqa: S608
        limit,
    )
    findings = []
    for day, count, row, value, expected in days:
        text = (
            f"{count:,} impossible {column} on {day}, worst {value:g} in {rows.place(row)}, where "
            f"its peers say {expected:g} and {limit:.3g} off that would be a wonder; {rows.ender}"
        )
        findings.append(
            rows.finding(
                IMPOSSIBLE,
                text,
                column=column,
                segment=f"{day}",
                broken=count,
                observed=value,
                expected=expected,
            )
        )
    return findings


def off_grid(rows: FeedRows) -> list[Finding]:
    """Find numbers between all that the past knows, more of them than it lets expect.

    What is measured in steps stays on them. Another unit, or other rounding, leaves them: which
    shows within the usual range too. The share to expect is the past's own of values seen once.

    References
    ----------
    Good (1953), The population frequencies of species and the estimation of population
    parameters, Biometrika 40, equation 9.
    """
    findings = []
    for column in rows.numbers:
        grid = f"""
            select "{column}" as v, count(*) as n from rows
            where not _is_new and v is not null group by 1"""  # noqa: S608
        bulk, *counts = rows.ask(
            f"""
            with grid as ({grid}),
            bulk as (
                select quantile_disc("{column}", {list(_BULK)}) as b from rows where not _is_new
            )
            select
                any_value(b), count(*), sum(n), count(*) filter (n = 1 and v between b[1] and b[2])
            from grid, bulk"""  # noqa: S608
        )[0]
        if not counts[0] or counts[1] < _GRAIN * counts[0]:
            continue
        rate = (counts[2] + 1) / counts[1]
        for group in rows.groups:
            found = rows.ask(
                f"""
                with grid as ({grid})
                select
                    "{group}", _date, count(*),
                    count(*) filter (grid.v is null and "{column}" between {bulk[0]} and {bulk[1]}),
                    min(rows.rowid) filter (
                        grid.v is null and "{column}" between {bulk[0]} and {bulk[1]}
                    )
                from rows left join grid on grid.v = rows."{column}"
                where _is_new and "{column}" is not null group by 1, 2 order by 1, 2"""  # noqa: S608
            )
            findings += _left_grid(rows, column, group, rate, found)
    return findings


def _left_grid(
    rows: FeedRows, column: str, group: str, rate: float, days: list[tuple[Any, ...]]
) -> list[Finding]:
    p = rows.quality.false_discovery_rate / max(len(days), 1)
    broken: dict[str, list[tuple[int, int]]] = {}
    for level, _, n, off, first in days:
        is_many = off >= max(MIN_OFF_GRID, OFF_GRID_SHARE * n)
        if is_many and rare_count(off, rate * n, _CLUMPING) < p:
            broken.setdefault(level, []).append((off, first))
    findings = []
    for level, found in broken.items():
        total = sum(off for off, _ in found)
        text = (
            f"{total:,} values of {column} at {group} {level} lie between all that the past knows, "
            f"as in another unit or rounding; first {rows.place(found[0][1])}; {rows.ender}"
        )
        findings.append(
            rows.finding(OFF_GRID, text, column=column, segment=f"{group}={level}", broken=total)
        )
    return findings
