"""Clocks: times that an hour or a time zone was added to, or taken from."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.quality.finding import Finding
from ratchet.quality.lags import CHECK, lags
from ratchet.quality.rows import FeedRows, moments

MIN_EVENTS = 50  # of a group in a day: fewer have no profile
MIN_DAYS = 14  # of a group's past with so many: what happens on few days has no usual day
_PART = 2 / 3  # of a usual day's events: a day with fewer was cut, or its site was closed
# Nats a row by which another hour must fit better than the one that is told: a group's day varies
# more than the day of all rows, which never fitted another hour by half as much in a clean year.
_PER_ROW, _PER_ROW_OF_ALL = 0.25, 0.03
_GAP = 1.5  # times the best that any past day of the group fitted another hour
_ONE_HOUR = 0.5  # of all events, at most: what is sent in bulk has no profile
_HOURS = 24
MIN_WEEKS = 6  # of past: fewer do not show how much a week's mean day varies
_WEEK_GAIN, _WEEK_GAP = 25.0, 2.0  # in variances; times the best of any past week
_SUN = 1  # hours that a series may move by itself: the sun does, in eight weeks, and by the clock
_DAY = timedelta(days=1)


def clock_shift(rows: FeedRows) -> list[Finding]:
    """Find times that disagree with the row's other times, or with the usual day.

    Times that always lay as far apart must go on to do so (see `ratchet.quality.lags`). Events,
    all and of each group, have a profile over the hours of the people's day: a day is shifted if
    another hour fits it far better. A set of series has a mean day of its values: so has the week.
    """
    findings = lags(rows)
    if rows.entities:
        return findings + _mean_day(rows)
    event = str(rows.feed.event_time)
    for clock in dict.fromkeys([event, *moments(rows.feed)]):
        if clock in moments(rows.feed):
            findings += _profiles(rows, clock)
    return findings


class _Profile(NamedTuple):
    """Events of a group by day and hour, and the days."""

    table: NDArray[np.float64]
    days: list[date]


def _profiles(rows: FeedRows, clock: str) -> list[Finding]:
    groups = rows.groups
    told = rows.connection.execute(
        f"""
        select
            "{clock}" as _moment, _date - date '1970-01-01' as _date
            {"".join(f', "{group}"' for group in groups)}
        from rows where _moment is not null and _date is not null"""  # noqa: S608
    ).to_arrow_table()
    moments_utc = pd.DatetimeIndex(told["_moment"].to_pandas()).tz_localize("UTC")
    hours = moments_utc.tz_convert(rows.quality.time_zone).hour.to_numpy()
    if not hours.size or np.bincount(hours).max() > _ONE_HOUR * hours.size:
        return []
    day = told["_date"].to_numpy()
    first = int(day.min())
    cells, number = (day - first) * _HOURS + hours, int(day.max()) - first + 1
    dates = [date(1970, 1, 1) + timedelta(days=first + n) for n in range(number)]
    findings = _shifted(rows, clock, None, "", _profile(cells, dates))
    for group in groups:
        codes, levels = pd.factorize(told[group].to_pandas(), sort=True)
        known = codes >= 0
        wanted = codes[known] * number * _HOURS + cells[known]
        tables = np.bincount(wanted, minlength=len(levels) * number * _HOURS)
        for level, table in zip(levels, tables.reshape(-1, number, _HOURS), strict=True):
            findings += _shifted(rows, clock, group, level, _Profile(table.astype(float), dates))
    return findings


def _profile(cells: NDArray[np.int64], dates: list[date]) -> _Profile:
    table = np.bincount(cells, minlength=len(dates) * _HOURS).reshape(-1, _HOURS)
    return _Profile(table.astype(float), dates)


def _shifted(
    rows: FeedRows, clock: str, group: str | None, level: str, profile: _Profile
) -> list[Finding]:
    # whole days only: a part of a day is no profile
    lag = timedelta(days=rows.lags[1])
    first_new, last = rows.start - lag, rows.end - lag - _DAY
    sizes = profile.table.sum(axis=1)
    is_past = np.array([day < first_new for day in profile.days]) & (sizes >= MIN_EVENTS)
    if is_past.sum() < MIN_DAYS:
        return []
    is_whole = sizes >= max(_PART * float(np.median(sizes[is_past])), MIN_EVENTS)
    is_new = np.array([first_new <= day <= last for day in profile.days]) & is_whole
    if not is_new.any():
        return []
    usual = profile.table[is_past].sum(axis=0) + 1
    if usual.max() > _ONE_HOUR * usual.sum():
        return []
    logs = np.stack([np.log(np.roll(usual, s) / usual.sum()) for s in range(_HOURS)], axis=1)
    fits = profile.table @ logs
    gains = (fits - fits[:, :1]).max(axis=1) / np.maximum(sizes, 1)
    per_row = _PER_ROW if group else _PER_ROW_OF_ALL
    shifted = np.flatnonzero(is_new & (gains > max(per_row, _GAP * float(gains[is_past].max()))))
    if not shifted.size:
        return []
    place = int(shifted[0])
    shift, day = _signed(int(fits[place].argmax())), profile.days[place]
    level_of = f'"{group}"' if group else "''"
    query = f"select min(rowid) from rows where _date = ? and {level_of} = ?"  # noqa: S608
    ((row,),) = rows.ask(query, day, level)
    what = f" of {group} {level}" if group else ""
    text = (
        f"{clock}{what} on {day} fits its usual day {shift:+d} h later far better; first "
        f"{rows.place(row)}; {rows.ender}"
    )
    return [
        rows.finding(
            CHECK,
            text,
            column=clock,
            segment=f"{group}={level}" if group else None,
            broken=int(sizes[place]),
            observed=float(shift),
            expected=0.0,
        )
    ]


def _signed(shift: int) -> int:
    return shift - _HOURS if shift > _HOURS // 2 else shift


def _mean_day(rows: FeedRows) -> list[Finding]:
    """Compare the week's mean day of all series with the past weeks', at each turn of the clock.

    Distances are in variances of a week's mean at an hour, which the past weeks tell, summed over
    hours and columns; the gain of the best turn is held against the past weeks' own, each against
    the others.
    """
    weeks = _weeks(rows)
    past = weeks[1:]
    if len(past) < MIN_WEEKS or not weeks.shape[2]:
        return []
    own = [_turn(week, np.delete(past, n, axis=0))[1] for n, week in enumerate(past)]
    turn, gain = _turn(weeks[0], past)
    if abs(turn) <= _SUN or gain <= max(_WEEK_GAIN, _WEEK_GAP * max(own)):
        return []
    text = (
        f"The mean day of all series from {rows.start} to {rows.end} fits the past weeks' "
        f"{turn:+d} h later far better: {gain:.0f} variances nearer, where no past week gained "
        f"more than {max(own):.0f}; {rows.ender}"
    )
    return [
        rows.finding(
            CHECK,
            text,
            column=rows.feed.event_time,
            segment="mean day",
            broken=rows.new,
            observed=float(turn),
            expected=0.0,
        )
    ]


def _weeks(rows: FeedRows) -> NDArray[np.float64]:
    """Return mean days less their mean: the judged days', then those of as many days before."""
    length = (rows.end - rows.start).days
    measured = ", ".join(f'avg("{name}")' for name in rows.numbers)
    hours = rows.ask(
        f"""
        select
            (date_diff('day', _day, $end) - 1) // {length} as week,
            hour({rows.clock("_at")}) as hour, {measured}
        from rows where _at is not null group by all""",  # noqa: S608
        end=rows.end,
    )
    weeks = np.full((max(w for w, *_ in hours) + 1, _HOURS, len(rows.numbers)), np.nan)
    for week, hour, *means in hours:
        weeks[week, hour] = [np.nan if mean is None else mean for mean in means]
    usually = ~np.isnan(weeks[0]).any(axis=0)
    told = weeks[:, :, usually]
    whole = told[[not np.isnan(week).any() for week in told]]
    level: NDArray[np.float64] = whole.mean(axis=1, keepdims=True)
    return whole - level


def _turn(week: NDArray[np.float64], others: NDArray[np.float64]) -> tuple[int, float]:
    """Return by how many hours to turn the others' mean day to fit a week best, and the gain."""
    usual = others.mean(axis=0)
    variance = others.var(axis=0, ddof=1).mean(axis=0) * (1 + 1 / len(others))
    told = variance > 0
    distances = np.array(
        [
            ((week - np.roll(usual, s, axis=0)) ** 2)[:, told].sum(axis=0) @ (1 / variance[told])
            for s in range(_HOURS)
        ]
    )
    best = int(distances.argmin())
    return _signed(best), float(distances[0] - distances[best])
