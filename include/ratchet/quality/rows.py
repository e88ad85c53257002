"""A feed's landed rows of some days beside those of the days before: what every check reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from ratchet.errors import FeedError
from ratchet.quality.finding import Finding, State
from ratchet.settings import Lake
from ratchet.spec.types import Feed, Quality
from ratchet.window import Window

MAX_LEVELS = 200  # a text of more levels names things, and does not group them
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class FeedRows:
    """The rows that came in [start, end), and those of `quality.history_days` before.

    They are the table `rows` of `connection`: the feed's columns, `_file`, `_row`, the stamp of
    the file as `_day`, the row's own time as `_at` and its date by the people's clock as `_date`,
    and whether it `_is_new`. `partners` are feeds whose key is told by each of these rows; a
    partner's key and clocks are the table `partner_<name>`.
    """

    name: str
    feed: Feed
    quality: Quality
    start: date
    end: date
    connection: duckdb.DuckDBPyConnection
    partners: Mapping[str, Feed] = field(default_factory=dict)

    def load(self, lake: Lake, window: Window) -> None:
        """Fill the tables from landed windows: `rows`, and `refused` with quarantined rows.

        Raises
        ------
        FeedError
            If the window of the feed was not landed.
        """
        folders = self._folders(lake, self.name, window)
        if not folders or folders[-1].name != window.key:
            raise FeedError(f"{self.name}: {window} was not landed; land it first")
        columns = ", ".join(f'"{column}"' for column in self.feed.columns)
        since = self._since
        stamp = "strptime(regexp_extract(_file, '_([0-9]{8})\\.', 1), '%Y%m%d')::date as _day"
        for table, file, wanted in (
            ("rows", "accepted", f"{columns}, {self._times}"),
            ("refused", "quarantine", "reasons"),
        ):
            self.connection.execute(
                f"""
                create or replace temp table {table} as
                select {wanted}, _file, _row, {stamp}, _day >= ? as _is_new
                from read_parquet(?, union_by_name = true)
                where _day >= ? and _day < ?""",  # noqa: S608
                [self.start, [str(f / f"{file}.parquet") for f in folders], since, self.end],
            )
        for name, feed in self.partners.items():
            told = ", ".join(f'"{c}"' for c in dict.fromkeys([*feed.key, *moments(feed)]))
            self.connection.execute(
                f"create or replace temp table partner_{name} as select {told} "  # noqa: S608
                "from read_parquet(?, union_by_name = true)",
                [[str(f / "accepted.parquet") for f in self._folders(lake, name, window)]],
            )

    @property
    def _since(self) -> date:
        return self.start - timedelta(days=self.quality.history_days)

    def _folders(self, lake: Lake, feed: str, window: Window) -> list[Path]:
        """Return the folders of landed windows that reach into the past or the days to judge."""
        return [
            folder
            for folder in landed(lake, feed, window)
            if Window.parse(folder.name).end.date() > self._since
        ]

    @property
    def _times(self) -> str:
        event = str(self.feed.event_time)
        local = self.local(event)
        return f'"{event}"::timestamp as _at, ({local})::date as _date'

    def local(self, column: str) -> str:
        """Return SQL for a time by the clock of the people whom the data is about."""
        if self.feed.columns[column].type == "date":
            return f'"{column}"::timestamp'
        return self.clock(f'"{column}"')

    def clock(self, moment: str) -> str:
        """Return SQL for a moment in UTC by the clock of the people whom the data is about."""
        return f"{moment} at time zone 'UTC' at time zone {literal(self.quality.time_zone)}"

    def ask(self, query: str, *values: Any, **named: Any) -> list[tuple[Any, ...]]:
        """Return a query's rows; it names its parameters or leaves them to their order."""
        given = named or list(values)
        answer: list[tuple[Any, ...]] = self.connection.execute(query, given).fetchall()
        return answer

    def frame(self, query: str, *values: Any) -> pd.DataFrame:
        """Return a query's rows as a table."""
        table: pd.DataFrame = self.connection.execute(query, list(values)).df()
        return table

    @cached_property
    def past_days(self) -> int:
        """On how many days before `start` files came."""
        return int(self.ask("select count(distinct _day) from rows where not _is_new")[0][0])

    @cached_property
    def new(self) -> int:
        """How many rows came in [start, end)."""
        return int(self.ask("select count(*) from rows where _is_new")[0][0])

    @cached_property
    def numbers(self) -> list[str]:
        """Columns with numbers that measure: a key's numbers only name."""
        return [
            name
            for name, column in self.feed.columns.items()
            if column.type in ("integer", "number") and name not in self.feed.key
        ]

    @cached_property
    def clocks(self) -> list[str]:
        """Columns with a moment or a day other than the row's own time."""
        return [
            name
            for name, column in self.feed.columns.items()
            if column.type in ("timestamp", "date") and name != self.feed.event_time
        ]

    @cached_property
    def texts(self) -> list[str]:
        """Columns with text."""
        return [name for name, column in self.feed.columns.items() if column.type == "text"]

    @cached_property
    def groups(self) -> list[str]:
        """Columns with text that sorts rows into two to `MAX_LEVELS` groups."""
        levels = ", ".join(f'count(distinct "{name}")' for name in self.texts)
        counts = self.ask(f"select {levels or 0} from rows")[0]  # noqa: S608
        return [
            name
            for name, count in zip(self.texts, counts, strict=False)
            if 2 <= count <= MAX_LEVELS
        ]

    @cached_property
    def entities(self) -> list[str]:
        """Columns that name whose series a row belongs to; none if rows are events.

        A feed is a set of series if its key is the row's own time and a few groups.
        """
        rest = [name for name in self.feed.key if name != self.feed.event_time]
        is_series = self.feed.event_time in self.feed.key and set(rest) <= set(self.groups)
        return rest if is_series else []

    @cached_property
    def lags(self) -> tuple[int, int]:
        """First and last day, from the row's own, on which its file comes, for nearly all rows."""
        first, last = self.ask(
            "select quantile_disc(_day - _date, [0.01, 0.99]) from rows where not _is_new"
        )[0][0]
        return int(first), int(last)

    def place(self, row: int, table: str = "rows") -> str:
        """Name a row of a table, by its `rowid`, as `file line n`."""
        file, line = self.ask(f"select _file, _row from {table} where rowid = ?", row)[0]  # noqa: S608
        return f"{file} line {line}" if line else str(file)

    @property
    def ender(self) -> str:
        """How a finding ends: whom to ask, and what else can be done."""
        return f"ask {self.feed.producer} to correct it, or accept it in the spec with a reason."

    def finding(
        self,
        check: str,
        text: str,
        *,
        state: State = "found",
        column: str | None = None,
        segment: str | None = None,
        broken: int | None = None,
        observed: float | None = None,
        expected: float | None = None,
    ) -> Finding:
        """Return a finding on this feed."""
        return Finding(
            check=check,
            subject=self.name,
            column=column,
            segment=segment,
            state=state,
            rows=self.new,
            broken=broken,
            observed=observed,
            expected=expected,
            text=text,
        )


