from pathlib import Path
from typing import Any

import pytest

from ratchet.settings import PROJECT


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return dbt's manifest of the project."""
    from dbt.cli.main import dbtRunner

    project, target = str(PROJECT / "dbt_project"), str(tmp_path_factory.mktemp("target"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RATCHET_HOME", str(Path(target)))
        patch.setenv("RATCHET_USE_CASE", "*")
        result = dbtRunner().invoke(
            [
                "parse",
                *("--project-dir", project, "--profiles-dir", project),
                *("--target-path", target, "--log-level", "none", "--log-level-file", "none"),
            ]
        )
    assert result.success, result.exception
    return result.result


@pytest.fixture(scope="session")
def models(manifest: Any) -> dict[str, Any]:
    """Return all models by name."""
    nodes = manifest.nodes.values()
    return {node.name: node for node in nodes if str(node.resource_type) == "model"}
