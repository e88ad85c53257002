"""Lags: how far a row's times lie apart, from each other, its file and another feed's row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ratchet.quality.finding import Finding
from ratchet.quality.rows import FeedRows, moments
from ratchet.quality.tails import rare_count

CHECK = "clock_shift"
MIN_SHIFTED = 5  # rows: fewer are single errors
MIN_RULED = 100  # past rows of a group: fewer make no rule
_CONSTANT = 0.99  # of the past rows have one lag: then it is a rule
_SAMPLED, _HINT = 16, 0.5  # one of so many rows shows a rule by most of them, or there is none
_CLUMPING = 3.0  # variance over mean of exceptions: they come together
_MINUTES = {"s": 1 / 60, "min": 1, "h": 60}  # of a number whose name ends with this unit
_READING = "_hhmm"  # a whole number whose name ends with this is what a clock read
_DAY = 1440  # minutes


class _Lag(NamedTuple):
    """A lag in minutes: what it is, SQL for it, and the column that a finding blames."""

    about: str
    sql: str
    column: str


def lags(rows: FeedRows) -> list[Finding]:
    """Find rows whose times do not lie as far apart as the past's always did.

    Held against the row's own time are its other times, the day of its file, and, by key, the
    times of other feeds, less a duration if the row has one: a departure's delay after schedule.
    A reading of a clock is held against each moment of the row.
    """
    findings = _outside_file(rows)
    findings += _changed(rows, "rows", list(_own(rows)), [None])
    for moment in moments(rows.feed):
        source = f"(select rowid, *, {rows.local(moment)} as _local from rows) as rows"  # noqa: S608
        findings += _changed(rows, source, list(_readings(rows, moment)), [None])
    for name, feed in rows.partners.items():
        key = ", ".join(f'"{column}"' for column in feed.key)
        source = f"rows join partner_{name} as partner using ({key})"
        findings += _changed(rows, source, list(_between(rows, name)), [None, *rows.groups])
    return findings


def _own(rows: FeedRows) -> Iterator[_Lag]:
    for clock in rows.clocks:
        sql = f"""date_diff('minute', "{clock}"::timestamp, _at)"""
        yield _Lag(f"{rows.feed.event_time} after {clock}", sql, clock)


def _readings(rows: FeedRows, moment: str) -> Iterator[_Lag]:
    """Yield how far a moment lies, by the people's clock, after what each column read there."""
    for name in (name for name in rows.numbers if name.endswith(_READING)):
        of_day = f'("{name}" // 100 * 60 + "{name}" % 100)'
        sql = f"(hour(_local) * 60 + minute(_local) - {of_day} + {_DAY}) % {_DAY}"
        yield _Lag(f"{moment} after {name}", sql, moment)


def _between(rows: FeedRows, partner: str) -> Iterator[_Lag]:
    """Yield how far the row's own time lies after each moment of a partner, less durations."""
    feed, event = rows.partners[partner], str(rows.feed.event_time)
    units = {name: _MINUTES.get(name.rsplit("_", 1)[-1]) for name in rows.numbers}
    for moment in (name for name in moments(feed) if name not in feed.key):
        lag, after = f"date_diff('minute', partner.\"{moment}\", _at)", f"{moment} of {partner}"
        yield _Lag(f"{event} after {after}", lag, event)
        for name, minutes in units.items():
            if minutes:
                sql = f'{lag} - round(rows."{name}" * {minutes})::bigint'
                yield _Lag(f"{event} less {name} after {after}", sql, event)


def _changed(
    rows: FeedRows, source: str, told: list[_Lag], groups: list[str | None]
) -> list[Finding]:
    """Judge each lag, of all rows or else of the first group within which it is a rule."""
    if not told:
        return []
    columns = ", ".join(f"{lag.sql} as lag_{n}" for n, lag in enumerate(told))
    levels = "".join(f', rows."{group}"' for group in groups if group)
    rows.connection.execute(
        "create or replace temp table lagged as "  # noqa: S608
        f"select rows.rowid as _id, _is_new{levels}, {columns} from {source}"
    )
    findings = []
    for n, lag in enumerate(told):
        for group in groups:
            found = _judge(rows, lag, f"lag_{n}", group)
            findings += found
            if found:
                break
    return findings


