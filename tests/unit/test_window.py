"""Windows are half-open, in UTC, of whole minutes, and named so that names sort by time."""

import doctest
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ratchet import window as module
from ratchet.window import Window

START = datetime(2013, 3, 1, tzinfo=UTC)
WEEK = timedelta(days=7)


def test_window_examples_in_its_docstring_hold():
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_window_key_parses_to_the_same_window():
    week = Window(START, START + WEEK)
    assert Window.parse(week.key) == week


def test_window_keys_sort_like_windows():
    windows = [Window(START + n * WEEK, START + (n + 1) * WEEK) for n in range(60)]
    assert sorted(windows) == windows
    assert sorted(window.key for window in windows) == [window.key for window in windows]


def test_window_bounds_of_another_zone_become_utc():
    new_york = timezone(timedelta(hours=-5))
    local = Window(datetime(2013, 2, 28, 19, tzinfo=new_york), START + WEEK)
    assert local == Window(START, START + WEEK)
    assert local.start.tzinfo is UTC


@pytest.mark.parametrize(
    ("start", "end", "shown"),
    [
        (START, START + WEEK, "2013-03-01 → 2013-03-08"),
        (START, START + timedelta(hours=1), "2013-03-01 00:00 → 2013-03-01 01:00"),
    ],
)
def test_window_shown_has_clock_only_if_needed(start, end, shown):
    assert str(Window(start, end)) == shown


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (START.replace(tzinfo=None), START + WEEK, "start .* has no time zone"),
        (START, (START + WEEK).replace(tzinfo=None), "end .* has no time zone"),
        (START + timedelta(seconds=1), START + WEEK, "start .* is finer than a minute"),
        (START, START + timedelta(microseconds=1), "end .* is finer than a minute"),
        (START, START, "window is empty"),
        (START, START - WEEK, "window is empty"),
    ],
)
def test_window_impossible_bounds_are_refused(start, end, expected):
    with pytest.raises(ValueError, match=expected):
        Window(start, end)


@pytest.mark.parametrize("key", ["", "2013-03-01", "2013-03-01T0000--", "now--2013-03-08T0000"])
def test_window_parse_of_something_else_is_refused(key):
    with pytest.raises(ValueError, match=r"not a window key|does not match format"):
        Window.parse(key)
