import hashlib
import importlib
from pathlib import Path

import pytest
from three_weeks import LATER, build_all, prepare

from ratchet.feeds import sample_flights
from ratchet.settings import PROJECT, Settings
from ratchet.spec import Spec, load_spec

# On loading, skops asks every loaded module for every function of scipy. If Airflow is loaded
# first, its deprecated names answer, each with a warning.
importlib.import_module("skops.io")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits for services: other processes do all else meanwhile."""
    items.sort(key=lambda item: item.path.parent.name != "integration")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: packed files hold the time, and tests need names that stay."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def flights_inbox(pytestconfig: pytest.Config) -> Path:
    """Return an inbox with the year of both use cases; read it, or link to it, and never write.

    It takes seconds to write, so it stays in pytest's cache until the code that writes it changes.
    """
    code = hashlib.sha256(Path(sample_flights.__file__).read_bytes()).hexdigest()[:12]
    inbox = pytestconfig.cache.mkdir(f"inbox-{code}")
    for use_case in ("flights", "block_time"):
        sample_flights.write_flights_inbox(inbox, use_case)
    return inbox


@pytest.fixture(scope="session")
def flights_spec() -> Spec:
    return load_spec(PROJECT / "include" / "use_cases" / "flights.yaml")


@pytest.fixture(scope="session")
def block_time_spec() -> Spec:
    return load_spec(PROJECT / "include" / "use_cases" / "block_time.yaml")


@pytest.fixture(scope="session")
def block_time_weeks(
    block_time_spec: Spec, flights_inbox: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Return a lake of the second use case with the same weeks. Copy, never write."""
    settings = prepare(block_time_spec, flights_inbox, tmp_path_factory.mktemp("block_time"))
    build_all(block_time_spec, LATER[-1], settings)
    return settings


@pytest.fixture(scope="session")
def three_weeks(
    flights_spec: Spec, flights_inbox: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Return a lake with three real weeks, built at once and published. Copy, never write."""
    settings = prepare(flights_spec, flights_inbox, tmp_path_factory.mktemp("three_weeks"))
    build_all(flights_spec, LATER[-1], settings)
    return settings
