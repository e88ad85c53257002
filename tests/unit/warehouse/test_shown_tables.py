"""What other stages write has the columns that gold's views expect."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from model_lake import FIRST

from ratchet.monitoring import observe
from ratchet.serving import score
from ratchet.settings import Settings
from ratchet.warehouse import control


@pytest.fixture
def empty(flights_spec, tmp_path) -> Path:
    """Return a lake in which a build has just begun."""
    settings = Settings(tmp_path / "empty", tmp_path / "empty")
    control.begin(flights_spec, FIRST, settings, "run")
    return settings.lake("flights").root


def schema(path: Path) -> dict[str, str]:
    rows = duckdb.execute(f"describe from read_parquet('{path}')").fetchall()
    return {name: kind for name, kind, *_ in rows}


def test_shown_tables_are_those_that_the_stages_write(model_lake, empty):
    score(model_lake.spec, FIRST, model_lake.settings)
    observe(model_lake.spec, FIRST, model_lake.settings)
    written = {"predictions", "monitoring/cohorts", "monitoring/drift"}
    assert {str(p.parent.relative_to(empty)) for p in empty.glob("**/none.parquet")} == {
        f"{folder}.none" for folder in written
    }
    for folder in written:
        none = empty / f"{folder}.none" / "none.parquet"
        assert pq.read_metadata(none).num_rows == 0
        assert schema(none) == schema(model_lake.lake.root / folder / f"{FIRST.key}.parquet"), (
            folder
        )
