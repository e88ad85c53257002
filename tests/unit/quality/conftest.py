"""Two real months and the first week of March, landed once; each test spoils its own copy."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from quality_windows import PAST, WEEK

from ratchet.feeds import land
from ratchet.quality.rows import FeedRows, partners
from ratchet.settings import Settings
from ratchet.spec import Spec

Plant = Callable[..., FeedRows]


@pytest.fixture(scope="session")
def landed_march(
    flights_spec: Spec, flights_inbox: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Return a lake with a past of two months and a week to judge. Copy, never write."""
    home = tmp_path_factory.mktemp("march")
    (home / "inbox").symlink_to(flights_inbox, target_is_directory=True)
    settings = Settings(home, home)
    for window in (PAST, WEEK):
        land(flights_spec, window, settings, "landed")
    return settings


@pytest.fixture(scope="session")
def march(flights_spec: Spec, landed_march: Settings) -> Iterator[dict[str, FeedRows]]:
    """Return the week's rows of each feed with their past, in a connection each."""
    feeds = {}
    for name, feed in flights_spec.feeds.items():
        if feed.event_time:
            rows = FeedRows(
                name,
                feed,
                flights_spec.quality,
                WEEK.start.date(),
                WEEK.end.date(),
                duckdb.connect(config={"threads": 1}),
                partners(flights_spec.feeds, name),
            )
            rows.load(landed_march.lake(flights_spec.name), WEEK)
            feeds[name] = rows
    yield feeds
    for rows in feeds.values():
        rows.connection.close()


@pytest.fixture
def plant(march: dict[str, FeedRows]) -> Iterator[Plant]:
    """Return how to spoil a feed's rows by SQL; the rows are whole again after the test."""
    spoilt: list[FeedRows] = []

    def spoil(feed: str, *statements: str) -> FeedRows:
        rows = march[feed]
        rows.connection.execute("begin")
        spoilt.append(rows)
        for statement in statements:
            count = rows.connection.execute(statement).fetchall()
            assert count[0][0] > 0, f"nothing is spoilt by {statement}"
        return replace(rows)  # nothing cached

    yield spoil
    for rows in spoilt:
        rows.connection.execute("rollback")