def _judge(rows: FeedRows, lag: _Lag, name: str, group: str | None) -> list[Finding]:
    """Judge the rows of each level whose lag nearly always was the same."""
    level_of = f'"{group}"' if group else "'all'"
    ((hint,),) = rows.ask(
        f"""
        select max(share) from (
            select max(n) / sum(n) as share from (
                select {level_of} as level, count(*) as n from lagged
                where not _is_new and _id % {_SAMPLED} = 0 and {name} is not null
                group by level, {name}
            ) group by level
        )"""  # noqa: S608
    )
    if hint is None or hint < _HINT:
        return []
    counts = rows.frame(
        f"""
        select
            {level_of} as level, {name} as lag, count(*) filter (not _is_new) as past,
            count(*) filter (_is_new) as new, min(_id) filter (_is_new) as first
        from lagged where lag is not null and level is not null group by all order by all"""  # noqa: S608
    )
    counts["share"] = counts["past"] / counts.groupby("level")["past"].transform("sum")
    ruled = counts.loc[counts["share"] >= _CONSTANT, "level"]
    counts = counts[counts["level"].isin(ruled)]
    findings = []
    for level, one in counts.groupby("level"):
        past, new = int(one["past"].sum()), int(one["new"].sum())
        usual = one.iloc[int(one["past"].argmax())]
        other = one[(one["lag"] != usual["lag"]) & (one["new"] > 0)]
        broken = int(other["new"].sum())
        exceptions = past - int(usual["past"])
        if past < MIN_RULED or exceptions > (1 - _CONSTANT) * past or broken < MIN_SHIFTED:
            continue
        p = rare_count(broken, exceptions / past * new, _CLUMPING)
        if p >= rows.quality.false_discovery_rate:
            continue
        told = float(other["lag"].iloc[int(other["new"].argmax())])
        where = f" of {group} {level}" if group else ""
        text = (
            f"{broken:,} rows{where} have {lag.about} by {told:g} min, where {usual['lag']:g} min "
            f"is the rule; first {rows.place(int(other['first'].min()))}; {rows.ender}"
        )
        findings.append(
            rows.finding(
                CHECK,
                text,
                column=lag.column,
                segment=f"{group}={level}" if group else None,
                broken=broken,
                observed=told,
                expected=float(usual["lag"]),
            )
        )
    return findings


def _outside_file(rows: FeedRows) -> list[Finding]:
    """Find rows before or after all that a day's file usually holds."""
    lag = "date_diff('minute', _day, _at)"
    days = rows.frame(
        f"""
        select min({lag}) as least, max({lag}) as most from rows where not _is_new
        group by _day"""  # noqa: S608
    )
    usual = (float(days["least"].median()), float(days["most"].median()))
    is_outside = f"{lag} not between {usual[0]} and {usual[1]}"
    exceptions, past, broken, first, told = rows.ask(
        f"""
        select
            count(*) filter (not _is_new and {is_outside}), count(*) filter (not _is_new),
            count(*) filter (_is_new and {is_outside}),
            min(rowid) filter (_is_new and {is_outside}),
            max({lag}) filter (_is_new and {is_outside})
        from rows"""  # noqa: S608
    )[0]
    if exceptions > (1 - _CONSTANT) * past or broken < MIN_SHIFTED:
        return []
    p = rare_count(broken, exceptions / past * rows.new, _CLUMPING)
    if p >= rows.quality.false_discovery_rate:
        return []
    event = rows.feed.event_time
    text = (
        f"{broken:,} rows have a {event} up to {told:g} min after the beginning of their file's "
        f"day, where {usual[0]:g} to {usual[1]:g} min are the rule; first {rows.place(first)}; "
        f"{rows.ender}"
    )
    return [
        rows.finding(
            CHECK,
            text,
            column=event,
            segment="of its file",
            broken=broken,
            observed=told,
            expected=usual[1],
        )
    ]
