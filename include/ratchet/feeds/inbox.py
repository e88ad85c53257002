"""Which files of the inbox belong to a window.

A producer leaves `<feed>_YYYYMMDD.csv`, `.csv.gz` or `.zip` in the feed's folder of the inbox,
perhaps with a control file beside it. The file of a day belongs to the window in which that day
ends: earlier it could not have been whole.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from ratchet.feeds.control import ENDING
from ratchet.feeds.records import arrival
from ratchet.spec.types import Feed
from ratchet.window import Window

_NAME = re.compile(r"(?P<feed>[a-z][a-z0-9_]*)_(?P<stamp>[0-9]{8})\.(csv|csv\.gz|zip)")


class Sent(NamedTuple):
    """A file: the day that stamps it, where it lies, and where its control file would lie."""

    day: date
    path: Path
    control: Path


def stamp_of(feed: str, name: str) -> date | None:
    """Return the day in a file's name, or None if it is no name of this feed.

    Examples
    --------
    >>> stamp_of("weather", "weather_20130301.csv.gz")
    datetime.date(2013, 3, 1)
    >>> stamp_of("weather", "weather_20130230.csv")
    """
    match = _NAME.fullmatch(name)
    if match is None or match["feed"] != feed:
        return None
    try:
        return date.fromisoformat(match["stamp"])
    except ValueError:
        return None


def is_in(window: Window, day: date) -> bool:
    """Return whether the day ends in the window."""
    return window.start < arrival(day) <= window.end


def files_of(folder: Path, feed: str, window: Window) -> dict[str, Sent]:
    """Return a feed's files that belong to a window, by name."""
    paths = folder.iterdir() if folder.is_dir() else ()
    return {
        path.name: Sent(day, path, path.with_name(path.name + ENDING))
        for path in paths
        if (day := stamp_of(feed, path.name)) and is_in(window, day)
    }


def expected_days(feed: Feed, window: Window) -> list[date]:
    """Return the days of a window for which the feed promises a file, in order.

    A feed that comes once promises its file for the first day on which it is active.
    """
    first, end = feed.active.start, feed.active.end
    if feed.files == "once":
        return [first] if is_in(window, first) else []
    days = [window.start.date() + timedelta(days=n) for n in range(int(window.days) + 1)]
    return [day for day in days if is_in(window, day) and first <= day and (not end or day < end)]


def promised_day(feed: Feed, day: date) -> date:
    """Return the day for which a file stamped `day` was promised."""
    return feed.active.start if feed.files == "once" else day
