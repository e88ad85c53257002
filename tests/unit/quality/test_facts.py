"""What is odd in three real weeks of flights, as `flights` feeds tell it without being asked."""

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


def test_facts_quarantined_rows_have_their_reason(facts):
    assert any(f.text.startswith("quarantined, as wind_speed_mph") for f in facts)


def test_facts_clean_feed_has_none(facts):
    assert [f for f in facts if f.feed == "airlines"] == []


def test_facts_are_worst_first(facts):
    assert [f.rows for f in facts] == sorted((f.rows for f in facts), reverse=True)


def test_facts_of_a_feed_that_never_landed_are_refused(flights_spec, tmp_path):
    with pytest.raises(FeedError, match="nothing was landed; land a window first"):
        profile_feeds(flights_spec, Settings(tmp_path, tmp_path))
