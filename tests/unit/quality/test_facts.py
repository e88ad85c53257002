"""What is odd in three real weeks of flights, as `flights` feeds tell it without being asked."""

import dataclasses
import shutil

import duckdb
import pytest

from ratchet.errors import FeedError
from ratchet.quality import profile_feeds
from ratchet.settings import Settings


@pytest.fixture(scope="module")
def facts(flights_spec, three_weeks):
    return profile_feeds(flights_spec, three_weeks)


def fact(facts, feed, beginning):
    found = [f for f in facts if f.feed == feed and f.text.startswith(beginning)]
    assert len(found) == 1, found
    return found[0]


def test_facts_tail_numbers_that_the_registry_lacks_lie_at_two_airlines(facts):
    found = fact(facts, "movements", "tail_number is not in planes")
    assert "most of carrier MQ" in found.text
    assert "carrier AA" in found.text
    assert found.example.startswith("movements_201301")


def test_facts_destinations_that_the_airports_lack_are_named(facts):
    assert "destination SJU 100%" in fact(facts, "schedules", "destination is not in").text


def test_facts_pressure_is_missing_when_it_rains(facts):
    assert "precipitation_in above 0" in fact(facts, "weather", "pressure_hpa is missing").text


def test_facts_manufacturer_spelt_twice_is_found(facts):
    assert "manufacturer may be one name, spelt AIRBUS INDUSTRIE, AIRBUS" in {f.text for f in facts}


def test_facts_kinds_that_begin_alike_are_no_spellings_of_one(facts):
    assert not any("spelt Turbo-fan" in f.text or "spelt Fixed wing" in f.text for f in facts)


def test_facts_airlines_on_small_aircraft_are_found_by_what_else_differs(facts):
    found = fact(facts, "movements", "tail_number names planes of a rare aircraft_type")
    assert "Fixed wing single engine in" in found.text
    assert "Rotorcraft in" in found.text
    assert "their seats is" in found.text
    assert "most of carrier MQ" in found.text


def test_facts_many_rare_levels_are_no_rare_kind(facts):
    told = [f.text for f in facts if " of a rare " in f.text]
    assert told
    assert not any("rare manufacturer" in text or "rare model" in text for text in told)


def test_facts_value_that_no_clock_shows_is_found(flights_spec, three_weeks, facts, tmp_path):
    assert not [f for f in facts if "is a clock" in f.text]
    copied = shutil.copytree(three_weeks.home, tmp_path / "home")
    settings = dataclasses.replace(three_weeks, home=copied)
    folder = settings.lake(flights_spec.name).root / "landing" / "schedules"
    path = min(folder.glob("*/accepted.parquet"))
    with duckdb.connect() as connection:
        connection.execute("create table rows as from read_parquet($path)", {"path": str(path)})
        connection.execute(
            "update rows set scheduled_arrival_hhmm = 2400 where _row in (7, 9) and _file = "
            "(select min(_file) from rows)"
        )
        connection.execute(f"copy rows to '{path}'")
    found = fact(profile_feeds(flights_spec, settings), "schedules", "scheduled_arrival_hhmm is")
    assert (found.rows, found.text.endswith("and says 2400")) == (2, True)
    assert found.example.endswith("line 7")


def test_facts_quarantined_rows_have_their_reason(facts):
    assert any(f.text.startswith("quarantined, as wind_speed_mph") for f in facts)


def test_facts_clean_feed_has_none(facts):
    assert [f for f in facts if f.feed == "airlines"] == []


def test_facts_are_worst_first(facts):
    assert [f.rows for f in facts] == sorted((f.rows for f in facts), reverse=True)


def test_facts_of_a_feed_that_never_landed_are_refused(flights_spec, tmp_path):
    with pytest.raises(FeedError, match="nothing was landed; land a window first"):
        profile_feeds(flights_spec, Settings(tmp_path, tmp_path))
