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
    return lake


@pytest.fixture(scope="session")
def trained_home(spec: Spec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return folders in which the first window is trained and evaluated. Copy, never write."""
    from ratchet.evaluation import evaluate
    from ratchet.registry import initialise
    from ratchet.training import train

    home = tmp_path_factory.mktemp("trained")
    lake = _model_lake(small(spec), home)
    with pytest.MonkeyPatch.context() as patch:
        lake.stand_in(patch)
        initialise(lake.settings)
        for estimator in lake.spec.training.estimators:
            train(lake.spec, FIRST, lake.snapshot_id(FIRST), estimator, lake.settings)
        evaluate(lake.spec, FIRST, lake.snapshot_id(FIRST), lake.settings)
    return home


@pytest.fixture
def model_lake(spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelLake:
    lake = _model_lake(small(spec), tmp_path)
    lake.stand_in(monkeypatch)
    return lake


@pytest.fixture
def trained_lake(trained_home: Path, model_lake: ModelLake) -> ModelLake:
    shutil.copytree(trained_home, model_lake.settings.home, dirs_exist_ok=True)
    return model_lake


def _model_lake(spec: Spec, home: Path) -> ModelLake:
    windows = (FIRST, SECOND, THIRD)
    rows = pd.concat([flights(spec, window, seed) for seed, window in enumerate(windows)])
    return ModelLake(spec, Settings(home, home), rows)
