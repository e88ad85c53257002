"""Days that come late, in part or not at all are found; real ones are not."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest
from three_weeks import BASE, LATER

from ratchet.quality import check_freshness, read_findings
from ratchet.settings import Settings
from ratchet.spec.types import Sla

LAST = LATER[-1]


@pytest.fixture
def lake(three_weeks: Settings, tmp_path: Path) -> Settings:
    landing = Path("lake") / "flights" / "landing"
    shutil.copytree(three_weeks.home / landing, tmp_path / landing)
    return Settings(tmp_path, tmp_path)


def plant(lake: Settings, feed: str, query: str) -> None:
    path = lake.lake("flights").landing(feed, LAST) / "accepted.parquet"
    rows = f"read_parquet('{path}')"
    with duckdb.connect() as connection:
        connection.execute(f"create table changed as {query.format(rows=rows)}")
        connection.execute(f"copy changed to '{path}' (format parquet)")


def test_real_days_are_all_there(flights_spec, lake):
    for window in (BASE, *LATER):
        assert check_freshness(flights_spec, window, lake) == []
        looked = read_findings(flights_spec, window, lake, blocking=False)
        assert {finding.subject for finding in looked} == {"schedules", "movements", "weather"}
        assert {finding.state for finding in looked} == {"ok"}
        assert all(finding.rows > 100 for finding in looked)


@pytest.mark.parametrize(
    ("feed", "query", "found"),
    [
        pytest.param(
            "movements",
            "from {rows} where event_at not between '2013-01-19 14:30' and '2013-01-19 23:59:59'",
            "movements of 2013-01-19: by 2013-01-20 06:00 UTC its newest row was of 14:29, 9.5 h",
            id="fell silent",
        ),
        pytest.param(
            "weather",
            "from {rows} where observed_at::date <> '2013-01-20'",
            "weather of 2013-01-20: by 2013-01-21 06:00 UTC nothing of it was there",
            id="sent nothing",
        ),
        pytest.param(
            "movements",
            "select * replace (if(event_at::date = '2013-01-20' and hour(event_at) >= 18, "
            "'movements_20130121.csv', _file) as _file) from {rows}",
            "rows were there, where 99.0% must be; ask",
            id="came with the next file",
        ),
        pytest.param(
            "schedules",
            "select * replace (if(flight_date = '2013-01-20', 'schedules_20130121.csv', _file) "
            "as _file) from {rows}",
            "schedules of 2013-01-20: by 2013-01-21 06:00 UTC nothing of it was there",
            id="sent when it was over",
        ),
    ],
)
def test_day_that_was_not_there_in_time_is_found_once(flights_spec, lake, feed, query, found):
    plant(lake, feed, query)
    (finding,) = check_freshness(flights_spec, LAST, lake)
    assert finding.subject == feed
    assert found in finding.text
    assert finding.segment in finding.name


def test_last_day_of_a_window_is_due_in_the_next_one(flights_spec, lake):
    """The deadline of the 17th is on the 18th at six, when the window that ends on it is over."""
    path = lake.lake("flights").landing("weather", LATER[1]) / "accepted.parquet"
    with duckdb.connect() as connection:
        rows = f"read_parquet('{path}')"
        query = f"create table kept as from {rows} where observed_at::date <> '2013-01-17'"
        connection.execute(query)
        connection.execute(f"copy kept to '{path}' (format parquet)")
    assert check_freshness(flights_spec, LATER[1], lake) == []
    (finding,) = check_freshness(flights_spec, LAST, lake)
    # what came with the file of the 18th came too late
    assert finding.segment == "2013-01-17"


def test_sla_deadline_is_on_the_next_day():
    sla = Sla(complete_by="06:30", max_silence_h=2)
    assert sla.deadline(date(2013, 1, 31)) == datetime(2013, 2, 1, 6, 30, tzinfo=UTC)
