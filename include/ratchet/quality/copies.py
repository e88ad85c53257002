"""Duplicates: the same content again, as it stands or under new keys, more often than usual."""

from __future__ import annotations

import pandas as pd

from ratchet.quality.finding import Finding
from ratchet.quality.rows import FeedRows
from ratchet.quality.tails import rare_count

CHECK = "duplicate_burst"
MIN_COPIES = 10  # in a file: fewer are no burst
_CLUMPING = 5.0  # variance over mean of a day's copies, at least: they come in bulk


def duplicate_burst(rows: FeedRows) -> list[Finding]:
    """Count, by day, the rows whose content stands there already, whole or but for some columns.

    Left out are nothing, each part of the key in turn, or all times at once, which finds a day
    that is sent again under a new date. A row counts if it says something beyond its key: rows of
    missing values are all alike. Rows that quarantine refused as repetitions count as well.
    """
    columns, key = list(rows.feed.columns), rows.feed.key
    times = [name for name in columns if rows.feed.columns[name].type in ("timestamp", "date")]
    said = " or ".join(
        f'"{name}" is not null' for name in columns if name not in key and name not in times
    )
    parts = [[], *([name] for name in key if name not in times), times]
    if not said:
        return []
    findings = [*_of_quarantine(rows)]
    for part in parts:
        content = ", ".join(f'"{name}"' for name in columns if name not in part)
        days = rows.frame(
            f"""
            with told as (
                select rowid as _id, _day, _is_new, hash({content}) as _content
                from rows where {said}
            ),
            repeated as (
                select _content, min(_id) as _first from told group by all having count(*) > 1
            )
            select
                told._day, told._is_new, count(_first) filter (_id > _first) as copies,
                count(*) as told, min(_id) filter (_id > _first) as first
            from told left join repeated using (_content) group by all order by all"""  # noqa: S608
        )
        findings += _bursts(rows, part, days)
    return findings


def _of_quarantine(rows: FeedRows) -> list[Finding]:
    days = rows.frame(
        """
        select
            _day, _is_new, count(*) filter (is_copy) as copies, count(*) as told,
            min(_id) filter (is_copy) as first
        from (
            select _day, _is_new, rowid as _id, false as is_copy from rows
            union all
            select _day, _is_new, rowid, contains(reasons[1], ': repeats ') from refused
        )
        group by all order by all"""
    )
    return _bursts(rows, None, days)


def _bursts(rows: FeedRows, part: list[str] | None, days: pd.DataFrame) -> list[Finding]:
    past = days[~days["_is_new"]]
    share = past["copies"] / past["told"]
    spread = float(past["copies"].var() / max(past["copies"].mean(), 1e-9)) if len(past) > 1 else 0
    new = days[days["_is_new"]]
    usual = max(float(share.mean()), float(share.max()) / 2)  # a bad day in the past excuses some
    limit = rows.quality.false_discovery_rate / max(len(new), 1)
    burst = new[
        [
            copies >= MIN_COPIES
            and rare_count(copies, usual * told, max(spread, _CLUMPING)) < limit
            for copies, told in zip(new["copies"], new["told"], strict=True)
        ]
    ]
    if burst.empty:
        return []
    broken, expected = int(burst["copies"].sum()), float(share.mean() * burst["told"].sum())
    segment = "quarantined" if part is None else f"but for {'+'.join(part)}" if part else "whole"
    first = rows.place(int(burst["first"].min()), "rows" if part is not None else "refused")
    text = (
        f"{broken:,} rows repeat another row ({segment}), where {expected:.1f} are usual; first "
        f"{first}; let {rows.feed.producer} send them once."
    )
    return [
        rows.finding(
            CHECK, text, segment=segment, broken=broken, observed=broken, expected=expected
        )
    ]
