"""A window that is not refined in time: a real scheduler notices, a real triggerer tells."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ratchet.orchestration.stack import LocalAirflow
from ratchet.quality import read_findings
from ratchet.settings import PROJECT, Settings
from ratchet.window import Window

pytestmark = pytest.mark.integration

PATIENCE_S = 600
WEEK = timedelta(days=7)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """Start Airflow with a use case that goes on, whose last week had to be refined at its end."""
    specs = tmp_path / "use_cases"
    specs.mkdir()
    spec = (PROJECT / "include" / "use_cases" / "flights.yaml").read_text()
    for before, after in (("  end: 2014-01-03T", "  # 2014-01-03T"), ('"06:00"', '"00:00"')):
        assert before in spec
        spec = spec.replace(before, after)
    (specs / "flights.yaml").write_text(spec)
    found = Settings(tmp_path / "home", specs, port=0)
    airflow = LocalAirflow(found)
    try:
        for _ in airflow.start():
            pass
        yield found
    finally:
        airflow.stop()


def test_scheduled_run_that_misses_its_deadline_leaves_a_finding(settings, flights_spec):
    folder = settings.lake("flights").findings / "deadline"
    end = time.monotonic() + PATIENCE_S
    while not (paths := list(folder.glob("*.parquet"))):
        assert time.monotonic() < end, f"waited in vain; see {settings.home / 'airflow' / 'logs'}"
        time.sleep(0.2)
    (path,) = paths
    window = Window.parse(path.stem)
    assert window.end - window.start == WEEK
    assert timedelta(0) < datetime.now(UTC) - window.end < WEEK
    (finding,) = read_findings(flights_spec, window, settings, blocking=False, family="deadline")
    assert finding.check == "deadline"
    assert finding.text.startswith(f"flights__refine_data was not done by {window.end:%Y-%m-%d} 00")
