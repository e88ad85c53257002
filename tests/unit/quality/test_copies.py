import pytest

from ratchet.quality.copies import duplicate_burst

COLUMNS = "* exclude (_file, _row, _day, _is_new)"
NEW = "where _is_new and _day = '2013-03-06'"

# what is inserted again, and how the finding names it
BURSTS = {
    "rows sent again in a later file": (
        "movements",
        f"insert into rows select * replace (_row + 9000 as _row) from rows {NEW} limit 30",
        "whole",
    ),
    "rows under other flight numbers": (
        "schedules",
        "insert into rows select * replace (_row + 9000 as _row, flight_number + 1000 as "
        f"flight_number) from rows {NEW} limit 25",
        "but for flight_number",
    ),
    "yesterday's weather under today's times": (
        "weather",
        "insert into rows select * replace (_row + 9000 as _row, _at + interval 1 day as _at, "
        "observed_at + interval 1 day as observed_at, sent_at + interval 1 day as sent_at, "
        f"'weather_20130307.csv' as _file, date '2013-03-07' as _day) from rows {NEW}",
        "but for observed_at+sent_at",
    ),
    "repetitions that quarantine refused": (
        "movements",
        "insert into refused select ['flight_date: repeats movements_20130306.csv line 7'], "
        f"_file, _row, _day, _is_new from rows {NEW} limit 40",
        "quarantined",
    ),
}


@pytest.mark.parametrize(("feed", "insert", "segment"), BURSTS.values(), ids=BURSTS)
def test_duplicate_burst_is_found_and_counted(plant, feed, insert, segment):
    rows = plant(feed, insert)
    found = {f.segment: f for f in duplicate_burst(rows)}
    assert segment in found
    assert found[segment].broken >= 25
    assert f"{feed}_2013030" in found[segment].text


@pytest.mark.parametrize("feed", ["schedules", "movements", "weather"])
def test_duplicate_burst_clean_week_is_silent(march, feed):
    assert duplicate_burst(march[feed]) == []
