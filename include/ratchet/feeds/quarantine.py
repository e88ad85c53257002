"""Quarantined rows as a CSV that people correct, and taking their corrections in."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ratchet.decision import Clause, Decision
from ratchet.errors import FeedError
from ratchet.feeds.corrections import (
    CorrectedRow,
    Correction,
    Values,
    corrected_values,
    read_corrections,
    write_correction,
)
from ratchet.feeds.landing import faults_of, land_feed
from ratchet.feeds.records import FeedLanding, Refusal, read_manifest, read_quarantine
from ratchet.ledger import Ledger
from ratchet.settings import Settings
from ratchet.spec.types import Spec
from ratchet.storage import write_atomic
from ratchet.window import Window

# What names a row in the CSV; a spec's columns never begin with an underscore.
_NAMING = ("_feed", "_window", "_file", "_sha256", "_row")
_LINE = "_line"  # what stood there, if it could not be read as a row
_REASONS = "_reasons"


@dataclass(frozen=True)
class Replay:
    """What became of one feed's window: how many rows were corrected now, and what is left.

    `faults` say why the window can't be used still, with a remedy each.
    """

    window: Window
    corrected: int
    landing: FeedLanding
    faults: list[str]


def export_quarantine(refusals: Iterable[Refusal], path: Path) -> tuple[int, int]:
    """Write quarantined rows to a CSV, one row each, to be corrected and replayed.

    Columns are what names the row, the values of all feeds that have any, what stood there if it
    could not be read, and the reasons. A whole file can't be corrected by its rows: it is left out.

    Returns
    -------
    rows, files
        How many rows were written, and how many whole files were left out.
    """
    found = list(refusals)
    rows = [refusal for refusal in found if refusal.row is not None]
    columns = dict.fromkeys(c for row in rows if isinstance(row.raw, dict) for c in row.raw)
    lines = [[*_NAMING, *columns, _LINE, _REASONS]]
    for row in rows:
        values = row.raw if isinstance(row.raw, dict) else {}
        line = row.raw if isinstance(row.raw, str) else ""
        naming = [row.feed, row.window, row.file, row.sha256, str(row.row)]
        texts = [values.get(column) or "" for column in columns]
        lines.append([*naming, *texts, line, "; ".join(row.reasons)])
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(lines)
    write_atomic(path, text.getvalue().encode())
    return len(rows), len(found) - len(rows)


def replay_quarantine(
    spec: Spec, path: Path, settings: Settings, author: str, reason: str
) -> list[Replay]:
    """Take in an exported CSV whose values were corrected, and land its windows again.

    What was corrected is kept beside the landed window and stands in the ledger; the raw file
    stays as it came. Safe to kill and to repeat: a row that has been corrected alike is left as
    it is, and a window that has is landed again to the same rows.

    Parameters
    ----------
    spec
        The use case.
    path
        The CSV; rows may be removed, and stay in quarantine as they are.
    settings
        Names the lake.
    author, reason
        Who corrected, and why: for the ledger.

    Returns
    -------
    list of Replay
        One for each feed's window in which a row was corrected, now or before.

    Raises
    ------
    FeedError
        If the CSV can't be read, names a row that is not in quarantine, or corrects nothing.
        Nothing is changed then.
    """
    if not reason.strip():
        raise FeedError("a correction needs a reason; say where the right values come from")
    groups: dict[tuple[str, Window], list[tuple[int, dict[str, str]]]] = defaultdict(list)
    for line, row in _read(path):
        groups[_place(spec, path, line, row)].append((line, row))
    corrections = [
        (feed, window, _correct(spec, path, rows, feed, window, settings, author, reason))
        for (feed, window), rows in groups.items()
    ]
    made = [(f, w, c) for f, w, c in corrections if c is not None]
    if not made:
        raise FeedError(f"{path.name} corrects nothing; change values in it, and replay it")
    return [_apply(spec, feed, window, settings, correction) for feed, window, correction in made]


def _read(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Read the CSV's rows with their lines."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            header = reader.fieldnames or []
            if lacking := [name for name in _NAMING if name not in header]:
                raise FeedError(f"{path} lacks the columns {lacking}; export it again")
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FeedError(f"{path} can't be read: {error}; export it again") from error
    for line, row in rows:
        if None in row or None in row.values():
            raise FeedError(f"{path.name} line {line} has not as many fields as the header")
    return rows


def _place(spec: Spec, path: Path, line: int, row: dict[str, str]) -> tuple[str, Window]:
    """Return the feed and window that a row of the CSV names."""
    try:
        window = Window.parse(row["_window"])
        int(row["_row"])
    except ValueError as error:
        raise FeedError(f"{path.name} line {line}: {error}; export it again") from error
    if row["_feed"] not in spec.feeds:
        raise FeedError(f"{path.name} line {line}: {spec.name} has no feed {row['_feed']!r}")
    return row["_feed"], window


def _correct(
    spec: Spec,
    path: Path,
    rows: list[tuple[int, dict[str, str]]],
    feed: str,
    window: Window,
    settings: Settings,
    author: str,
    reason: str,
) -> Correction | None:
    """Return what a CSV corrects in a feed's window, perhaps nothing new; None if nothing."""
    folder = settings.lake(spec.name).landing(feed, window)
    contract = read_manifest(folder).contract
    columns = (contract or spec.feeds[feed]).columns
    refusals = {
        (refusal.sha256, refusal.row): refusal
        for refusal in read_quarantine(spec, window, settings, feed)
    }
    standing = corrected_values(read_corrections(folder))
    corrected, repeated = [], 0
    for line, row in rows:
        sha256, number = row["_sha256"], int(row["_row"])
        new: Values = {name: _value(row.get(name, "")) for name in columns}
        if standing.get(sha256, {}).get(number) == new:
            repeated += 1
            continue
        refusal = refusals.get((sha256, number))
        if refusal is None or refusal.raw is None:
            raise FeedError(
                f"{path.name} line {line}: {row['_file']} line {number} of {feed} {window} is not "
                "in quarantine; export again"
            )
        if new == refusal.raw or (isinstance(refusal.raw, str) and not any(new.values())):
            continue
        corrected.append(
            CorrectedRow(file=refusal.file, sha256=sha256, row=number, old=refusal.raw, new=new)
        )
    if not corrected and not repeated:
        return None
    return Correction(
        feed=feed, window=window.key, author=author, reason=reason, rows=tuple(corrected)
    )


