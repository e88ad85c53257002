"""What landing leaves behind, for those who read it.

The folder of a feed's window, `Lake.landing(feed, window)`, holds

`raw/`
    every file and control file as it came, named by its content, never changed.
`accepted.parquet`
    the rows that keep the feed's contract, typed, with `_file, _row, _sha256, _loaded_at, _run_id,
    _window, _is_corrected`. `_row` is the line of the file on which the row begins, from 1.
`quarantine.parquet`
    everything else: the same `_` columns, what stood there as JSON, and the reasons. A whole file
    that can't be read is one entry without `_row`.
`manifest.json`
    a `FeedLanding`.
`corrections/`
    what people corrected in quarantined rows: see `ratchet.feeds.corrections`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Literal

import duckdb
from pydantic import BaseModel, ConfigDict

from ratchet.errors import FeedError
from ratchet.feeds.control import ENDING
from ratchet.feeds.corrections import read_corrections
from ratchet.feeds.versions import Contract
from ratchet.settings import Lake, Settings
from ratchet.spec.types import Spec
from ratchet.window import Window

MANIFEST = "manifest.json"
ACCEPTED = "accepted.parquet"
QUARANTINE = "quarantine.parquet"


def arrival(day: date) -> datetime:
    """Return when the file of a day is whole: the midnight (UTC) that ends the day."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


class Record(BaseModel):
    """Base of what a manifest holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LandedFile(Record):
    """One file as it came: `rows` is `accepted + quarantined`, 0 if the whole file is refused.

    `arrived_at` is when its producer had it whole, by the stamp of its name. `control_sha256` names
    the control file that lay beside it, `drift` says how its header differs from the contract, and
    `corrected` is how many of its accepted rows are not as they came.
    """

    name: str
    sha256: str
    bytes: int
    producer: str
    arrived_at: datetime
    rows: int
    accepted: int
    verdict: Literal["accepted", "quarantined"]
    reason: str | None
    control_sha256: str | None = None
    drift: tuple[str, ...] = ()
    corrected: int = 0

    @property
    def quarantined(self) -> int:
        """Rows that broke the contract."""
        return self.rows - self.accepted

    @property
    def day(self) -> date:
        """The day that stamps the file's name."""
        return self.arrived_at.date() - timedelta(days=1)

    def raw(self, folder: Path) -> Path:
        """Where the bytes lie below the folder of the feed's window."""
        return folder / "raw" / f"{self.sha256[:16]}_{self.name}"

    def raw_control(self, folder: Path) -> Path:
        """Where the control file lies, if there is one."""
        return folder / "raw" / f"{(self.control_sha256 or 'no')[:16]}_{self.name}{ENDING}"


class FeedLanding(Record):
    """One feed's window, landed.

    `contract` is what its rows were checked against, `changes` how that differs from the contract
    of the window before. It `is_settled` once the window was without a fault: from then on, the
    window keeps its contract.
    """

    feed: str
    window: str
    run_id: str
    files: tuple[LandedFile, ...]
    contract: Contract | None = None
    changes: tuple[str, ...] = ()
    is_settled: bool = False

    @property
    def rows(self) -> int:
        """Landed rows: accepted and quarantined."""
        return sum(file.rows for file in self.files)

    @property
    def accepted(self) -> int:
        """Rows that keep the contract."""
        return sum(file.accepted for file in self.files)

    @property
    def corrected(self) -> int:
        """Accepted rows that are not as they came."""
        return sum(file.corrected for file in self.files)

    @property
    def quarantined(self) -> int:
        """Rows that break the contract, or can't be read."""
        return self.rows - self.accepted


class Refusal(Record):
    """A row, or a whole file if `row` is None, that was not accepted.

    `raw` is what stood there: values by column, or the line as text if it can't be read.
    """

    feed: str
    window: str
    file: str
    sha256: str
    row: int | None
    raw: dict[str, str | None] | str | None
    reasons: tuple[str, ...]


def read_landings(spec: Spec, window: Window, settings: Settings) -> list[FeedLanding]:
    """Return what was landed of each feed in a window.

    Raises
    ------
    FeedError
        If the window was not landed.
    """
    lake = settings.lake(spec.name)
    return [read_manifest(lake.landing(feed, window)) for feed in spec.feeds]


def read_manifest(folder: Path) -> FeedLanding:
    """Read the manifest of one feed's window; raise FeedError if there is none."""
    return FeedLanding.model_validate_json(_manifest(folder))


class _Files(BaseModel):
    """The files of a `FeedLanding`: all of history is asked for them, and contracts take longer."""

    files: tuple[LandedFile, ...]


def _manifest(folder: Path) -> bytes:
    try:
        return (folder / MANIFEST).read_bytes()
    except FileNotFoundError as error:
        raise FeedError(f"{folder} holds no landed window: land it first") from error


def earlier_landings(lake: Lake, feed: str, window: Window) -> Iterator[FeedLanding]:
    """Yield what was landed of a feed in windows that begin before `window`, oldest first."""
    folder = lake.landing(feed, window)
    for manifest in sorted(folder.parent.glob(f"*/{MANIFEST}")):
        if manifest.parent.name < folder.name:
            yield read_manifest(manifest.parent)


def landing_sha256(spec: Spec, window: Window, settings: Settings) -> str:
    """Return a hash over all files of a window, their verdicts, and corrections of their rows.

    That is what a data decision is on. The same files and corrections give the same hash, whichever
    run landed them.

    Raises
    ------
    FeedError
        If the window was not landed.
    """
    lake = settings.lake(spec.name)
    folders = {feed: lake.landing(feed, window) for feed in spec.feeds}
    files = [
        (feed, file.name, file.sha256, file.verdict, file.accepted)
        for feed, folder in folders.items()
        for file in _Files.model_validate_json(_manifest(folder)).files
    ]
    corrections = [
        correction.sha256 for folder in folders.values() for correction in read_corrections(folder)
    ]
    return hashlib.sha256(json.dumps([*files, *corrections]).encode()).hexdigest()


def read_quarantine(
    spec: Spec, window: Window | None, settings: Settings, feed: str | None = None
) -> list[Refusal]:
    """Return what was not accepted in a window, or in all of them, by feed, window, file and row.

    With `feed`, only of that one.

    Raises
    ------
    FeedError
        If nothing was landed.
    """
    lake = settings.lake(spec.name)
    refusals: list[Refusal] = []
    for name in [feed] if feed else spec.feeds:
        pattern = str(lake.root / "landing" / name / (window.key if window else "*") / QUARANTINE)
        try:
            rows = duckdb.execute(
                "select _window, _file, _row, _sha256, raw, reasons "
                "from read_parquet(?) order by all",
                [pattern],
            ).fetchall()
        except duckdb.IOException as error:
            raise FeedError(f"{pattern} does not exist: land the window first") from error
        for key, file, row, sha256, raw, reasons in rows:
            refusals.append(
                Refusal(
                    feed=name,
                    window=key,
                    file=file,
                    sha256=sha256,
                    row=row,
                    raw=raw and json.loads(raw),
                    reasons=reasons,
                )
            )
    return refusals
