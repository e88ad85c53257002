import shutil

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from quality_windows import PAST, WEEK

from ratchet.errors import FeedError
from ratchet.quality import check_feeds, read_findings
from ratchet.quality.feeds import CHECKS
from ratchet.settings import Settings


def test_check_feeds_clean_window_blocks_nothing_and_says_what_it_looked_at(
    flights_spec, landed_march
):
    assert check_feeds(flights_spec, WEEK, landed_march) == []
    said = read_findings(flights_spec, WEEK, landed_march, blocking=False)
    timed = [name for name, feed in flights_spec.feeds.items() if feed.event_time]
    assert {(f.check, f.subject) for f in said} == {(c, t) for c in CHECKS for t in timed}
    assert all(f.rows > 0 for f in said)


def test_check_feeds_first_days_say_not_enough_data(flights_spec, landed_march):
    weather = flights_spec.model_copy(update={"feeds": {"weather": flights_spec.feeds["weather"]}})
    assert check_feeds(weather, PAST, landed_march) == []
    said = read_findings(weather, PAST, landed_march, blocking=False)
    assert {f.check for f in said if f.state == "not_enough_data"} == set(CHECKS)
    assert {f.check for f in said if f.state == "ok"} == set(CHECKS)


def test_check_feeds_spoilt_file_blocks_by_name(flights_spec, landed_march, tmp_path):
    lake = landed_march.lake(flights_spec.name).root
    shutil.copytree(lake / "landing", tmp_path / "lake" / "flights" / "landing")
    path = tmp_path / "lake/flights/landing/weather" / WEEK.key / "accepted.parquet"
    table = pq.read_table(path)
    place = table.schema.get_field_index("temperature_f")
    celsius = pc.divide(pc.subtract(table["temperature_f"], 32.0), 1.8)
    values = pc.if_else(pc.equal(table["origin"], "LGA"), celsius, table["temperature_f"])
    pq.write_table(table.set_column(place, "temperature_f", values), path)
    blocking = check_feeds(flights_spec, WEEK, Settings(tmp_path, tmp_path))
    assert "unit_slip:weather.temperature_f[origin=LGA]" in {f.name for f in blocking}


def test_check_feeds_window_not_landed_is_refused(flights_spec, tmp_path):
    with pytest.raises(FeedError, match="was not landed; land it first"):
        check_feeds(flights_spec, WEEK, Settings(tmp_path, tmp_path))
