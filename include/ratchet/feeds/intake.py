"""From a window's files to their rows as text, with whatever can't be read set aside."""

from __future__ import annotations

import hashlib
import json
from datetime import date

import pyarrow as pa

from ratchet.errors import FeedError
from ratchet.feeds.contract import text_column
from ratchet.feeds.inbox import expected_days, promised_day
from ratchet.feeds.reading import Sheet, read_sheet
from ratchet.feeds.records import LandedFile, arrival
from ratchet.spec.types import Feed
from ratchet.window import Window

_ORIGIN = [("_file", pa.string()), ("_row", pa.int64()), ("_sha256", pa.string())]
_REFUSED = pa.schema([*_ORIGIN, ("raw", pa.string()), ("reasons", pa.list_(pa.string()))])


class Intake:
    """The files of one feed's window, taken in one by one.

    Parameters
    ----------
    feed
        Says which files are expected, and their columns.
    window
        The window that the files belong to.
    known
        Where a file of the same bytes was accepted before, by sha256.
    """

    def __init__(self, feed: Feed, window: Window, known: dict[str, str]) -> None:
        self.files: list[LandedFile] = []
        self._feed, self._known = feed, known
        self._expected = expected_days(feed, window)
        texts = [(text_column(name), pa.string()) for name in feed.columns]
        self._schema = pa.schema([*_ORIGIN, *texts])
        self._sheets: list[pa.Table] = []
        self._refused: list[dict[str, object]] = []

    @property
    def rows(self) -> pa.Table:
        """Rows that could be read: their origin, and each column's text."""
        return pa.concat_tables([self._schema.empty_table(), *self._sheets])

    @property
    def refused(self) -> pa.Table:
        """Lines and files that could not be read: origin, JSON of the text, and reasons."""
        return pa.Table.from_pylist(self._refused, schema=_REFUSED)

    def take(self, name: str, day: date, content: bytes) -> LandedFile:
        """Read a file stamped `day`; return what it is, with every line that could be read."""
        sha256 = hashlib.sha256(content).hexdigest()
        sheet, reason = None, None
        try:
            self._refuse_unexpected(day, sha256)
            sheet = read_sheet(name, content, self._feed.columns)
        except FeedError as error:
            reason = str(error)
            self._refuse(name, None, sha256, None, reason)
        else:
            self._known[sha256] = name
            self._add(name, sha256, sheet)
        file = LandedFile(
            name=name,
            sha256=sha256,
            bytes=len(content),
            producer=self._feed.producer,
            arrived_at=arrival(day),
            rows=len(sheet.rows) + len(sheet.bad_lines) if sheet else 0,
            accepted=0,
            verdict="quarantined" if reason else "accepted",
            reason=reason,
        )
        self.files.append(file)
        return file

    def _refuse_unexpected(self, day: date, sha256: str) -> None:
        if promised_day(self._feed, day) not in self._expected:
            raise FeedError("the spec expects no file for this day")
        if sha256 in self._known:
            raise FeedError(f"it has the same bytes as {self._known[sha256]}")

    def _add(self, name: str, sha256: str, sheet: Sheet) -> None:
        count = len(sheet.rows)
        fields = zip(*sheet.rows, strict=True) if count else [()] * len(sheet.header)
        by_name = dict(zip(sheet.header, fields, strict=True))
        texts = [by_name[column] for column in self._feed.columns]
        origin = [[name] * count, sheet.numbers, [sha256] * count]
        self._sheets.append(pa.table([*origin, *texts], schema=self._schema))
        for line in sheet.bad_lines:
            self._refuse(name, line.number, sha256, json.dumps(line.text), line.reason)

    def _refuse(
        self, name: str, row: int | None, sha256: str, raw: str | None, reason: str
    ) -> None:
        self._refused.append(
            {"_file": name, "_row": row, "_sha256": sha256, "raw": raw, "reasons": [reason]}
        )
