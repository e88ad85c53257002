"""Reading CSV that may be broken: what can be read is kept, and every line is accounted for."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO

from ratchet.errors import FeedError
from ratchet.feeds.header import UNREADABLE, printable, read_header
from ratchet.spec.types import Column

MB = 1_000_000
# How a file begins that is no CSV. A header begins with the name of a column.
_NO_CSV = {
    b"\xff\xfe\0\0": "UTF-32; save it as UTF-8",
    b"\0\0\xfe\xff": "UTF-32; save it as UTF-8",
    b"\xff\xfe": "UTF-16; save it as UTF-8",
    b"\xfe\xff": "UTF-16; save it as UTF-8",
    b"PK\x03\x04": "a zip archive or an Excel workbook; name it .zip, or save it as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save it as CSV",
    b"\x1f\x8b": "packed with gzip; name it .csv.gz",
    b"PAR1": "Parquet; save it as CSV",
    b"%PDF": "a PDF; save the table in it as CSV",
    b"<": "HTML or XML, as an error page is; send the table itself",
    b"{": "JSON; save it as CSV",
    b"[": "JSON; save it as CSV",
}
_IS_ENCRYPTED = 1  # bit of a zip member's flags
# The methods that zipfile unpacks bit by bit; of the others, it unpacks all at once.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class BadLine:
    """A line that is not a row: its number from 1, its text, and all that is wrong with it."""

    number: int
    text: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """A file's rows as text.

    `header` names the fields of each row in `rows`; `numbers` holds the line on which each begins.
    `drift` says how the header differs from the contract.
    """

    header: list[str]
    drift: list[str] = field(default_factory=list)
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
                reasons = tuple(f"the line is not CSV: {fault}" for fault in error.args)
                text = printable(lines[at].rstrip("\r\n"))
                self.bad_lines.append(BadLine(at + 1, text, reasons))
                at += 1

    def _add(self, number: int, values: list[str], is_clean: bool) -> None:
        faults = []
        if len(values) != len(self.header):
            faults.append(f"{len(values)} fields where the header has {len(self.header)}")
        if not is_clean and any(map(UNREADABLE.search, values)):
            faults.append("it holds a NUL byte, or bytes that are not UTF-8")
        if faults:
            raise csv.Error(*faults)
        self.rows.append(values)
        self.numbers.append(number)


def read_sheet(name: str, content: bytes, columns: Mapping[str, Column], max_bytes: int) -> Sheet:
    """Read a file whose header names all of `columns`, in any order, and nothing else.

    Parameters
    ----------
    name
        The file's name; its ending says how it is packed.
    content
        The file's bytes.
    columns
        What the header must hold.
    max_bytes
        Of the unpacked file. No more is unpacked, whatever the file claims to hold.

    Raises
    ------
    FeedError
        If the file as a whole can't be read: it is empty, damaged, too large, not UTF-8, no CSV,
        or has another header. The message says what is wrong, and what to do.
    """
    if not content:
        raise FeedError("it is empty")
    text = _decode(_unpack(name, content, max_bytes))
    lines = io.StringIO(text, newline="").readlines()
    sheet = Sheet(*read_header(lines[0] if lines else "", columns))
    sheet.add_lines(lines, is_clean=UNREADABLE.search(text) is None)
    if not sheet.rows and not sheet.bad_lines:
        raise FeedError("it has a header and no rows")
    return sheet


def _unpack(name: str, content: bytes, max_bytes: int) -> bytes:
    try:
        if name.endswith(".gz"):
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
                return _read(packed, max_bytes)
        if name.endswith(".zip"):
            return _unzip(content, max_bytes)
    except FeedError:
        raise
    except Exception as error:  # a damaged header leads the unpackers to nearly any error
        raise FeedError(f"it is damaged or cut off, and can't be unpacked: {error}") from error
    return content


def _unzip(content: bytes, max_bytes: int) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".csv")]
        if len(members) != 1:
            raise FeedError(f"it must hold one .csv, and holds {len(members)}")
        if members[0].flag_bits & _IS_ENCRYPTED:
            raise FeedError("it is encrypted; send it without a password")
        if members[0].compress_type not in _METHODS:
            raise FeedError("it is packed by a rare method; pack it with deflate, as is usual")
        with archive.open(members[0]) as packed:
            return _read(packed, max_bytes)


def _read(packed: gzip.GzipFile | IO[bytes], max_bytes: int) -> bytes:
    content = packed.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise FeedError(too_large(max_bytes))
    return content


def too_large(max_bytes: int) -> str:
    """Say that a file, packed or not, is larger than its feed allows."""
    return (
        f"it holds more than {max_bytes / MB:g} MB; find out why, and raise the feed's max_file_mb "
        "if that is right"
    )


def _decode(content: bytes) -> str:
    for mark, kind in _NO_CSV.items():
        if content.startswith(mark):
            raise FeedError(f"it is {kind}")
    return content.decode("utf-8-sig", "surrogateescape")
