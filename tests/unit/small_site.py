"""A use case with two small feeds, whose every row a test can name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ratchet.errors import FeedError
from ratchet.feeds import FeedLanding, Refusal, land, read_landings, read_quarantine
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window

FIRST = Window.parse("2013-03-01T0000--2013-03-04T0000")
SECOND = Window.parse("2013-03-04T0000--2013-03-06T0000")


@dataclass
class Site:
    """A use case with two small feeds, its inbox and its lake."""

    spec: Spec
    settings: Settings

    def send(self, name: str, content: bytes) -> Path:
        """Leave a file in the inbox of the feed that its name begins with."""
        path = self.settings.inbox / self.spec.name / name.split("_")[0] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def send_all(self) -> None:
        """Leave a sound file for every day of both windows."""
        self.send("gates_20130301.csv", b"gate,size\nA1,1\nA2,2\n")
        self.send("gates_20130302.csv", b"gate,size\nB1,1\nB2,2\nB3,3\n")
        self.send("gates_20130303.csv", b"gate,size\nC1,1\n")
        self.send("gates_20130304.csv", b"gate,size\nD1,1\n")
        self.send("gates_20130305.csv", b"gate,size\nE1,1\nE2,NA\n")
        self.send("halls_20130301.csv", b"hall,opened_at\nNorth,2013-03-01T08:00:00Z\n")

    def land(self, window: Window = FIRST, run_id: str = "run") -> dict[str, FeedLanding]:
        landings = land(self.spec, window, self.settings, run_id)
        return {landing.feed: landing for landing in landings}

    def land_blocked(self, window: Window = FIRST) -> str:
        """Land a window that can't be used; return what the error says."""
        with pytest.raises(FeedError) as raised:
            self.land(window)
        return str(raised.value)

    def landed(self, window: Window = FIRST) -> dict[str, FeedLanding]:
        landings = read_landings(self.spec, window, self.settings)
        return {landing.feed: landing for landing in landings}

    def refusals(self, window: Window | None = FIRST) -> list[Refusal]:
        return read_quarantine(self.spec, window, self.settings)

    def accepted(self, feed: str = "gates", window: Window | None = FIRST) -> list[tuple[Any, ...]]:
        """Return the accepted rows of a feed, of one window or of all."""
        pattern = self.settings.lake(self.spec.name).root / "landing" / feed
        pattern = pattern / (window.key if window else "*") / "accepted.parquet"
        return duckdb.sql(f"from read_parquet('{pattern}') order by all").fetchall()

    def gates(self, window: Window | None = FIRST) -> list[str]:
        return [row[0] for row in self.accepted("gates", window)]

    def written(self) -> dict[str, bytes]:
        """Return everything in the lake, by path, but what a killed writer left aside."""
        root = self.settings.lake(self.spec.name).root
        paths = [path for path in root.rglob("*") if path.is_file() and ".tmp-" not in str(path)]
        return {str(path.relative_to(root)): path.read_bytes() for path in paths}
