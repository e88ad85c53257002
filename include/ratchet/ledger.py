"""The append-only list of all decisions of one use case.

One object per entry, named by its number, created only if no other writer took that number first.
Each entry carries the hash of the one before it, so that no entry can be changed or removed without
all later ones. Against removing the newest too, hashes of entries are kept elsewhere, as anchors.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from ratchet.decision import Decision, Kind
from ratchet.errors import LedgerError, OvertakenError, StorageError
from ratchet.settings import LedgerPlace
from ratchet.storage import open_store, write_new

_START = "0" * 64
_INDEX = ".index"
_SHORTEST_ID = 4  # as git has it


class Entry(BaseModel):
    """A decision as it stands in the ledger. `sha256` is its id, and covers everything else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    previous: str
    recorded_at: datetime
    decision: Decision
    evidence_sha256: str | None = None
    sha256: str


@dataclass(frozen=True)
class Anchor:
    """What somebody outside of the ledger remembers of it: an entry's number and hash.

    `where` says in words who remembers it.
    """

    number: int
    sha256: str
    where: str = "you"

    def __str__(self) -> str:
        return f"{self.number}:{self.sha256}"

    @classmethod
    def parse(cls, text: str, where: str = "you") -> Anchor:
        """Read what `str` wrote; raise LedgerError if it is none."""
        number, _, sha256 = text.partition(":")
        if not number.isdecimal() or not int(number) or len(sha256) != len(_START):
            raise LedgerError(
                f"{text!r} is no anchor: write <number>:<sha256>, as verify prints it"
            )
        return cls(int(number), sha256, where)


class _Seen(NamedTuple):
    """What the index keeps of an entry that was read and found to follow the one before.

    `file_sha256` is the hash of its file: as long as that holds, the entry is what it was.
    """

    number: int
    sha256: str
    file_sha256: str
    key: str

    @classmethod
    def of(cls, entry: Entry, content: bytes) -> _Seen:
        return cls(entry.number, entry.sha256, _sha256(content), entry.decision.key)

    @property
    def kind(self) -> str:
        return self.key.partition("/")[0]

    @property
    def window(self) -> str:
        return self.key.partition("/")[2].rpartition("/")[0]

    @property
    def line(self) -> str:
        return f"{self.number} {self.sha256} {self.file_sha256} {self.key}\n"


