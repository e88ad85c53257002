import pytest

from ratchet.quality.levels import unit_slip

SLIPS = {
    "Celsius at one station for a day": (
        "weather",
        "update rows set temperature_f = (temperature_f - 32) / 1.8 "
        "where origin = 'LGA' and _date = '2013-03-05'",
        "unit_slip:weather.temperature_f[origin=LGA]",
    ),
    "hours of one airline": (
        "movements",
        "update rows set delay_min = round(delay_min / 60) "
        "where carrier = 'B6' and _is_new and _date > '2013-03-04'",
        "unit_slip:movements.delay_min[carrier=B6]",
    ),
    "kilometres of one airline": (
        "schedules",
        "update rows set distance_mi = round(distance_mi * 1.609) "
        "where carrier = 'DL' and _date = '2013-03-06'",
        "unit_slip:schedules.distance_mi[carrier=DL]",
    ),
}


@pytest.mark.parametrize(("feed", "slip", "name"), SLIPS.values(), ids=SLIPS)
def test_unit_slip_of_one_group_is_found(plant, feed, slip, name):
    found = {f.name: f for f in unit_slip(plant(feed, slip))}
    assert name in found
    assert f"first {feed}_2013030" in found[name].text


def test_unit_slip_of_a_whole_feed_is_found_against_its_past(plant):
    slip = (
        "update rows set delay_min = round(delay_min / 60) where _is_new and _date > '2013-03-04'"
    )
    assert "unit_slip:movements.delay_min" in {f.name for f in unit_slip(plant("movements", slip))}


def test_unit_slip_names_the_unit(plant):
    (finding,) = [
        f
        for f in unit_slip(plant(*SLIPS["Celsius at one station for a day"][:2]))
        if f.column == "temperature_f"
    ]
    assert "as if Celsius had been sent" in finding.text


@pytest.mark.parametrize("feed", ["schedules", "movements", "weather"])
def test_unit_slip_clean_week_is_silent(march, feed):
    assert not [f for f in unit_slip(march[feed]) if f.is_fault]
