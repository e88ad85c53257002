from pathlib import Path

import pytest
from fake_lake import FakeLake

from ratchet.settings import PROJECT, Settings
from ratchet.spec import Spec, load_spec


@pytest.fixture(scope="session")
def spec() -> Spec:
    return load_spec(PROJECT / "include" / "use_cases" / "flights.yaml")


@pytest.fixture
def fake_lake(spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLake:
    lake = FakeLake(spec, Settings(tmp_path, tmp_path))
    monkeypatch.setattr("ratchet.warehouse.read_outcomes", lake.read_outcomes, raising=False)
    monkeypatch.setattr("ratchet.warehouse.read_features", lake.read_features, raising=False)
    monkeypatch.setattr("ratchet.registry.champion_at", lake.champion_at)
    return lake