def _value(text: str) -> str | None:
    return None if text in ("", "NA") else text


def _apply(
    spec: Spec, feed: str, window: Window, settings: Settings, correction: Correction
) -> Replay:
    """Keep a correction, record it, and land its window again by the run that landed it."""
    lake = settings.lake(spec.name)
    folder = lake.landing(feed, window)
    if correction.rows:
        write_correction(folder, correction)
    for standing in read_corrections(folder):
        Ledger(lake.ledger).record(_decision(spec, standing))
    landing = land_feed(spec, feed, window, settings, read_manifest(folder).run_id)
    faults = faults_of(landing, spec.feeds[feed], settings.inbox / spec.name / feed)
    return Replay(window, len(correction.rows), landing, faults)


def _decision(spec: Spec, correction: Correction) -> Decision:
    count = len(correction.rows)
    text = f"{correction.author} corrected {count} quarantined rows of {correction.feed}: "
    clause = Clause(
        name="person_corrects",
        passed=True,
        observed=float(count),
        required="a person's reason",
        text=text + correction.reason,
    )
    return Decision(
        kind="correction",
        use_case=spec.name,
        window=correction.window,
        verdict="corrected",
        clauses=(clause,),
        subject={"feed": correction.feed, "correction": correction.sha256},
        evidence={"rows": [row.model_dump() for row in correction.rows]},
        author=correction.author,
    )
