"""From a window's files to their rows as text, with whatever can't be read set aside."""

from __future__ import annotations

import hashlib
import json
from datetime import date

import pyarrow as pa

from ratchet.errors import FeedError
from ratchet.feeds.contract import text_column
from ratchet.feeds.control import ENDING, ControlFile
from ratchet.feeds.corrections import Values
from ratchet.feeds.header import HeaderError
from ratchet.feeds.inbox import expected_days, promised_day
from ratchet.feeds.reading import MB, Sheet, read_sheet, too_large
from ratchet.feeds.records import LandedFile, arrival
from ratchet.spec.types import Feed
from ratchet.window import Window

_ORIGIN = [
    ("_file", pa.string()),
    ("_row", pa.int64()),
    ("_sha256", pa.string()),
    ("_is_corrected", pa.bool_()),
]
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
    corrections
        What rows should have been, by the file's sha256 and the row.
    """

    def __init__(
        self,
        feed: Feed,
        window: Window,
        known: dict[str, str],
        corrections: dict[str, dict[int, Values]],
    ) -> None:
        self.files: list[LandedFile] = []
        self._feed, self._known, self._corrections = feed, known, corrections
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

    def take(
        self, name: str, day: date, size: int, sha256: str, content: bytes, control: bytes | None
    ) -> LandedFile:
        """Read a file; return what it is, with every line that could be read.

        Parameters
        ----------
        name, day
            The file's name, and the day that stamps it.
        size, sha256
            Of the whole file.
        content
            Its bytes; empty if they are more than the feed allows.
        control
            The bytes of the control file beside it, if there is one.
        """
        sheet, reason, drift = None, None, []
        try:
            sheet = self._read(name, day, size, sha256, content, control)
            drift = sheet.drift
        except FeedError as error:
            reason = str(error)
            drift = error.drift if isinstance(error, HeaderError) else []
            self._refuse(name, None, sha256, None, (reason,))
        else:
            self._known[sha256] = name
            self._add(name, sha256, sheet)
        file = LandedFile(
            name=name,
            sha256=sha256,
            bytes=size,
            producer=self._feed.producer,
            arrived_at=arrival(day),
            rows=len(sheet.rows) + len(sheet.bad_lines) if sheet else 0,
            accepted=0,
            verdict="quarantined" if reason else "accepted",
            reason=reason,
            control_sha256=hashlib.sha256(control).hexdigest() if control is not None else None,
            drift=tuple(drift),
        )
        self.files.append(file)
        return file

    def _read(
        self, name: str, day: date, size: int, sha256: str, content: bytes, control: bytes | None
    ) -> Sheet:
        feed = self._feed
        if promised_day(feed, day) not in self._expected:
            raise FeedError("the spec expects no file for this day")
        if sha256 in self._known:
            raise FeedError(f"it has the same bytes as {self._known[sha256]}")
        said = ControlFile.parse(control) if control is not None else None
        if said is not None:
            said.refuse_other_bytes(size, sha256)
        elif feed.control_file == "required":
            raise FeedError(f"its control file {name}{ENDING} is missing")
        if size > feed.max_file_mb * MB:
            raise FeedError(too_large(feed.max_file_mb * MB))
        sheet = read_sheet(name, content, feed.columns, feed.max_file_mb * MB)
        if said is not None:
            said.refuse_other_rows(len(sheet.rows) + len(sheet.bad_lines))
        return sheet

    def _add(self, name: str, sha256: str, sheet: Sheet) -> None:
        corrected = self._corrections.get(sha256, {})
        lines = dict(zip(sheet.numbers, sheet.rows, strict=True))
        for row, values in corrected.items():
            lines[row] = [values.get(column) or "" for column in sheet.header]
        count = len(lines)
        fields = zip(*lines.values(), strict=True) if count else [()] * len(sheet.header)
        by_name = dict(zip(sheet.header, fields, strict=True))
        texts = [by_name[column] for column in self._feed.columns]
        is_corrected = [row in corrected for row in lines]
        origin = [[name] * count, list(lines), [sha256] * count, is_corrected]
        self._sheets.append(pa.table([*origin, *texts], schema=self._schema))
        for line in sheet.bad_lines:
            if line.number not in corrected:
                self._refuse(name, line.number, sha256, json.dumps(line.text), line.reasons)

    def _refuse(
        self, name: str, row: int | None, sha256: str, raw: str | None, reasons: tuple[str, ...]
    ) -> None:
        self._refused.append(
            {
                "_file": name,
                "_row": row,
                "_sha256": sha256,
                "_is_corrected": False,
                "raw": raw,
                "reasons": reasons,
            }
        )
