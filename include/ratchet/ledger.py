"""The append-only list of all decisions of one use case.

One file per entry, named by its number, created only if no other writer took that number first.
Each entry carries the hash of the one before it, so a changed or removed entry is noticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ratchet.decision import Decision, Kind
from ratchet.errors import LedgerError
from ratchet.storage import write_new

_START = "0" * 64


class Entry(BaseModel):
    """A decision as it stands in the ledger."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    previous: str
    recorded_at: datetime
    decision: Decision
    sha256: str


class Ledger:
    """The decisions of one use case, in the order in which they were recorded.

    Parameters
    ----------
    folder
        Where the entries lie; made when the first one is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def entries(self) -> Iterator[Entry]:
        """Read all entries in order, checking the chain.

        Raises
        ------
        LedgerError
            If an entry is missing, unreadable, changed, or does not follow the one before it.
        """
        previous = _START
        for number, path in enumerate(sorted(self._folder.glob("*.json")), start=1):
            try:
                content = json.loads(path.read_bytes())
                entry = Entry.model_validate(content)
            except ValueError as error:
                raise LedgerError(f"{path} is not a ledger entry: {error}") from error
            if (entry.number, path.stem) != (number, f"{number:08d}"):
                raise LedgerError(f"{path}: entry {number} is missing from the ledger")
            if entry.sha256 != _digest(content) or entry.previous != previous:
                raise LedgerError(f"{path} was changed after it was written, or follows another")
            previous = entry.sha256
            yield entry

    def decisions(self, kind: Kind | None = None) -> list[Decision]:
        """Return all decisions, or those of one kind, in order."""
        found = (entry.decision for entry in self.entries())
        return [decision for decision in found if kind in (None, decision.kind)]

    def record(self, decision: Decision) -> Decision:
        """Append a decision, once; return what stands in the ledger for its key.

        A task that was killed after it recorded and runs again gets its first decision back.

        Raises
        ------
        LedgerError
            If another verdict already stands for the same key, or the chain is broken.
        """
        while True:
            entries = list(self.entries())
            standing = next((e.decision for e in entries if e.decision.key == decision.key), None)
            if standing is not None:
                if standing.verdict != decision.verdict:
                    raise LedgerError(
                        f"{decision.use_case} {decision.key}: the ledger says "
                        f"{standing.verdict!r}, and it can't be changed to {decision.verdict!r}"
                    )
                return standing
            entry = Entry(
                number=len(entries) + 1,
                previous=entries[-1].sha256 if entries else _START,
                recorded_at=datetime.now(UTC),
                decision=decision,
                sha256="",
            )
            content = entry.model_dump(mode="json")
            content["sha256"] = _digest(content)
            path = self._folder / f"{entry.number:08d}.json"
            if write_new(path, json.dumps(content, indent=1).encode()):
                return decision


def _digest(content: dict[str, object]) -> str:
    """Hash an entry as it is stored, so that it holds when its types gain fields."""
    hashed = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()