class Ledger:
    """The decisions of one use case, in the order in which they were recorded.

    This machine keeps an index of the entries it has read: recording costs the same however many
    there are, and a reader notices when an entry is no longer what it was. Without the index all
    entries are read again. If the entries lie elsewhere, copies of them are kept beside it.

    Parameters
    ----------
    place
        Where the entries lie; made when the first one is written.
    """

    def __init__(self, place: Path | LedgerPlace) -> None:
        place = place if isinstance(place, LedgerPlace) else LedgerPlace(place)
        self._folder = place.folder
        self._store = open_store(place.origin or place.folder)
        self._is_copied = place.origin is not None

    def entries(self, kind: Kind | None = None, window: str | None = None) -> Iterator[Entry]:
        """Read all entries, or those of one kind, of one window, or of both, in order.

        Raises
        ------
        LedgerError
            If an entry is missing, unreadable, changed, or does not follow the one before it.
        """
        for seen in self._catch_up():
            if kind in (None, seen.kind) and window in (None, seen.window):
                yield self._read(seen)

    def decisions(self, kind: Kind | None = None, window: str | None = None) -> list[Decision]:
        """Return the decisions of `entries`; raises as it does."""
        return [entry.decision for entry in self.entries(kind, window)]

    def windows(self, kind: Kind) -> list[str]:
        """Return the keys of the windows of one kind of decisions, in order; reads none again."""
        return [seen.window for seen in self._catch_up() if seen.kind == kind]

    def record(self, decision: Decision) -> Decision:
        """Append a decision, once; return what stands in the ledger for its key.

        A task that was killed after it recorded and runs again gets its first decision back.

        Raises
        ------
        LedgerError
            If another verdict already stands for the same key, or the chain is broken.
        StorageError
            If the store can't be reached, or lets one writer overwrite another.
        """
        return self.append(decision).decision

    def append(self, decision: Decision, after: int | None = None) -> Entry:
        """Record a decision, as `record` does; return its entry.

        Parameters
        ----------
        after
            Number of the entry that must still be the newest; by default any may be.

        Raises
        ------
        OvertakenError
            If another one is.
        """
        key = decision.key
        while True:
            index = self._catch_up()
            standing = next((seen for seen in index if seen.key == key), None)
            if standing is not None:
                entry = self._read(standing)
                if entry.decision.verdict != decision.verdict:
                    raise LedgerError(
                        f"{decision.use_case} {key}: the ledger says "
                        f"{entry.decision.verdict!r}, and it can't be changed to "
                        f"{decision.verdict!r}"
                    )
                return entry
            if after not in (None, len(index)):
                raise OvertakenError(
                    f"{decision.use_case} {key}: entry {after} of the ledger is no longer the "
                    "newest; decide again"
                )
            entry = Entry(
                number=len(index) + 1,
                previous=index[-1].sha256 if index else _START,
                recorded_at=datetime.now(UTC),
                decision=decision,
                evidence_sha256=decision.evidence_sha256,
                sha256="",
            )
            content = entry.model_dump(mode="json")
            content["sha256"] = _digest(content)
            written = _written(content)
            if self._store.create(_name(entry.number), written):
                if not index and self._store.create(_name(entry.number), written):
                    raise StorageError(
                        f"{self._store} overwrites what is there: a ledger needs a server that "
                        "knows If-None-Match"
                    )
                entry = entry.model_copy(update={"sha256": content["sha256"]})
                self._remember([(entry, written)])
                return entry

    def find(self, prefix: str) -> Entry:
        """Return the entry whose id begins so.

        Raises
        ------
        LedgerError
            If there is none or more than one, or it has fewer than four digits.
        """
        if len(prefix) < _SHORTEST_ID:
            raise LedgerError(
                f"{prefix!r} is too short for an id: give {_SHORTEST_ID} digits of it"
            )
        found = [seen for seen in self._catch_up() if seen.sha256.startswith(prefix.lower())]
        if not found:
            raise LedgerError(f"no decision's id begins with {prefix!r}: see ratchet ledger show")
        if len(found) > 1:
            ids = ", ".join(seen.sha256[: len(prefix) + _SHORTEST_ID] for seen in found)
            raise LedgerError(f"{prefix!r} is the beginning of {len(found)} ids: {ids}")
        return self._read(found[0])

    def head(self) -> Anchor | None:
        """Return what to remember of the ledger: its newest entry; None if there is none."""
        index = self._catch_up()
        return Anchor(index[-1].number, index[-1].sha256) if index else None

    def verify(self, anchors: Iterable[Anchor] = ()) -> list[str]:
        """Read everything again, and say what is not as it was.

        Parameters
        ----------
        anchors
            What others remember of it; what this machine has read before counts as well.

        Returns
        -------
        list of str
            One sentence for each fault, which begins with the entry's name; empty without any.
        """
        index = self._read_index()
        remembered = [Anchor(seen.number, seen.sha256, "this machine") for seen in index]
        remembered += anchors
        names = self._store.names()
        faults = [f"{name} is no entry: it was added" for name in names if not _number(name)]
        keys: dict[str, str] = {}
        use_case: str | None = None
        previous: str | None = _START
        last = max([0, *map(_number, names), *(anchor.number for anchor in remembered)])
        for number in range(1, last + 1):
            name = _name(number)
            if name not in names:
                faults.append(f"{name} was removed")
                previous = None
                continue
            content = self._store.read(name)
            try:
                entry = _parse(name, content)
            except LedgerError as error:
                faults.append(str(error))
                previous = None
                continue
            others = [
                a.where for a in remembered if a.number == number and a.sha256 != entry.sha256
            ]
            if others:
                faults.append(f"{name} was replaced: {_joined(others)} had another one")
            if previous not in (None, entry.previous):
                faults.append(f"{name} does not follow {_name(number - 1)}: one was replaced")
            previous = entry.sha256
            use_case = use_case or entry.decision.use_case
            if entry.decision.use_case != use_case:
                faults.append(f"{name} is of {entry.decision.use_case}, the first of {use_case}")
            first = keys.setdefault(entry.decision.key, name)
            if first != name:
                faults.append(f"{name} decides again what {first} has decided: it was added")
            faults += self._other_faults(name, content, entry.decision)
        return faults

    def _other_faults(self, name: str, content: bytes, decision: Decision) -> Iterator[str]:
        """Yield what else is wrong with an entry: its form, the files that it names, its copy."""
        if _written(json.loads(content)) != content:
            yield f"{name} was changed in its form: other programs may read it in another way"
        for path, sha256 in decision.files.items():
            file = self._folder.parent / path
            if not file.is_file():
                yield f"{name}: its evidence {path} is gone"
            elif _sha256(file.read_bytes()) != sha256:
                yield f"{name}: its evidence {path} is not what it was"
        copy = self._folder / name
        if copy.exists() and copy.read_bytes() != content:
            yield f"{name}: its copy {copy} was changed; remove it to have it made again"

    def _catch_up(self) -> list[_Seen]:
        """Return the index, with what others have written since."""
        index = self._read_index()
        head = index[-1] if index else _Seen(0, _START, "", "")
        names = self._store.names(_name(head.number - 1) if index else "")
        for name in names:
            if not _number(name):
                raise LedgerError(f"{self._folder / name} is not a ledger entry; {_REMEDY}")
        if index and _name(head.number) not in names:
            raise self._missing(head.number)
        added = []
        for number, name in enumerate(names[len(index[-1:]) :], start=head.number + 1):
            if name != _name(number):
                raise self._missing(number)
            content = self._store.read(name)
            entry = _parse(str(self._folder / name), content)
            if entry.previous != head.sha256:
                raise LedgerError(f"{self._folder / name} follows another entry; {_REMEDY}")
            head = _Seen.of(entry, content)
            added.append((entry, content))
        return index + self._remember(added)

    def _missing(self, number: int) -> LedgerError:
        return LedgerError(f"{self._folder}: entry {number} is missing; {_REMEDY}")

    def _remember(self, entries: list[tuple[Entry, bytes]]) -> list[_Seen]:
        """Add entries to the index, and to the copies if the ledger lies elsewhere."""
        seen = [_Seen.of(entry, content) for entry, content in entries]
        if self._is_copied:
            for entry, content in entries:
                write_new(self._folder / _name(entry.number), content)
        if seen:
            with (self._folder / _INDEX).open("ab") as index:
                index.write("".join(one.line for one in seen).encode())
        return seen

    def _read_index(self) -> list[_Seen]:
        """Return what this machine has read before; nothing if the index is not whole."""
        try:
            text = (self._folder / _INDEX).read_text()
        except FileNotFoundError:
            return []
        except ValueError:
            text = ""
        # two processes may have added the same entries
        found: dict[int, _Seen] = {}
        try:
            for line in text.removesuffix("\n").split("\n"):
                number, sha256, file_sha256, key = line.split(" ", 3)
                seen = _Seen(int(number), sha256, file_sha256, key)
                if found.setdefault(seen.number, seen) != seen:
                    raise LedgerError(f"{self._folder}: entry {number} was replaced; {_REMEDY}")
        except ValueError:
            found = {}
        whole = found and text.endswith("\n")
        if not whole or list(found) != list(range(1, len(found) + 1)):
            # a writer was killed on a full disk, say; it is made again from the entries
            (self._folder / _INDEX).unlink(missing_ok=True)
            return []
        return list(found.values())

    def _read(self, seen: _Seen) -> Entry:
        path = self._folder / _name(seen.number)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            if not self._is_copied:
                raise self._missing(seen.number) from None
            content = self._store.read(path.name)
            write_new(path, content)
        if _sha256(content) == seen.file_sha256:
            return Entry.model_validate_json(content)
        entry = _parse(str(path), content)
        if entry.sha256 != seen.sha256:
            raise LedgerError(f"{path} was changed after it was written; {_REMEDY}")
        return entry


