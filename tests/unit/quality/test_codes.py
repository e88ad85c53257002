import pytest

from ratchet.quality.codes import code_swap

SWAPS = {
    "an airline replaced on a day": (
        "movements",
        "update rows set carrier = 'B6' where _is_new and carrier = 'DL' and _date = '2013-03-05'",
        ["code_swap:movements.carrier[DL->B6]"],
    ),
    "two destinations swapped": (
        "schedules",
        "update rows set destination = if(destination = 'ATL', 'ORD', 'ATL') "
        "where _is_new and destination in ('ATL', 'ORD') and _date >= '2013-03-05'",
        ["code_swap:schedules.destination[ATL->ORD]", "code_swap:schedules.destination[ORD->ATL]"],
    ),
    "two airports swapped for a day": (
        "schedules",
        "update rows set origin = if(origin = 'JFK', 'LGA', 'JFK') "
        "where origin in ('JFK', 'LGA') and _date = '2013-03-06'",
        ["code_swap:schedules.origin[JFK->LGA]", "code_swap:schedules.origin[LGA->JFK]"],
    ),
}


@pytest.mark.parametrize(("feed", "swap", "names"), SWAPS.values(), ids=SWAPS)
def test_code_swap_that_keeps_totals_is_found(plant, feed, swap, names):
    assert set(names) <= {f.name for f in code_swap(plant(feed, swap))}


@pytest.mark.parametrize("feed", ["schedules", "movements", "weather"])
def test_code_swap_clean_week_is_silent(march, feed):
    assert code_swap(march[feed]) == []
