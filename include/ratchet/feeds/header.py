"""What a file's header says beside what the contract says, column by column."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from difflib import get_close_matches

from ratchet.errors import FeedError
from ratchet.spec.types import Column

# NUL, and what the decoder leaves of a byte that is not UTF-8.
UNREADABLE = re.compile("[\0\udc80-\udcff]")
_OTHER_DELIMITERS = ";\t|"
_SHOWN = 80  # characters of a broken header: enough to see what it is


class HeaderError(FeedError):
    """A header that does not fit; `drift` says what became of which column."""

    def __init__(self, message: str, drift: list[str]) -> None:
        super().__init__(message)
        self.drift = drift


def read_header(line: str, columns: Mapping[str, Column]) -> tuple[list[str], list[str]]:
    """Read the first line of a file.

    Parameters
    ----------
    line
        As it stands there.
    columns
        The contract's columns, in its order. A header may have them in any order, and call them
        by an alias.

    Returns
    -------
    names, drift
        The column that each field holds, and what differs from the contract, for the manifest:
        `renamed: old to new` or `reordered: the columns as they come`.

    Raises
    ------
    FeedError
        If the line is no header.
    HeaderError
        If a column is missing, unknown, looks renamed, or is named twice: each by name, with a
        remedy.
    """
    try:
        header = next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise FeedError(f"its header is not CSV: {error}") from error
    if not header:
        raise FeedError("its first line, the header, is empty")
    if UNREADABLE.search(line):
        text = printable(line.strip())
        raise FeedError(f"its header is not UTF-8: {text[:_SHOWN]!r}; save the file as UTF-8")
    if len(header) == 1 and (other := [mark for mark in _OTHER_DELIMITERS if mark in line]):
        raise FeedError(f"its fields are parted by {other[0]!r}; part them by commas")
    aliases = {alias: name for name, column in columns.items() for alias in column.aliases}
    names = [aliases.get(name, name) for name in header]
    drift = [
        f"renamed: {old} to {new}" for old, new in zip(header, names, strict=True) if old != new
    ]
    unknown = [name for name in names if name not in columns]
    missing = [name for name in columns if name not in names]
    if unknown or missing:
        renamed = _looks_renamed(names, list(columns), unknown, missing)
        _refuse(unknown, missing, renamed, drift)
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise HeaderError(f"its header names a column twice: {', '.join(twice)}", drift)
    if names != list(columns):
        drift.append(f"reordered: {', '.join(names)}")
    return names, drift


def printable(text: str) -> str:
    """Show bytes that are not UTF-8 as escapes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _looks_renamed(
    names: list[str], columns: list[str], unknown: list[str], missing: list[str]
) -> dict[str, str]:
    """Pair unknown names with missing columns that they resemble, or in whose place they stand."""
    renamed: dict[str, str] = {}
    for name in unknown:
        place = names.index(name)
        left = [column for column in missing if column not in renamed.values()]
        near = get_close_matches(name, left, n=1)
        if not near and len(names) == len(columns) and columns[place] in left:
            near = [columns[place]]
        if near:
            renamed[name] = near[0]
    return renamed


def _refuse(
    unknown: list[str],
    missing: list[str],
    renamed: dict[str, str],
    drift: list[str],
) -> None:
    """Raise an error that names each column that is missing, unknown, or looks renamed."""
    lacking = [name for name in missing if name not in renamed.values()]
    added = [name for name in unknown if name not in renamed]
    faults = []
    if lacking:
        faults.append(f"its header lacks {', '.join(lacking)}")
        drift = [*drift, f"missing: {', '.join(lacking)}"]
    if added:
        names = ", ".join(added)
        faults.append(f"the spec does not know {names}; add it to the feed's columns")
        drift = [*drift, f"added: {names}"]
    for new, old in renamed.items():
        faults.append(
            f"{old} looks renamed to {new}; if it means the same in the same unit, add "
            "that to the column's aliases, else to the feed's columns"
        )
        drift = [*drift, f"looks renamed: {old} to {new}"]
    raise HeaderError("; ".join(faults), drift)
