import pytest

from ratchet.quality.values import impossible_value, off_grid

# one row each, all within the contract
IMPOSSIBLE = {
    "wind of a tornado": ("weather", "wind_speed_mph", 190),
    "heat in March": ("weather", "temperature_f", 95),
    "the eye of a hurricane": ("weather", "pressure_hpa", 930),
    "a cloudburst": ("weather", "precipitation_in", 9),
    "a delay of two days": ("movements", "delay_min", 2870),
    "an arrival two hours early": ("movements", "delay_min", -170),
    "a detour of fifty miles": ("schedules", "distance_mi", 1450),
}


@pytest.mark.parametrize(("feed", "column", "value"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_value_single_is_found_with_file_and_row(plant, feed, column, value):
    condition = {
        "schedules": "destination = 'IAH' and origin = 'EWR'",
        "movements": "event = 'arrived' and carrier = 'UA'",
        "weather": "origin = 'JFK' and _at = '2013-03-04 15:00' and pressure_hpa is not null",
    }[feed]
    rows = plant(
        feed,
        f"update rows set {column} = {value} where rowid = "
        f"(select min(rowid) from rows where _is_new and _date = '2013-03-04' and {condition})",
    )
    (finding,) = impossible_value(rows)
    assert finding.name == f"impossible_value:{feed}.{column}[2013-03-04]"
    assert (finding.broken, finding.observed) == (1, value)
    assert f"{feed}_2013030" in finding.text


def test_impossible_value_step_of_all_series_at_once_is_found(plant):
    celsius = "temperature_f = (temperature_f - 32) / 1.8"
    rows = plant(
        "weather", f"update rows set {celsius} where _is_new and _at >= '2013-03-05 15:00'"
    )
    names = [f.name for f in impossible_value(rows)]
    assert names == ["impossible_value:weather.temperature_f[2013-03-05]"]


@pytest.mark.parametrize("feed", ["schedules", "movements", "weather"])
def test_impossible_value_clean_week_is_silent(march, feed):
    assert impossible_value(march[feed]) == []


# what leaves the grid and stays in its range, at one station for a day
SLIPS = {
    "knots": ("wind_speed_mph", "round(wind_speed_mph / 1.15078)"),
    "whole degrees": ("temperature_f", "floor(temperature_f) + 0.3"),
    "a mean of two steps": ("dew_point_f", "dew_point_f + 0.27"),
}


@pytest.mark.parametrize(("column", "slip"), SLIPS.values(), ids=SLIPS)
def test_off_grid_other_unit_is_found_at_its_station(plant, column, slip):
    where = "_is_new and origin = 'LGA' and _date = '2013-03-05'"
    rows = plant("weather", f"update rows set {column} = {slip} where {where}")
    assert f"off_grid:weather.{column}[origin=LGA]" in {f.name for f in off_grid(rows)}


@pytest.mark.parametrize("feed", ["schedules", "movements", "weather"])
def test_off_grid_clean_week_is_silent(march, feed):
    assert off_grid(march[feed]) == []
