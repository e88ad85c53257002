"""Silence: a feed, or one of its groups, that stops, and a series that repeats its last value."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import numpy as np

from ratchet.quality.finding import Finding
from ratchet.quality.rows import FeedRows
from ratchet.quality.tails import tail_limit, tail_size

SILENT = "silent_feed"
STUCK = "stuck_value"
MIN_ROWS = 100  # of a group in the past: fewer do not show how long it usually says nothing
_GAP = 2.0  # times the longest that the past knew
_MIN_RUN = 18  # rows: a calm may hold a value for a night
_LONGEST = 1000  # gaps of a group are looked at: enough for its tail


def silent_feed(rows: FeedRows) -> list[Finding]:
    """Find silence, of all rows or of a group, that is longer than the past's tail reaches.

    The end counts: what stops in the middle of a window is silent until its last whole day ends.
    """
    ends = min(rows.end, rows.feed.active.end or rows.end) - timedelta(days=max(rows.lags[1], 0))
    until = datetime.combine(ends, time())
    findings = []
    for group in [None, *rows.groups]:
        level_of = f'"{group}"' if group else "'all'"
        found = rows.ask(
            f"""
            with told as (
                select distinct {level_of} as level, _at, _is_new from rows
                where {level_of} is not null and _at < $until
            ),
            ended as (
                select * from told
                union all
                select distinct level, $until::timestamp, true from told
            ),
            gaps as (
                select
                    level, _at, _is_new,
                    date_diff('second', lag(_at) over (partition by level order by _at), _at) / 3600
                    as hours
                from ended
            )
            select
                level, count(*) filter (not _is_new),
                max(hours, {_LONGEST}) filter (not _is_new), max(hours) filter (_is_new),
                arg_max(_at, hours) filter (_is_new)
            from gaps group by 1 having count(*) filter (not _is_new) >= {MIN_ROWS} order by 1""",  # noqa: S608
            until=until,
        )
        p = rows.quality.false_discovery_rate / max(rows.new, 1)
        for level, count, longest, hours, at in found:
            tail = np.array(longest[: tail_size(count)], dtype=float)
            limit = max(tail_limit(tail, count, p), _GAP * float(tail[0]))
            if hours is None or hours <= limit:
                continue
            what = f"{group}={level} " if group else ""
            since = at - timedelta(hours=hours)
            text = (
                f"Nothing of {what or rows.name} from {since:%d %b %H:%M} "
                f"for {hours:.0f} h, where the past knew {tail[0]:.0f} h; {rows.ender}"
            )
            findings.append(
                rows.finding(
                    SILENT,
                    text,
                    segment=f"{what}{since:%Y-%m-%d}",
                    observed=hours,
                    expected=float(tail[0]),
                )
            )
    return findings


def stuck_value(rows: FeedRows) -> list[Finding]:
    """Find series that repeat a value longer than twice the past's longest run."""
    findings = []
    entity = ", ".join(f'"{name}"' for name in rows.entities)
    for column in rows.numbers if rows.entities else []:
        runs = rows.ask(
            f"""
            with steps as (
                select
                    {entity}, _at, _is_new, rowid as _id, "{column}" as v,
                    v is distinct from lag(v) over (partition by {entity} order by _at) as moved
                from rows
            ),
            runs as (
                select *, sum(moved::int) over (partition by {entity} order by _at) as run
                from steps
            )
            select
                concat_ws(', ', {entity}) as who, any_value(v), bool_or(_is_new), count(*), min(_id)
            from runs where v is not null group by {entity}, run order by min(_id)"""  # noqa: S608
        )
        # a value that often stays, as nothing does, has its own longest run
        past: dict[float, int] = {}
        for _, value, is_new, length, _ in runs:
            if not is_new:
                past[value] = max(past.get(value, 0), length)
        usual = float(np.median(list(past.values()))) if past else 0.0
        for who, value, is_new, length, first in runs:
            longest = max(past.get(value, 0), usual, max(past.values(), default=0) / 2)
            if is_new and length > max(_GAP * longest, _MIN_RUN):
                text = (
                    f"{column} of {who} is {value:g} for {length} rows on end, where it was for "
                    f"{longest:.0f} at most; first {rows.place(first)}; {rows.ender}"
                )
                segment = f"{'+'.join(rows.entities)}={who}"
                findings.append(
                    rows.finding(
                        STUCK, text, column=column, segment=segment, broken=length, observed=value
                    )
                )
    return findings
