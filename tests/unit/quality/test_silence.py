import pytest

from ratchet.quality.silence import silent_feed, stuck_value

STOPS = {
    "a station in the middle of the window": (
        "weather",
        "delete from rows where _is_new and origin = 'JFK' and _at > '2013-03-06 07:00'",
        "silent_feed:weather[origin=JFK 2013-03-06]",
    ),
    "the whole feed, two days before the end": (
        "movements",
        "delete from rows where _at > '2013-03-06 00:00'",
        "silent_feed:movements[2013-03-06]",
    ),
    "one airline": (
        "movements",
        "delete from rows where carrier = 'DL' and _at > '2013-03-05 12:00'",
        "silent_feed:movements[carrier=DL 2013-03-05]",
    ),
}


@pytest.mark.parametrize(("feed", "stop", "name"), STOPS.values(), ids=STOPS)
def test_silent_feed_that_stops_is_found(plant, feed, stop, name):
    assert name in {f.name for f in silent_feed(plant(feed, stop))}


@pytest.mark.parametrize("column", ["temperature_f", "wind_speed_mph", "pressure_hpa"])
def test_stuck_value_is_found_at_its_station(plant, column):
    value = f"(select max({column}) from rows where _at = '2013-03-03 12:00')"
    rows = plant(
        "weather",
        f"update rows set {column} = {value} where origin = 'EWR' and _at > '2013-03-03 12:00' "
        "and _at < '2013-03-06 12:00'",
    )
    assert f"stuck_value:weather.{column}[origin=EWR]" in {f.name for f in stuck_value(rows)}


@pytest.mark.parametrize("feed", ["schedules", "movements", "weather"])
def test_silence_clean_week_is_silent(march, feed):
    assert silent_feed(march[feed]) == []
    assert stuck_value(march[feed]) == []
