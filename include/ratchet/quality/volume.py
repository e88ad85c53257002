"""Volume: rows and totals of each day against the same weekday's past, in both directions."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np

from ratchet.quality.finding import Finding
from ratchet.quality.rows import FeedRows
from ratchet.statistics import near_holidays, robust_spread, t_limit

CHECK = "volume"
MIN_WEEKS = 3  # of the same weekday: a median that one wrong day can't move
MATERIAL = 0.2  # relative: a storm that pushes events past midnight moves a count by less
MATERIAL_TOTAL = 0.25  # relative: a total moves with the mix of its rows too
AT_HOLIDAY = 1.0  # relative: near a holiday only half or double is wrong
_MEDIAN_VARIANCE = np.pi / 2  # of a median of n normal values, in variances over n
_STEADY = 0.25  # relative: a total that left its weekday's median by more says nothing about volume


def volume(rows: FeedRows) -> list[Finding]:
    """Compare each complete day's rows, and its steady totals, with its weekday's recent past.

    Totals are of feeds of events: in a series of measurements they are no amount of anything.
    """
    totals = [] if rows.entities else rows.numbers
    measures = {None: "count(*)"} | {name: f'coalesce(sum("{name}"), 0)' for name in totals}
    counted = rows.ask(
        f"select _date, {', '.join(f'({sql})::double' for sql in measures.values())} "  # noqa: S608
        "from rows group by 1"
    )
    by_day = {day: values for day, *values in counted}
    first, last = rows.lags
    whole = min(by_day) + timedelta(days=max(last - first, 0))
    judged = [
        rows.start - timedelta(days=last) + timedelta(days=n)
        for n in range((rows.end - rows.start).days)
    ]
    festive = near_holidays(rows.quality.holidays, {whole.year, rows.end.year, rows.end.year + 1})
    # a feed that is to end does so in the middle of its last day
    ends = (rows.feed.active.end or date.max) - timedelta(days=max(last, 0) + 1)
    findings = []
    for place, column in enumerate(measures):
        series = {day: values[place] for day, values in by_day.items() if whole <= day}
        p = rows.quality.false_discovery_rate / (len(judged) * len(measures))
        for day in judged:
            if day < ends:
                findings += _judge(rows, column, series, day, festive, p)
    return findings


def _judge(
    rows: FeedRows,
    column: str | None,
    series: dict[date, float],
    day: date,
    festive: dict[date, str],
    p: float,
) -> list[Finding]:
    past = {
        d: value
        for d, value in series.items()
        if d < rows.start - timedelta(days=rows.lags[1]) and d not in festive and value > 0
    }
    same = [past[d] for d in past if d.weekday() == day.weekday()]
    what = f"rows of {day:%a %Y-%m-%d}" if column is None else f"total {column} of {day:%a %d %b}"
    about: dict[str, Any] = {"column": column, "segment": f"{day:%Y-%m-%d}"}
    if len(same) < MIN_WEEKS:
        if column is not None:
            return []
        text = f"{len(same)} {day:%A}s are known, and {MIN_WEEKS} are needed to judge the next."
        return [rows.finding(CHECK, text, state="not_enough_data", **about)]
    usual = float(np.median(same))
    medians = {
        weekday: np.median([value for d, value in past.items() if d.weekday() == weekday])
        for weekday in {d.weekday() for d in past}
    }
    residuals = np.array([np.log(value / medians[d.weekday()]) for d, value in past.items()])
    if column is not None and np.abs(residuals).max() > np.log1p(_STEADY):
        return []
    observed = series.get(day, 0.0)
    spread = max(robust_spread(residuals), usual**-0.5 if column is None else 0.0)
    material = np.log1p(MATERIAL if column is None else MATERIAL_TOTAL)
    spread *= (1 + _MEDIAN_VARIANCE / len(same)) ** 0.5  # of the day, and of what it is held to
    limit = max(t_limit(p, max(len(residuals) - len(medians), 1)) * spread, material)
    if day in festive:
        limit = max(limit, np.log1p(AT_HOLIDAY))
    if observed > 0 and abs(np.log(observed / usual)) <= limit:
        return []
    text = (
        f"{observed:,.0f} {what}, where {usual:,.0f} are usual on a {day:%A} and "
        f"{usual * np.exp(-limit):,.0f} to {usual * np.exp(limit):,.0f} would be natural; ask "
        f"{rows.feed.producer} for what is missing or came twice, or accept it with a reason."
    )
    return [rows.finding(CHECK, text, **about, observed=observed, expected=usual)]
