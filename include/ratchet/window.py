"""The data interval of a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_FORMAT = "%Y-%m-%dT%H%M"


@dataclass(frozen=True, order=True)
class Window:
    """A half-open interval of time, [start, end), in UTC.

    Parameters
    ----------
    start, end
        Aware datetimes of whole minutes; `end` is later than `start`.

    Raises
    ------
    ValueError
        If a bound is naive or finer than a minute, or the interval is empty.

    Examples
    --------
    >>> week = Window.parse("2013-03-01T0000--2013-03-08T0000")
    >>> week.days
    7.0
    >>> week.key
    '2013-03-01T0000--2013-03-08T0000'
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            bound = getattr(self, name)
            if bound.tzinfo is None:
                raise ValueError(f"window {name} {bound} has no time zone")
            if bound.second or bound.microsecond:
                raise ValueError(f"window {name} {bound} is finer than a minute")
            object.__setattr__(self, name, bound.astimezone(UTC))
        if self.end <= self.start:
            raise ValueError(f"window is empty: [{self.start}, {self.end})")

    @classmethod
    def parse(cls, key: str) -> Window:
        """Read a window from its `key`; raise ValueError if it is not one."""
        start, separator, end = key.partition("--")
        if not separator:
            raise ValueError(f"{key!r} is not a window key like 2013-03-01T0000--2013-03-08T0000")
        return cls(*(datetime.strptime(text, _FORMAT).replace(tzinfo=UTC) for text in (start, end)))

    @property
    def key(self) -> str:
        """The window as text: sorts by time, and is safe as a file name and partition key."""
        return f"{self.start:{_FORMAT}}--{self.end:{_FORMAT}}"

    @property
    def days(self) -> float:
        """Length in days."""
        return (self.end - self.start) / timedelta(days=1)

    def __str__(self) -> str:
        """Show the window as people write it: 2013-03-01 → 2013-03-08 when it is whole days."""
        whole_days = not any((b.hour or b.minute) for b in (self.start, self.end))
        form = "%Y-%m-%d" if whole_days else "%Y-%m-%d %H:%M"
        return f"{self.start:{form}} → {self.end:{form}}"
