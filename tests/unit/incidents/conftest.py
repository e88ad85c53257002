from pathlib import Path

import pytest
from incidents_made import graph_of

from ratchet.settings import Settings
from ratchet.spec import Spec


@pytest.fixture
def settings(spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return an empty lake whose lineage is known without dbt."""
    graph = graph_of(spec)
    monkeypatch.setattr("ratchet.lineage.load_graph", lambda *_: graph)
    return Settings(tmp_path, tmp_path)
