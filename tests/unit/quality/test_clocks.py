import pytest

from ratchet.quality.clocks import clock_shift

# one statement or several, and what names the shift
SHIFTS = {
    "observations an hour late": (
        "weather",
        ["update rows set _at = _at + interval 1 hour where _is_new and origin = 'JFK'"],
        "clock_shift:weather.sent_at",
    ),
    "local time for UTC at one airport for a day": (
        "movements",
        [
            "update rows set event_at = event_at - interval 5 hour "
            "where origin = 'LGA' and _date = '2013-03-05'"
        ],
        "clock_shift:movements.event_at[origin=LGA]",
    ),
    "a time zone in one airline's schedule": (
        "schedules",
        [
            "update rows set scheduled_departure_at = scheduled_departure_at + interval 4 hour "
            "where carrier = 'UA' and _date = '2013-03-04'"
        ],
        "clock_shift:schedules.scheduled_departure_at[carrier=UA]",
    ),
    "a whole schedule an hour late against the clocks that it reads": (
        "schedules",
        [
            "update rows set scheduled_departure_at = scheduled_departure_at + interval 1 hour "
            "where _is_new"
        ],
        "clock_shift:schedules.scheduled_departure_at",
    ),
    "all movements an hour late in their files": (
        "movements",
        ["update rows set _at = _at + interval 1 hour where _is_new"],
        "clock_shift:movements.event_at[of its file]",
    ),
    "all movements an hour early, against the schedule": (
        "movements",
        [
            "update rows set _at = _at - interval 1 hour where _is_new",
            "update rows set _day = _at::date where _is_new",
        ],
        "clock_shift:movements.event_at[event=departed]",
    ),
    "all weather an hour late in its files": (
        "weather",
        [
            "update rows set _at = _at + interval 1 hour, sent_at = sent_at + interval 1 hour "
            "where _is_new"
        ],
        "clock_shift:weather.observed_at[of its file]",
    ),
    "all weather in local time, files and all": (
        "weather",
        [
            "update rows set _at = _at - interval 5 hour, sent_at = sent_at - interval 5 hour "
            "where _is_new"
        ],
        "clock_shift:weather.observed_at[mean day]",
    ),
}


@pytest.mark.parametrize(("feed", "shift", "name"), SHIFTS.values(), ids=SHIFTS)
def test_clock_shift_is_found(plant, feed, shift, name):
    assert name in {f.name for f in clock_shift(plant(feed, *shift))}


def test_clock_shift_names_lag_and_first_row(plant):
    rows = plant(
        "movements",
        "update rows set _at = _at + interval 7 minute where _is_new and event = 'departed' "
        "and carrier = 'DL' and _date = '2013-03-05'",
    )
    (finding,) = [f for f in clock_shift(rows) if f.segment == "event=departed"]
    assert (finding.observed, finding.expected) == (7, 0)
    shifted = "_is_new and event = 'departed' and carrier = 'DL' and _date = '2013-03-05'"
    ((broken,),) = rows.ask(f"select count(*) from rows where {shifted}")
    assert finding.broken == broken
    assert "first movements_2013030" in finding.text


@pytest.mark.parametrize("feed", ["schedules", "movements", "weather"])
def test_clock_shift_clean_week_is_silent(march, feed):
    assert clock_shift(march[feed]) == []