def landed(lake: Lake, feed: str, window: Window) -> list[Path]:
    """Return the folders of a landed window and of those that ended before it, oldest first."""
    folder = lake.root / "landing" / feed
    return [
        path.parent
        for path in sorted(folder.glob("*/accepted.parquet"))
        if path.parent.name == window.key or Window.parse(path.parent.name).end <= window.start
    ]


def moments(feed: Feed) -> list[str]:
    """Return a feed's columns with a moment, not only a day."""
    return [name for name, column in feed.columns.items() if column.type == "timestamp"]


def partners(feeds: Mapping[str, Feed], name: str) -> dict[str, Feed]:
    """Return the other feeds whose key stands, with the same types, in each row of a feed."""
    own = feeds[name].columns
    return {
        other: feed
        for other, feed in feeds.items()
        if other != name
        and moments(feed)
        and feed.key
        and all(key in own and own[key].type == feed.columns[key].type for key in feed.key)
    }


def weeks(window: Window) -> Iterator[tuple[date, date]]:
    """Yield a window week by week, as [start, end) of the stamps of its files."""
    start, last = window.start.date(), window.end.date()
    while start < last:
        end = min(start + WEEK, last)
        yield start, end
        start = end


def literal(text: str) -> str:
    """Quote text for SQL."""
    return "'" + text.replace("'", "''") + "'"
