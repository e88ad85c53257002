"""Every data test passes on real data, and finds what it is there for."""

import shutil

import duckdb
import pytest
from three_weeks import LATER

# by test: what to break, so that it finds something
DAMAGE = {
    **{
        f"stg_flights__{feed}_holds_what_landed": (
            f"delete from bronze.stg_flights__{feed} where _row = 5"
        )
        for feed in ("schedules", "movements", "weather", "planes", "airports", "airlines")
    },
    "stg_flights__airports_is_whole": "delete from bronze.stg_flights__airports where _row > 500",
    "assert_flights_clocks_agree": (
        "update bronze.stg_flights__schedules "
        "set scheduled_departure_at = scheduled_departure_at - interval '1 hour' where _row = 5"
    ),
    "int_flights__conformed_has_one_row_per_flight": (
        "insert into silver.int_flights__conformed from silver.int_flights__conformed limit 1"
    ),
    "int_flights__conformed_times_are_possible": (
        "update silver.int_flights__conformed set scheduled_elapsed_min = 1900 "
        "where flight_number = 1"
    ),
    "int_flights__movements_has_one_row_per_flight_and_event": (
        "update silver.int_flights__movements set event = 'departed'"
    ),
    "int_flights__weather_has_one_row_per_airport_and_moment": (
        "update silver.int_flights__weather set origin = 'JFK'"
    ),
    "int_flights__weather_tells_something_newer": (
        "update silver.int_flights__weather set observed_at = timestamp '2013-01-05' "
        "where origin = 'JFK'"
    ),
    "int_flights__outcomes_has_one_row_per_flight": (
        "insert into silver.int_flights__outcomes from silver.int_flights__outcomes limit 1"
    ),
    "int_flights__daily_outcomes_has_one_row_per_day_carrier_and_hour": (
        "update silver.int_flights__daily_outcomes set carrier = null where scheduled_hour = 6"
    ),
    "int_flights__queues_has_one_row_per_flight": (
        "update silver.int_flights__queues set flight_id = 'a'"
    ),
    "int_flights__rates_has_one_row_per_flight": (
        "update silver.int_flights__rates set flight_id = null"
    ),
    "feat_flights_has_one_row_per_flight": (
        "insert into gold.feat_flights from gold.feat_flights limit 1"
    ),
    "feat_flights_has_every_flight": "delete from gold.feat_flights where flight_number = 1",
    "feat_flights_knows_nothing_of_the_future": (
        "update gold.feat_flights set movements_known_at = decision_at + interval '1 minute'"
    ),
    "feat_flights_values_are_mostly_there": (
        "update gold.feat_flights set humidity_pct = null where origin = 'EWR'"
    ),
    "feat_flights_values_change": "update gold.feat_flights set temperature_f = 39.02",
    "feat_flights_values_are_possible": "update gold.feat_flights set carrier_hour_rate = 'nan'",
    "fct_outcomes_has_one_row_per_flight": (
        "insert into silver.int_flights__outcomes from silver.int_flights__outcomes limit 1"
    ),
    "fct_outcomes_are_ends_of_flights": (
        "update silver.int_flights__outcomes set outcome = 'delayed' where outcome = 'late'"
    ),
    "fct_outcomes_agree_with_themselves": (
        "update silver.int_flights__outcomes set is_disrupted = false where outcome = 'diverted'"
    ),
    "fct_outcomes_were_decided_on": "delete from gold.feat_flights where flight_number = 1",
    "mon_landing_adds_up": "update gold.mon_landing set accepted_rows = accepted_rows - 1",
}
BLOCK_TIME_DAMAGE = {
    **{
        f"stg_block_time__{feed}_holds_what_landed": (
            f"delete from bronze.stg_block_time__{feed} where _row = 5"
        )
        for feed in ("schedules", "landings", "planes")
    },
    "int_block_time__conformed_has_one_row_per_flight": (
        "insert into silver.int_block_time__conformed from silver.int_block_time__conformed limit 1"
    ),
    "int_block_time__flown_has_one_row_per_flight": (
        "insert into silver.int_block_time__flown from silver.int_block_time__flown limit 1"
    ),
    "int_block_time__flown_times_are_possible": (
        "update silver.int_block_time__flown set air_time_min = 2000 where destination = 'BOS'"
    ),
    "int_block_time__trailing_has_one_row_per_day_airline_and_route": (
        "update silver.int_block_time__trailing set destination = 'BOS'"
    ),
    "feat_block_time_has_one_row_per_flight": (
        "insert into gold.feat_block_time from gold.feat_block_time limit 1"
    ),
    "feat_block_time_has_every_flight": "delete from gold.feat_block_time where flight_number = 1",
    "feat_block_time_knows_nothing_of_the_future": (
        "update gold.feat_block_time set landings_known_at = decision_at + interval '1 minute'"
    ),
    "feat_block_time_values_are_mostly_there": (
        "update gold.feat_block_time set route_median_min = null where flight_number = 1"
    ),
    "feat_block_time_values_change": "update gold.feat_block_time set route_median_min = 100",
    "feat_block_time_values_are_possible": "update gold.feat_block_time set route_seats = 'inf'",
    "fct_block_times_has_one_row_per_flight": (
        "insert into silver.int_block_time__flown from silver.int_block_time__flown limit 1"
    ),
    "fct_block_times_agree_with_themselves": (
        "update silver.int_block_time__flown set known_at = decision_at where destination = 'BOS'"
    ),
    "fct_block_times_were_decided_on": "delete from gold.feat_block_time where flight_number = 1",
    "mon_block_time_landing_adds_up": (
        "update gold.mon_block_time_landing set accepted_rows = accepted_rows - 1"
    ),
}
CASES = [("flights", name, damage) for name, damage in DAMAGE.items()]
CASES += [("block_time", name, damage) for name, damage in BLOCK_TIME_DAMAGE.items()]


