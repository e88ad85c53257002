import shutil
from pathlib import Path

import pandas as pd
import pytest
from champions_lake import accept, release_again
from model_lake import FIRST, SECOND, THIRD, ModelLake, small

from ratchet.registry import promote, register
from ratchet.settings import Settings
from ratchet.spec import Spec


@pytest.fixture(scope="session")
def home_of_three(trained_home: Path, tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> Path:
    """Return folders in which three versions were champion in turn. Copy, never write."""
    home = tmp_path_factory.mktemp("three")
    shutil.copytree(trained_home, home, dirs_exist_ok=True)
    lake = ModelLake(small(spec), Settings(home, home), pd.DataFrame())
    version = register(lake.spec, FIRST, lake.settings, "by hand")
    accept(lake, version)
    promote(lake.spec, FIRST, lake.settings, version)
    for window, in_vain in ((SECOND, 11.0), (THIRD, 12.0)):
        version = release_again(lake, window, in_vain)
        promote(lake.spec, window, lake.settings, version)
    return home


@pytest.fixture
def three(home_of_three: Path, trained_lake: ModelLake, tmp_path: Path) -> ModelLake:
    """Return a lake in which versions 1, 2 and 3 were champion in turn."""
    shutil.copytree(home_of_three, tmp_path, dirs_exist_ok=True)
    return trained_lake
