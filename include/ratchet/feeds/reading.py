"""Reading CSV that may be broken: what can be read is kept, and every line is accounted for."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
from collections.abc import Collection
from dataclasses import dataclass, field

from ratchet.errors import FeedError

# NUL, and what the decoder leaves of a byte that is not UTF-8.
_UNREADABLE = re.compile("[\0\udc80-\udcff]")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class BadLine:
    """A line that is not a row: its number from 1, its text, and why."""

    number: int
    text: str
    reason: str


@dataclass(frozen=True)
class Sheet:
    """A file's rows as text.

    `header` names the fields of each row in `rows`; `numbers` holds the line on which each begins.
    """

    header: list[str]
    rows: list[list[str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    bad_lines: list[BadLine] = field(default_factory=list)

    def add_lines(self, lines: list[str], *, is_clean: bool) -> None:
        """Read all lines after the header; `is_clean` says that each character may stand there.

        A record that can't be read costs its first line only: an open quote would otherwise
        swallow all that follows. Empty lines are not rows.
        """
        at = 1
        while at < len(lines):
            begin = at
            reader = csv.reader(map(lines.__getitem__, range(begin, len(lines))), strict=True)
            try:
                for values in reader:
                    if values:
                        self._add(at + 1, values, is_clean)
                    at = begin + reader.line_num
            except csv.Error as error:
                text = _printable(lines[at].rstrip("\r\n"))
                self.bad_lines.append(BadLine(at + 1, text, f"the line is not CSV: {error}"))
                at += 1

    def _add(self, number: int, values: list[str], is_clean: bool) -> None:
        if len(values) != len(self.header):
            raise csv.Error(f"{len(values)} fields where the header has {len(self.header)}")
        if not is_clean and any(map(_UNREADABLE.search, values)):
            raise csv.Error("it holds a NUL byte, or bytes that are not UTF-8")
        self.rows.append(values)
        self.numbers.append(number)


def read_sheet(name: str, content: bytes, columns: Collection[str]) -> Sheet:
    """Read a file whose header names all of `columns`, in any order, and nothing else.

    Parameters
    ----------
    name
        The file's name; its ending says how it is packed.
    content
        The file's bytes.
    columns
        The names that the header must hold.

    Raises
    ------
    FeedError
        If the file as a whole can't be read: it is empty, damaged, not UTF-8, or has another
        header. The message says what is wrong, and what to do.
    """
    if not content:
        raise FeedError("it is empty")
    text = _decode(_unpack(name, content))
    lines = io.StringIO(text, newline="").readlines()
    sheet = Sheet(_read_header(lines, columns))
    sheet.add_lines(lines, is_clean=_UNREADABLE.search(text) is None)
    if not sheet.rows and not sheet.bad_lines:
        raise FeedError("it has a header and no rows")
    return sheet


def _unpack(name: str, content: bytes) -> bytes:
    try:
        if name.endswith(".gz"):
            return gzip.decompress(content)
        if name.endswith(".zip"):
            return _unzip(content)
    except FeedError:
        raise
    except Exception as error:  # a damaged header leads the unpackers to nearly any error
        raise FeedError(f"it is damaged or cut off, and can't be unpacked: {error}") from error
    return content


def _unzip(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [name for name in archive.namelist() if name.endswith(".csv")]
        if len(members) != 1:
            raise FeedError(f"it must hold one .csv, and holds {len(members)}")
        return archive.read(members[0])


def _decode(content: bytes) -> str:
    if content.startswith(_UTF16_MARKS):
        raise FeedError("it is UTF-16; save it as UTF-8")
    return content.decode("utf-8-sig", "surrogateescape")


def _read_header(lines: list[str], columns: Collection[str]) -> list[str]:
    try:
        header = next(csv.reader(lines[:1], strict=True), [])
    except csv.Error as error:
        raise FeedError(f"its header is not CSV: {error}") from error
    if not header:
        raise FeedError("its first line, the header, is empty")
    faults = []
    if missing := [column for column in columns if column not in header]:
        faults.append(f"its header lacks {', '.join(missing)}")
    if unknown := [_printable(column) for column in header if column not in columns]:
        faults.append(f"the spec does not know {', '.join(unknown)}; add it to the feed's columns")
    if len(set(header)) < len(header):
        faults.append("its header names a column twice")
    if faults:
        raise FeedError("; ".join(faults))
    return header


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