_REMEDY = "`ratchet ledger verify` says what else is; restore it from a backup"


def _name(number: int) -> str:
    return f"{number:08d}.json"


def _number(name: str) -> int:
    """Return the number of the entry of a name, 0 if it is none."""
    return int(name[:8]) if re.fullmatch(r"\d{8}\.json", name) else 0


def _joined(names: list[str]) -> str:
    return " and ".join(dict.fromkeys(names))


def _parse(name: str, content: bytes) -> Entry:
    """Read an entry, and refuse it if it does not say what was written."""
    try:
        stored = json.loads(content)
        entry = Entry.model_validate(stored)
    except ValueError as error:
        raise LedgerError(f"{name} is not a ledger entry, or not a whole one: {error}") from error
    if entry.sha256 != _digest(stored):
        raise LedgerError(f"{name} was changed after it was written")
    if Path(name).name != _name(entry.number):
        raise LedgerError(f"{name} was written as {_name(entry.number)}: it was moved")
    return entry


def _written(stored: dict[str, object]) -> bytes:
    return json.dumps(stored, indent=1).encode()


def _digest(stored: dict[str, object]) -> str:
    """Hash an entry as it is stored, so that it holds when its types gain fields."""
    hashed = {name: value for name, value in stored.items() if name != "sha256"}
    return _sha256(json.dumps(hashed, sort_keys=True).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
