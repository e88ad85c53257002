"""The flagship's own files: nothing is lost, and its known defect is caught."""

from pathlib import Path

import duckdb
import pandas as pd
import pytest

from ratchet.feeds import land, read_quarantine
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window

WEEK = Window.parse("2013-03-08T0000--2013-03-15T0000")
FEBRUARY = Window.parse("2013-02-08T0000--2013-02-15T0000")


@pytest.fixture
def settings(flights_inbox: Path, tmp_path: Path) -> Settings:
    (tmp_path / "inbox").symlink_to(flights_inbox)
    return Settings(tmp_path, tmp_path)


def test_land_week_accounts_for_every_line(
    spec: Spec, settings: Settings, flights_inbox: Path
) -> None:
    landings = {landing.feed: landing for landing in land(spec, WEEK, settings, "run")}
    days = [f"201303{day:02}" for day in range(8, 15)]
    for feed in ("schedules", "movements", "weather"):
        folder = flights_inbox / "flights" / feed
        texts = [(folder / f"{feed}_{day}.csv").read_text() for day in days]
        sent = sum(text.count("\n") - 1 for text in texts)
        lake = settings.lake("flights").landing(feed, WEEK)
        accepted = len(duckdb.sql(f"from read_parquet('{lake}/accepted.parquet')"))
        refused = len(duckdb.sql(f"from read_parquet('{lake}/quarantine.parquet')"))
        assert accepted + refused == sent > 0
        assert (landings[feed].accepted, landings[feed].quarantined) == (accepted, refused)


def test_land_week_keeps_every_value(spec: Spec, settings: Settings, flights_inbox: Path) -> None:
    land(spec, WEEK, settings, "run")
    lake = settings.lake("flights").landing("movements", WEEK)
    landed = duckdb.sql(f"from read_parquet('{lake}/accepted.parquet') order by _file, _row").df()
    files = sorted((flights_inbox / "flights" / "movements").glob("movements_201303*.csv"))[7:14]
    sent = pd.concat([pd.read_csv(file, dtype={"tail_number": str}) for file in files])
    sent = sent.reset_index(names="place")
    assert (landed["_row"] == sent["place"] + 2).all()
    for column in ("carrier", "flight_number", "origin", "event", "tail_number"):
        pd.testing.assert_series_equal(landed[column], sent[column], check_dtype=False)
    sent_at = pd.to_datetime(sent["event_at"]).dt.tz_localize(None)
    pd.testing.assert_series_equal(landed["event_at"], sent_at, check_dtype=False)
    pd.testing.assert_series_equal(landed["delay_min"], sent["delay_min"], check_dtype=False)


def test_land_gale_beyond_any_measured_is_quarantined(spec: Spec, settings: Settings) -> None:
    weather = spec.model_copy(update={"feeds": {"weather": spec.feeds["weather"]}})
    [landing] = land(weather, FEBRUARY, settings, "run")
    assert landing.quarantined == 1
    [refusal] = read_quarantine(weather, FEBRUARY, settings)
    assert refusal.file == "weather_20130212.csv"
    assert isinstance(refusal.raw, dict)
    assert (refusal.raw["origin"], refusal.raw["wind_speed_mph"]) == ("EWR", "1048.36058")
    assert refusal.reasons == ("wind_speed_mph: 1048.36058 is over 253",)
