from dataclasses import replace
from datetime import date

import pytest

from ratchet.quality.volume import volume

DAY = "2013-03-05"  # a Tuesday
FAULTS = {
    "a quarter of the departures is missing": (
        "schedules",
        f"delete from rows where _date = '{DAY}' and hash(flight_number) % 4 = 0",
        None,
    ),
    "a third comes twice": (
        "schedules",
        "insert into rows select * replace (flight_number + 5000 as flight_number) from rows "
        f"where _date = '{DAY}' and hash(flight_number) % 3 = 0",
        None,
    ),
    "two stations of three are silent": (
        "weather",
        f"delete from rows where _date = '{DAY}' and origin <> 'JFK'",
        None,
    ),
    "distances halve, and no row is missing": (
        "schedules",
        f"update rows set distance_mi = distance_mi / 2 where _date = '{DAY}'",
        "distance_mi",
    ),
}


@pytest.mark.parametrize(("feed", "fault", "column"), FAULTS.values(), ids=FAULTS)
def test_volume_of_a_spoilt_day_is_found(plant, feed, fault, column):
    findings = volume(plant(feed, fault))
    assert (column, DAY) in {(f.column, f.segment) for f in findings}
    assert {f.segment for f in findings} == {DAY}


def test_volume_of_a_day_without_rows_is_found(plant):
    findings = volume(plant("movements", f"delete from rows where _date = '{DAY}'"))
    assert [(f.name, f.observed) for f in findings] == [(f"volume:movements[{DAY}]", 0)]


@pytest.mark.parametrize("feed", ["schedules", "movements", "weather"])
def test_volume_clean_week_is_silent(march, feed):
    assert volume(march[feed]) == []


def test_volume_near_a_public_holiday_is_excused_by_its_calendar(plant):
    # 3 March is Bulgaria's day of liberation, and an ordinary Sunday in the United States
    rows = plant(
        "schedules", f"delete from rows where _date = '{DAY}' and hash(flight_number) % 3 = 0"
    )
    bulgarian = replace(rows, quality=rows.quality.model_copy(update={"holidays": "BG"}))
    assert [f.segment for f in volume(rows) if f.column is None] == [DAY]
    assert volume(bulgarian) == []


def test_volume_judges_days_once_their_last_file_came(march):
    # schedules come the day before, weather an hour later
    assert march["schedules"].lags == (-1, -1)
    assert march["weather"].lags == (0, 1)
    assert march["movements"].lags == (0, 1)
    assert march["weather"].start == date(2013, 3, 1)
