"""Clocks: times that an hour or a time zone was added to, or taken from."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from ratchet.quality.finding import Finding
from ratchet.quality.rows import FeedRows
from ratchet.quality.tails import rare_count

CHECK = "clock_shift"
MIN_SHIFTED = 5  # rows: fewer are single errors
MIN_EVENTS = 50  # of a group in a day: fewer have no profile
_CONSTANT = 0.99  # of the past rows have one lag: then it is a rule
_PER_ROW = 0.25  # nats a row by which another hour must fit better than the one that is told
_GAP = 1.5  # times the best that any past day of the group fitted another hour
_ONE_HOUR = 0.5  # of all events, at most: what is sent in bulk has no profile
_HOURS = 24
_DAY = timedelta(days=1)


def clock_shift(rows: FeedRows) -> list[Finding]:
    """Find times that disagree with the row's other times, or with the group's usual day.

    Two times of a row that always lay as far apart must go on to do so. A group's events have a
    profile over the hours of the people's day: a day is shifted if another hour fits it far better.
    """
    event = rows.feed.event_time
    times = [n for n in rows.clocks if rows.feed.columns[n].type == "timestamp"]
    findings = []
    for clock in rows.clocks:
        findings += _lag(rows, f'"{clock}"', clock)
    for clock in [n for n in [event, *times] if n and rows.feed.columns[n].type == "timestamp"]:
        for group in rows.groups if not rows.entities else []:
            findings += _profile(rows, clock, group)
    return findings


def _lag(rows: FeedRows, sql: str, clock: str) -> list[Finding]:
    lag = f"date_diff('minute', {sql}::timestamp, _at)"
    found = rows.ask(
        f"""
        with usual as (select mode({lag}) as lag from rows where not _is_new)
        select
            any_value(lag), avg(({lag} = lag)::int) filter (not _is_new),
            count(*) filter (_is_new and {lag} <> lag),
            min(rowid) filter (_is_new and {lag} <> lag),
            mode({lag}) filter (_is_new and {lag} <> lag)
        from rows, usual"""  # noqa: S608
    )[0]
    usual, share, broken, first, other = found
    if share is None or share < _CONSTANT or broken < MIN_SHIFTED:
        return []
    p = rare_count(broken, (1 - share) * rows.new, 3.0)
    if p >= rows.quality.false_discovery_rate:
        return []
    text = (
        f"{broken:,} rows have {rows.feed.event_time} {other} min after {clock}, where {usual} min "
        f"is the rule; first {rows.place(first)}; {rows.ender}"
    )
    return [rows.finding(CHECK, text, column=clock, broken=broken, observed=other, expected=usual)]


def _profile(rows: FeedRows, clock: str, group: str) -> list[Finding]:
    counts = rows.frame(
        f"""
        select
            "{group}" as level, _date as day, hour({rows.local(clock)}) as hour,
            count(*) as n, min(rowid) as first
        from rows where "{group}" is not null group by all order by all"""  # noqa: S608
    )
    # whole days only: a part of a day is no profile
    lag = timedelta(days=rows.lags[1])
    first_new, last = pd.Timestamp(rows.start - lag), pd.Timestamp(rows.end - lag - _DAY)
    findings = []
    sizes = counts.groupby(["level", "day"])["n"].sum().reset_index()
    large = sizes.loc[(sizes["n"] >= MIN_EVENTS) & (sizes["day"] >= first_new), "level"]
    for level, one in counts[counts["level"].isin(large)].groupby("level"):
        days = one.pivot_table(
            index="day", columns="hour", values="n", aggfunc="sum", fill_value=0
        ).reindex(columns=range(_HOURS), fill_value=0)
        days = days[days.sum(axis=1) >= MIN_EVENTS].loc[:last]
        is_new = np.array([first_new <= day for day in days.index])
        if not is_new.any() or (~is_new).sum() < MIN_SHIFTED:
            continue
        table = days.to_numpy(dtype=float)
        usual = table[~is_new].sum(axis=0) + 1
        if usual.max() > _ONE_HOUR * usual.sum():
            continue
        fits = np.stack(
            [table @ np.log(np.roll(usual, s) / usual.sum()) for s in range(_HOURS)], axis=1
        )
        gains = (fits - fits[:, :1]).max(axis=1) / table.sum(axis=1)
        limit = max(_PER_ROW, _GAP * float(gains[~is_new].max()))
        for place in np.flatnonzero(is_new & (gains > limit)):
            day = days.index[int(place)]
            shift = int(fits[place].argmax())
            shift = shift - _HOURS if shift > _HOURS // 2 else shift
            first = int(one[one["day"] == day]["first"].min())
            text = (
                f"{clock} of {group} {level} on {day:%Y-%m-%d} fits its usual day {shift:+d} h "
                f"later far better; first {rows.place(first)}; {rows.ender}"
            )
            findings.append(
                rows.finding(
                    CHECK,
                    text,
                    column=clock,
                    segment=f"{group}={level}",
                    broken=int(table[place].sum()),
                    observed=float(shift),
                    expected=0.0,
                )
            )
            break
    return findings
