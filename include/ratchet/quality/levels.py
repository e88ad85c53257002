"""Units: a group whose numbers lie where another unit would put them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ratchet.quality.finding import Finding
from ratchet.quality.rows import FeedRows
from ratchet.statistics import robust_spread, t_limit

CHECK = "unit_slip"
MIN_ROWS = 10  # of a group in a day: a median that a few wrong values can't move
# of a group's past, on which it told enough: half of eight weeks. What is told on fewer, as gusts
# are on windy days, is told on unlike ones, and the farthest of them says little of the next.
MIN_DAYS = 28
_GAP = 1.5  # times the farthest that the group's own past went
_PAIR = 2  # groups: neither of a pair says which of them is wrong
_PLACES = ("level", "spread")

# What the suffix of a column's name may be mistaken for: factor and offset, to the wrong unit.
# Units as near as knots and mph are told by `off_grid`: days differ as much by themselves.
_UNITS: dict[str, dict[str, tuple[float, float]]] = {
    "f": {"Celsius": (5 / 9, -160 / 9), "Kelvin": (5 / 9, 255.372)},
    "c": {"Fahrenheit": (1.8, 32.0), "Kelvin": (1.0, 273.15)},
    "mph": {"km/h": (1.609344, 0), "m/s": (0.44704, 0)},
    "mi": {"kilometres": (1.609344, 0)},
    "km": {"miles": (0.621371, 0)},
    "min": {"hours": (1 / 60, 0), "seconds": (60.0, 0)},
    "s": {"milliseconds": (1000.0, 0), "minutes": (1 / 60, 0)},
    "ms": {"seconds": (0.001, 0)},
    "in": {"millimetres": (25.4, 0), "centimetres": (2.54, 0)},
    "pct": {"a share of 1": (0.01, 0)},
    "usd": {"cents": (100.0, 0)},
}
_NEAR = 0.2  # of the way to another unit: so near to its end, that unit explains it
_TINY = 1e-6  # where all units say the same, none is wrong
_NEAR_SPREAD = 0.5  # on a log scale: days of one group spread as much more or less by themselves


def unit_slip(rows: FeedRows) -> list[Finding]:
    """Compare a group's day with the other groups of that day and with the group's own past.

    A day of a group has a level, its median, and a spread, its standard deviation on a log scale.
    What all groups share on a day is weather, or business, and is taken off; what is left is
    judged by the group's own past. It is a slip if level or spread is far off, and both are where
    another unit of the column's suffix would put them. All rows together have their past alone.
    """
    findings = []
    for name in rows.numbers:
        if _suffix(name) not in _UNITS:
            continue
        for group in [None, *rows.groups]:
            level_of = f'"{group}"' if group else "'all'"
            days = rows.frame(
                f"""
                select
                    {level_of} as level_of, _date, bool_or(_is_new) as is_new,
                    median("{name}")::double as level,
                    ln(nullif(stddev_samp("{name}"), 0)) as spread,
                    min(rowid) filter (_is_new) as first, count(*) as n
                from rows where "{name}" is not null and {level_of} is not null
                group by 1, 2 having count(*) >= {MIN_ROWS} order by 1, 2"""  # noqa: S608
            )
            if not days.empty:
                findings += _judge(rows, name, group, days)
    return findings


def _suffix(column: str) -> str:
    return column.rsplit("_", 1)[-1]


def _judge(rows: FeedRows, column: str, group: str | None, days: pd.DataFrame) -> list[Finding]:
    days = days.dropna(subset=list(_PLACES)).set_index(["_date", "level_of"]).sort_index()
    tables = {place: days[place].unstack() for place in _PLACES}
    is_new = days["is_new"].unstack().eq(True).to_numpy()
    values = {place: table.to_numpy(dtype=float) for place, table in tables.items()}
    for place, table in tables.items():
        if table.shape[1] > _PAIR:
            values[place] = values[place] - table.median(axis=1).to_numpy()[:, np.newaxis]
    p = rows.quality.false_discovery_rate / (2 * max(int(is_new.sum()), 1))
    findings = []
    unknown = []
    for number, level in enumerate(tables["level"].columns):
        new = is_new[:, number]
        past = ~new & ~np.isnan(values["level"][:, number])
        if not new.any():
            continue
        if past.sum() < MIN_DAYS:
            unknown.append(f"{level}")
            continue
        usual, is_far = {}, np.zeros(new.size, dtype=bool)
        for place in _PLACES:
            own = values[place][:, number]
            usual[place] = float(np.median(own[past]))
            far = float(np.abs(own[past] - usual[place]).max())
            noise = t_limit(p, int(past.sum()) - 1) * robust_spread(own[past])
            is_far |= new & (np.abs(own - usual[place]) > max(_GAP * far, noise))
        for number_of_day in np.flatnonzero(is_far):
            date = tables["level"].index[int(number_of_day)]
            day = days.loc[(date, level)]
            shared = {p: day[p] - float(values[p][number_of_day, number]) for p in _PLACES}
            expected = {p: usual[p] + shared[p] for p in _PLACES}
            if units := _units(column, day, expected):
                segment = f"{group}={level}" if group else None
                findings.append(_found(rows, column, segment, date, day, expected["level"], units))
                break
    if unknown:
        findings.append(_unknown(rows, column, group, unknown))
    return findings


def _unknown(rows: FeedRows, column: str, group: str | None, levels: list[str]) -> Finding:
    text = (
        f"Under {MIN_DAYS} past days have {MIN_ROWS} values of {column} at "
        f"{', '.join(levels) if group else 'all rows'}: too few to tell a slip from an unusual "
        "day; nothing to do but wait."
    )
    return rows.finding(CHECK, text, state="not_enough_data", column=column, segment=group)


def _units(column: str, day: pd.Series[Any], expected: dict[str, float]) -> str:
    """Name the units in which what was expected would be what is observed."""
    fits = []
    for unit, (factor, offset) in _UNITS[_suffix(column)].items():
        level = factor * expected["level"] + offset
        spread = expected["spread"] + np.log(factor)
        if (
            abs(level - expected["level"]) > _TINY
            and abs(day["level"] - level) <= _NEAR * abs(level - expected["level"])
            and abs(day["spread"] - spread) <= _NEAR_SPREAD
        ):
            fits.append(unit)
    return " or ".join(fits)


def _found(
    rows: FeedRows,
    column: str,
    segment: str | None,
    date: pd.Timestamp,
    day: pd.Series[Any],
    expected: float,
    units: str,
) -> Finding:
    text = (
        f"The median {column} at {segment or 'all rows'} is {day['level']:.4g} on "
        f"{date:%Y-%m-%d}, where {expected:.4g} would fit its past and its neighbours: it "
        f"and the spread are as if {units} had been sent; first {rows.place(int(day['first']))}; "
        f"{rows.ender}"
    )
    return rows.finding(
        CHECK,
        text,
        column=column,
        segment=segment,
        broken=int(day["n"]),
        observed=float(day["level"]),
        expected=expected,
    )
