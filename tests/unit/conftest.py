import shutil
from pathlib import Path

import pandas as pd
import pytest
from fake_lake import FakeLake
from model_lake import FIRST, SECOND, THIRD, ModelLake, flights, small

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
    monkeypatch.setattr("ratchet.registry.load_release", lake.load_release)
    return lake


@pytest.fixture(scope="session")
def trained_home(spec: Spec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return folders in which the first window is trained and evaluated. Copy, never write."""
    from ratchet.evaluation import evaluate
    from ratchet.registry import initialise
    from ratchet.training import train

    lake = _model_lake(small(spec), tmp_path_factory.mktemp("trained"))
    lake.publish()
    initialise(lake.settings)
    snapshot_id = lake.snapshot_id(FIRST)
    for estimator in lake.spec.training.estimators:
        train(lake.spec, FIRST, snapshot_id, estimator, lake.settings)
    evaluate(lake.spec, FIRST, snapshot_id, lake.settings)
    return lake.settings.home


@pytest.fixture
def trained_lake(spec: Spec, trained_home: Path, tmp_path: Path) -> ModelLake:
    """Return a lake in which the first window is trained and evaluated."""
    shutil.copytree(trained_home, tmp_path, dirs_exist_ok=True)
    return _model_lake(small(spec), tmp_path)


@pytest.fixture
def model_lake(spec: Spec, tmp_path: Path) -> ModelLake:
    """Return a lake with published gold tables, and nothing made of them yet."""
    lake = _model_lake(small(spec), tmp_path)
    lake.publish()
    return lake


def _model_lake(spec: Spec, home: Path) -> ModelLake:
    windows = (FIRST, SECOND, THIRD)
    rows = pd.concat([flights(spec, window, seed) for seed, window in enumerate(windows)])
    return ModelLake(spec, Settings(home, home), rows.reset_index(drop=True))
