import pytest

from ratchet.lineage import Graph, load_graph
from ratchet.settings import Settings
from ratchet.spec import Spec


@pytest.fixture(scope="session")
def graph(flights_spec: Spec, tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """Return the lineage of the flagship's SQL: dbt compiles it once for all tests."""
    folder = tmp_path_factory.mktemp("lineage")
    return load_graph(flights_spec, Settings(folder, folder))
