"""What of a feed is versioned, and which changes of it keep what was built on it working."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from ratchet.spec.types import Column, Feed

# What decides on a column's values; other fields explain it.
_COMPARED = {"type", "nullable", "min", "max", "values"}


class Contract(BaseModel):
    """What a feed's rows must hold, as it is kept with each landed window."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    key: tuple[str, ...]
    columns: dict[str, Column]

    @classmethod
    def of(cls, feed: Feed) -> Contract:
        """Return the contract that a spec declares."""
        return cls(version=feed.contract_version, key=feed.key, columns=feed.columns)

    @property
    def sha256(self) -> str:
        """Hash of the content."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def applied_to(self, feed: Feed) -> Feed:
        """Return the feed under this contract."""
        return feed.model_copy(
            update={
                "contract_version": self.version,
                "key": self.key,
                "columns": self.columns,
            }
        )


def changes(before: Contract, after: Contract) -> tuple[list[str], list[str]]:
    """Say what differs between two contracts.

    Returns
    -------
    compatible, incompatible
        A sentence for each change. A compatible one leaves every file and row that was accepted
        acceptable, and every reader what it reads: a new nullable column, a wider range, more
        codes, a description.
    """
    found = list(_changes(before, after))
    compatible = [text for is_compatible, text in found if is_compatible]
    return compatible, [text for is_compatible, text in found if not is_compatible]


def _changes(before: Contract, after: Contract) -> Iterator[tuple[bool, str]]:
    if set(before.key) != set(after.key):
        yield False, f"the key was {', '.join(before.key)} and is {', '.join(after.key)}"
    renamed = {
        alias: name
        for name, column in after.columns.items()
        for alias in column.aliases
        if name not in before.columns
    }
    for name, column in before.columns.items():
        if name in after.columns:
            yield from _column_changes(name, column, after.columns[name])
        elif name in renamed:
            yield False, f"{name} is renamed to {renamed[name]}"
        else:
            yield False, f"{name} is removed"
    for name, column in after.columns.items():
        if name not in before.columns and not before.columns.keys() & set(column.aliases):
            text = "may be missing" if column.nullable else "may not be missing"
            yield column.nullable, f"{name} is new, and {text}"


def _column_changes(name: str, before: Column, after: Column) -> Iterator[tuple[bool, str]]:
    if before.type != after.type:
        yield False, f"{name}: type was {before.type} and is {after.type}"
        return
    if before.nullable != after.nullable:
        yield after.nullable, f"{name}: may {'now' if after.nullable else 'no longer'} be missing"
    if before.min != after.min:
        is_wider = _or(after.min, -math.inf) < _or(before.min, -math.inf)
        yield is_wider, f"{name}: min was {_shown(before.min)} and is {_shown(after.min)}"
    if before.max != after.max:
        is_wider = _or(after.max, math.inf) > _or(before.max, math.inf)
        yield is_wider, f"{name}: max was {_shown(before.max)} and is {_shown(after.max)}"
    yield from _code_changes(name, before.values, after.values)
    for field in sorted(Column.model_fields.keys() - _COMPARED):
        if getattr(before, field) != getattr(after, field):
            yield True, f"{name}: {field} is another"


def _code_changes(
    name: str, before: tuple[str, ...] | None, after: tuple[str, ...] | None
) -> Iterator[tuple[bool, str]]:
    if before is not None and after is None:
        yield True, f"{name}: may be any text"
    elif before is None and after is not None:
        yield False, f"{name}: may only be {', '.join(after)}"
    else:
        old, new = set(before or ()), set(after or ())
        if added := sorted(new - old):
            yield True, f"{name}: may be {', '.join(added)} too"
        if removed := sorted(old - new):
            yield False, f"{name}: may no longer be {', '.join(removed)}"


def _or(limit: float | None, otherwise: float) -> float:
    return otherwise if limit is None else limit


def _shown(limit: float | None) -> str:
    return "none" if limit is None else f"{limit:.15g}"
