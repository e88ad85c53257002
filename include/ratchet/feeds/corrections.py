"""What people correct in quarantined rows: kept beside the landed window, applied on landing.

A raw file is never changed. `corrections/0001.json` and those that follow hold what somebody said
that rows of it should have been; a later one takes the place of an earlier one for the same row.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ratchet.storage import write_new

Values = dict[str, str | None]


class CorrectedRow(BaseModel):
    """One row: `old` is what stood there, by column, or as text if the line could not be read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    sha256: str
    row: int
    old: Values | str
    new: Values


class Correction(BaseModel):
    """What one person corrected in one feed's window at once, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feed: str
    window: str
    author: str
    reason: str
    rows: tuple[CorrectedRow, ...]

    @property
    def sha256(self) -> str:
        """Hash of the content."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def read_corrections(folder: Path) -> list[Correction]:
    """Return the corrections of a landed window, in the order in which they were made."""
    paths = sorted((folder / "corrections").glob("*.json"))
    return [Correction.model_validate_json(path.read_bytes()) for path in paths]


def write_correction(folder: Path, correction: Correction) -> None:
    """Keep a correction beside a landed window, after those that are there."""
    content = correction.model_dump_json(indent=1).encode()
    number = 1
    while not write_new(folder / "corrections" / f"{number:04d}.json", content):
        number += 1


def corrected_values(corrections: list[Correction]) -> dict[str, dict[int, Values]]:
    """Return what rows should have been, by the file's sha256 and the row."""
    values: dict[str, dict[int, Values]] = defaultdict(dict)
    for correction in corrections:
        for row in correction.rows:
            values[row.sha256][row.row] = row.new
    return values
