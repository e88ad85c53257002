"""Is each day of a feed there by the time that was agreed? Measured on the data's own time."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import duckdb

from ratchet.quality.finding import Finding, write_findings
from ratchet.settings import Settings
from ratchet.spec.types import Feed, Sla, Spec
from ratchet.window import Window

FAMILY = "freshness"
_DAY = timedelta(days=1)


def check_freshness(spec: Spec, window: Window, settings: Settings) -> list[Finding]:
    """Check the days whose deadline lies in a window; keep all findings, return those that block.

    A row of a day counts if the file that it came in was whole by the deadline. The first and the
    last day for which a feed is active are not judged, as they may be parts.

    Parameters
    ----------
    spec
        The use case. Feeds without an SLA are not judged.
    window
        A landed window.
    settings
        Names the lake.
    """
    findings: list[Finding] = []
    for name, feed in spec.feeds.items():
        if feed.sla is not None:
            findings += _check(name, feed, feed.sla, spec, window, settings)
    return write_findings(spec, window, FAMILY, findings, settings)


def _check(
    name: str, feed: Feed, sla: Sla, spec: Spec, window: Window, settings: Settings
) -> list[Finding]:
    days = list(_due(feed, sla, window))
    landed = settings.lake(spec.name).root / "landing" / name
    paths = [
        str(path)
        for path in sorted(landed.glob("*/accepted.parquet"))
        if _may_hold(Window.parse(path.parent.name), window)
    ]
    if not days or not paths:
        return []
    rows = duckdb.execute(
        f"""
        with rows as (
            select
                "{feed.event_time}"::timestamp as event_at,
                event_at::date as day,
                strptime(regexp_extract(_file, '_(\\d{{8}})\\.', 1), '%Y%m%d') + interval 1 day
                    <= ?::interval + day as is_timely
            from read_parquet(?, union_by_name = true)
        )
        select day, count(*), count(*) filter (is_timely), max(event_at) filter (is_timely)
        from rows where day between ? and ? group by day""",  # noqa: S608
        [sla.within, paths, days[0], days[-1]],
    ).fetchall()
    known = {day: (total, timely, newest) for day, total, timely, newest in rows}
    faults = [
        finding
        for day in days
        if (finding := _fault(name, feed, sla, day, *known.get(day, (0, 0, None)))) is not None
    ]
    total = sum(rows for rows, _, _ in known.values())
    text = f"All {len(days)} days were there by {sla.complete_by} of the next; nothing to do."
    fine = Finding(
        check=FAMILY, subject=name, column=feed.event_time, state="ok", rows=total, text=text
    )
    return faults or [fine]


def _due(feed: Feed, sla: Sla, window: Window) -> list[date]:
    """Return the days whose deadline is after the window's start and not after its end."""
    first = window.start.date() - 2 * _DAY
    candidates = (first + n * _DAY for n in range(int(window.days) + 4))
    return [
        day
        for day in candidates
        if window.start < sla.deadline(day) <= window.end
        and feed.active.start < day
        and (feed.active.end is None or day + _DAY < feed.active.end)
    ]


def _may_hold(landed: Window, window: Window) -> bool:
    """Whether a landed window may hold rows of days that are due: two days back are enough."""
    return landed.end > window.start - 2 * _DAY and landed.end <= window.end


def _fault(
    name: str, feed: Feed, sla: Sla, day: date, total: int, timely: int, newest: datetime | None
) -> Finding | None:
    share = timely / total if total else 0.0
    end = datetime.combine(day, time()) + _DAY
    silence_h = (end - newest) / timedelta(hours=1) if newest else None
    if newest is None or silence_h is None:
        what = "nothing of it was there"
    elif share < sla.min_share:
        what = f"{timely:,} of {total:,} rows were there, where {sla.min_share:.1%} must be"
    elif silence_h > sla.max_silence_h:
        what = (
            f"its newest row was of {newest:%H:%M}, {silence_h:.1f} h before the day's end, where "
            f"{sla.max_silence_h:g} h may be"
        )
    else:
        return None
    return Finding(
        check=FAMILY,
        subject=name,
        column=feed.event_time,
        segment=f"{day}",
        state="found",
        rows=total,
        broken=total - timely,
        observed=share,
        expected=sla.min_share,
        text=f"{name} of {day}: by {sla.deadline(day):%Y-%m-%d %H:%M} UTC {what}; "
        f"ask {feed.producer} what became of it, then refine the window again.",
    )