def compiled_for(settings, use_case) -> dict[str, str]:
    """Return the SQL of every data test, as the pipeline ran it."""
    folder = settings.lake(use_case).work(LATER[-1]) / "dbt"
    tests = (
        *folder.glob("*/compiled/**/*.yml/*.sql"),
        *folder.glob("*/compiled/**/tests/**/*.sql"),
    )
    return {path.stem: path.read_text() for path in tests}


@pytest.fixture(scope="module")
def warehouses(three_weeks, block_time_weeks, tmp_path_factory):
    """Return the SQL of the data tests and a copy of what they read, by use case."""
    folder = tmp_path_factory.mktemp("damaged")
    found = {}
    for use_case, settings in (("flights", three_weeks), ("block_time", block_time_weeks)):
        path = folder / f"{use_case}.duckdb"
        shutil.copyfile(settings.lake(use_case).published, path)
        found[use_case] = compiled_for(settings, use_case), duckdb.connect(path)
    yield found
    for _, connection in found.values():
        connection.close()


@pytest.fixture(scope="module")
def compiled(warehouses) -> dict[str, str]:
    return warehouses["flights"][0]


@pytest.fixture(scope="module")
def warehouse(warehouses):
    return warehouses["flights"][1]


def test_every_data_test_has_a_failing_case(manifest, warehouses):
    names = {n.name for n in manifest.nodes.values() if str(n.resource_type) == "test"}
    ran = {name for compiled, _ in warehouses.values() for name in compiled}
    assert names == {name for _, name, _ in CASES} == ran


@pytest.mark.parametrize(("use_case", "name", "damage"), CASES, ids=[name for _, name, _ in CASES])
def test_data_test_passes_on_real_data_and_finds_damage(warehouses, use_case, name, damage):
    compiled, warehouse = warehouses[use_case]
    assert warehouse.execute(compiled[name]).fetchall() == []
    warehouse.begin()
    try:
        warehouse.execute(damage)
        assert warehouse.execute(compiled[name]).fetchall() != []
    finally:
        warehouse.rollback()


@pytest.mark.parametrize("value", ["nan", "inf", "-0.01", "1.01"])
def test_values_out_of_bounds_are_found_and_missing_ones_are_not(compiled, warehouse, value):
    check = compiled["feat_flights_values_are_possible"]
    warehouse.begin()
    try:
        warehouse.execute("update gold.feat_flights set route_rate_28d = null")
        assert warehouse.execute(check).fetchall() == []
        warehouse.execute(f"update gold.feat_flights set route_rate_28d = '{value}'::double")
        assert warehouse.execute(check).fetchall() != []
    finally:
        warehouse.rollback()
