"""A producer's control file is believed: real files pass with theirs, and damaged ones do not."""

import hashlib
import json
from pathlib import Path

import pytest

from ratchet.errors import FeedError
from ratchet.feeds import FeedLanding, land, read_landings, read_quarantine
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window

DAY = Window.parse("2013-03-08T0000--2013-03-09T0000")
NAME = "weather_20130308.csv"


class Station:
    """The weather stations' inbox and lake, with one real file of 72 rows."""

    def __init__(self, spec: Spec, inbox: Path, home: Path) -> None:
        weather = spec.feeds["weather"].model_copy(update={"control_file": "required"})
        self.spec = spec.model_copy(update={"feeds": {"weather": weather}})
        self.settings = Settings(home, home)
        self.path = self.settings.inbox / "flights" / "weather" / NAME
        self.path.parent.mkdir(parents=True)
        self.content = (inbox / "flights" / "weather" / NAME).read_bytes()
        self.path.write_bytes(self.content)
        self.control = self.path.with_name(f"{NAME}.manifest.json")

    def say(self, **said: object) -> None:
        """Leave a control file that is right but for what is given."""
        right = {
            "sha256": hashlib.sha256(self.content).hexdigest(),
            "bytes": len(self.content),
            "rows": self.content.count(b"\n") - 1,
        }
        self.control.write_text(json.dumps(right | said))

    def land(self) -> FeedLanding:
        return land(self.spec, DAY, self.settings, "run")[0]

    def landed(self) -> FeedLanding:
        return read_landings(self.spec, DAY, self.settings)[0]


@pytest.fixture
def station(spec: Spec, flights_inbox: Path, tmp_path: Path) -> Station:
    return Station(spec, flights_inbox, tmp_path)


def test_land_file_as_its_control_file_says_is_accepted(station: Station) -> None:
    station.say(producer="more than is read")
    landing = station.land()
    assert landing.rows == landing.accepted == station.content.count(b"\n") - 1 > 0
    folder = station.settings.lake("flights").landing("weather", DAY)
    kept = landing.files[0].raw_control(folder)
    assert kept.read_bytes() == station.control.read_bytes()


def test_land_again_without_inbox_still_believes_the_control_file(station: Station) -> None:
    station.say()
    once = station.land()
    station.path.unlink()
    station.control.unlink()
    assert station.land() == once


@pytest.mark.parametrize(
    "said, reason",
    [
        (
            {"sha256": "0" * 64},
            r"its sha256 is [0-9a-f]{12}… where its control file says 000000000000…",
        ),
        ({"bytes": 5000}, r"it has \d+ bytes where its control file says 5000"),
        ({"rows": 73}, r"it has 72 rows where its control file says 73"),
        ({"rows": "many"}, "its control file can't be read: rows: .*; it must be JSON with sha256"),
    ],
)
def test_land_file_unlike_its_control_file_is_refused_with_both_values(
    station: Station, said: dict[str, object], reason: str
) -> None:
    station.say(**said)
    with pytest.raises(FeedError, match=f"{NAME}: {reason}.*; ask ASOS stations"):
        station.land()
    assert [file.verdict for file in station.landed().files] == ["quarantined"]
    [refusal] = read_quarantine(station.spec, DAY, station.settings)
    assert (refusal.file, refusal.row) == (NAME, None)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"bytes": 1}', b"\xff\xfe"])
def test_land_control_file_that_is_none_refuses_the_file(station: Station, content: bytes) -> None:
    station.control.write_bytes(content)
    with pytest.raises(FeedError, match="its control file can't be read"):
        station.land()


def test_land_file_cut_between_two_lines_is_found_by_its_control_file_alone(
    station: Station,
) -> None:
    station.say()
    half = station.content[: station.content.index(b"\n", len(station.content) // 2) + 1]
    station.path.write_bytes(half)
    with pytest.raises(FeedError, match=rf"it has {len(half)} bytes where its control file says"):
        station.land()


def test_land_missing_control_file_is_refused_only_where_required(station: Station) -> None:
    with pytest.raises(FeedError, match=f"its control file {NAME}.manifest.json is missing; ask"):
        station.land()
    weather = station.spec.feeds["weather"].model_copy(update={"control_file": "optional"})
    station.spec = station.spec.model_copy(update={"feeds": {"weather": weather}})
    assert station.land().quarantined == 0


def test_land_missing_file_does_not_call_its_control_file_misnamed(station: Station) -> None:
    station.say()
    station.path.unlink()
    with pytest.raises(FeedError, match=f"{NAME} is missing") as raised:
        station.land()
    assert "another name" not in str(raised.value)
