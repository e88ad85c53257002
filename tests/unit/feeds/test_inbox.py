"""Each day's file belongs to one window: the one in which the day ends."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from ratchet.feeds.inbox import expected_days, files_of, is_in, promised_day, stamp_of
from ratchet.spec import Spec
from ratchet.window import Window

DAYS = [date(2013, 2, 27) + timedelta(days=n) for n in range(14)]
WEEK = Window.parse("2013-03-01T0000--2013-03-08T0000")


@pytest.mark.parametrize(
    "name",
    [
        "gates_2013031.csv",
        "gates_20130230.csv",
        "gates_20130301.txt",
        "gates_20130301.csv.bz2",
        "gates_20130301.csv.tmp",
        "gates-20130301.csv",
        "other_20130301.csv",
        "gates_x_20130301.csv",
        ".gates_20130301.csv",
        "gates_٢٠١٣٠٣٠١.csv",
    ],
)
def test_stamp_of_other_name_is_none(name: str) -> None:
    assert stamp_of("gates", name) is None


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".zip"])
def test_stamp_of_right_name_is_its_day(ending: str) -> None:
    assert stamp_of("gates_x", f"gates_x_20130301{ending}") == date(2013, 3, 1)


def test_is_in_whole_days_are_the_window_s_own() -> None:
    assert [day for day in DAYS if is_in(WEEK, day)] == [date(2013, 3, n) for n in range(1, 8)]


@pytest.mark.parametrize("hours", [6, 24, 36])
def test_is_in_each_day_has_exactly_one_window(hours: int) -> None:
    start = Window.parse("2013-02-26T0600--2013-02-26T0700").start
    starts = [start + n * timedelta(hours=hours) for n in range(16 * 24 // hours)]
    windows = [Window(moment, moment + timedelta(hours=hours)) for moment in starts]
    for day in DAYS:
        [window] = [window for window in windows if is_in(window, day)]
        whole_at = datetime.combine(day, time(), UTC) + timedelta(days=1)
        assert window.start < whole_at <= window.end


def test_files_of_window_are_its_days_files(tmp_path: Path) -> None:
    for name in ["gates_20130228.csv", "gates_20130301.csv", "gates_20130307.zip", "notes.txt"]:
        (tmp_path / name).touch()
    found = files_of(tmp_path, "gates", WEEK)
    assert {name: sent.day for name, sent in found.items()} == {
        "gates_20130301.csv": date(2013, 3, 1),
        "gates_20130307.zip": date(2013, 3, 7),
    }
    assert files_of(tmp_path / "nowhere", "gates", WEEK) == {}


def test_expected_days_are_active_days_of_the_window(spec: Spec) -> None:
    first = Window(spec.schedule.history_start, spec.schedule.start)
    days = {name: expected_days(feed, first) for name, feed in spec.feeds.items()}
    assert days["schedules"] == [date(2012, 12, 31) + timedelta(days=n) for n in range(60)]
    assert days["movements"] == days["weather"] == days["schedules"][1:]
    assert days["planes"] == days["airports"] == days["airlines"] == [date(2012, 12, 31)]
    last = Window.parse("2013-12-27T0000--2014-01-03T0000")
    counts = [len(expected_days(feed, last)) for feed in spec.feeds.values()]
    assert counts == [4, 6, 5, 0, 0, 0]


def test_expected_days_have_a_file_in_every_window(spec: Spec, flights_inbox: Path) -> None:
    start, end = spec.schedule.history_start, spec.schedule.end
    assert end is not None
    for name, feed in spec.feeds.items():
        folder = flights_inbox / "flights" / name
        expected = expected_days(feed, Window(start, end))
        assert len(expected) == len(list(folder.iterdir())) > 0
        assert all((folder / f"{name}_{day:%Y%m%d}.csv").exists() for day in expected)


def test_promised_day_of_a_feed_sent_once_is_its_first(spec: Spec) -> None:
    day = date(2013, 1, 15)
    assert promised_day(spec.feeds["planes"], day) == date(2012, 12, 31)
    assert promised_day(spec.feeds["weather"], day) == day
