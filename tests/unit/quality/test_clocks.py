import pytest

from ratchet.quality.clocks import clock_shift

SHIFTS = {
    "observations an hour late": (
        "weather",
        "update rows set _at = _at + interval 1 hour where _is_new and origin = 'JFK'",
        "clock_shift:weather.sent_at",
    ),
    "local time for UTC at one airport for a day": (
        "movements",
        "update rows set event_at = event_at - interval 5 hour "
        "where origin = 'LGA' and _date = '2013-03-05'",
        "clock_shift:movements.event_at[origin=LGA]",
    ),
    "a time zone in one airline's schedule": (
        "schedules",
        "update rows set scheduled_departure_at = scheduled_departure_at + interval 4 hour "
        "where carrier = 'UA' and _date = '2013-03-04'",
        "clock_shift:schedules.scheduled_departure_at[carrier=UA]",
    ),
}


@pytest.mark.parametrize(("feed", "shift", "name"), SHIFTS.values(), ids=SHIFTS)
def test_clock_shift_of_a_part_is_found(plant, feed, shift, name):
    assert name in {f.name for f in clock_shift(plant(feed, shift))}


@pytest.mark.parametrize("feed", ["schedules", "movements", "weather"])
def test_clock_shift_clean_week_is_silent(march, feed):
    assert clock_shift(march[feed]) == []
