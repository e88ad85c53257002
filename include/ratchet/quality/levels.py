"""Units: a group whose numbers lie where another unit would put them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ratchet.quality.finding import Finding
from ratchet.quality.rows import FeedRows
from ratchet.quality.tails import robust_spread, t_limit

CHECK = "unit_slip"
MIN_ROWS = 10  # of a group in a day: a median that a few wrong values can't move
MIN_DAYS = 14  # of a group's past: two of each weekday
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
    days = days.dropna(subset=list(_PLACES))
    tables = {p: days.pivot_table(index="_date", columns="level_of", values=p) for p in _PLACES}
    shared = {
        place: table.median(axis=1) if table.shape[1] > _PAIR else table.iloc[:, 0] * 0
        for place, table in tables.items()
    }
    p = rows.quality.false_discovery_rate / (2 * max(int(days["is_new"].sum()), 1))
    findings = []
    for level, one in days.groupby("level_of"):
        past = one[~one["is_new"]].set_index("_date")
        if len(past) < MIN_DAYS:
            continue
        usual, limits = {}, {}
        for place in _PLACES:
            own = past[place] - shared[place].reindex(past.index)
            usual[place] = float(own.median())
            far = float((own - usual[place]).abs().max())
            spread = robust_spread(own.to_numpy())
            limits[place] = max(_GAP * far, t_limit(p, len(past) - 1) * spread)
        for _, day in one[one["is_new"]].iterrows():
            expected = {p: usual[p] + float(shared[p][day["_date"]]) for p in _PLACES}
            if any(abs(day[p] - expected[p]) > limits[p] for p in _PLACES) and (
                units := _units(column, day, expected)
            ):
                segment = f"{group}={level}" if group else None
                findings.append(_found(rows, column, segment, day, expected["level"], units))
                break
    return findings


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
    day: pd.Series[Any],
    expected: float,
    units: str,
) -> Finding:
    text = (
        f"The median {column} at {segment or 'all rows'} is {day['level']:.4g} on "
        f"{day['_date']:%Y-%m-%d}, where {expected:.4g} would fit its past and its neighbours: it "
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
