"""What other stages write has the columns that gold's views expect."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from model_lake import FIRST
from three_weeks import LATER

from ratchet.incidents import open_incidents
from ratchet.monitoring import observe, write_signals
from ratchet.monitoring.estimating import watch_estimates
from ratchet.quality import Finding, write_findings
from ratchet.serving import score
from ratchet.settings import Settings
from ratchet.warehouse import blocking, control


@pytest.fixture
def empty(flights_spec, tmp_path) -> Path:
    """Return a lake in which a build has just begun."""
    settings = Settings(tmp_path / "empty", tmp_path / "empty")
    control.begin(flights_spec, FIRST, settings, "run")
    return settings.lake("flights").root


def schema(path: Path) -> dict[str, str]:
    rows = duckdb.execute(f"describe from read_parquet('{path}')").fetchall()
    return {name: kind for name, kind, *_ in rows}


@pytest.fixture
def written(model_lake, three_weeks, flights_spec) -> dict[str, Path]:
    """Return a file that a stage wrote, by the folder that gold shows."""
    score(model_lake.spec, FIRST, model_lake.settings)
    observe(model_lake.spec, FIRST, model_lake.settings)
    watch_estimates(model_lake.spec, FIRST, model_lake.settings)
    write_signals(flights_spec, FIRST, "kpi", [], model_lake.settings)
    looked = Finding(check="volume", subject="weather", state="ok", rows=5, text="as ever")
    write_findings(flights_spec, FIRST, "volume", [looked], model_lake.settings)
    blocking.begin(flights_spec, FIRST, "gold", model_lake.settings)
    apart = Settings(model_lake.settings.home / "apart", model_lake.settings.home)
    open_incidents(flights_spec, FIRST, apart)
    told = apart.lake("flights").incidents
    begun = model_lake.lake.root / "blocks" / f"{FIRST.key}.parquet"
    built = three_weeks.lake("flights").monitoring
    root = model_lake.lake.root
    return {
        "predictions": root / "predictions" / f"{FIRST.key}.parquet",
        "monitoring/cohorts": root / "monitoring" / "cohorts" / f"{FIRST.key}.parquet",
        "monitoring/estimates": root / "monitoring" / "estimates" / f"{FIRST.key}.parquet",
        "monitoring/signals/": root / "monitoring/signals/kpi" / f"{FIRST.key}.parquet",
        "monitoring/signals/kpi": root / "monitoring/signals/kpi" / f"{FIRST.key}.parquet",
        "monitoring/service": root / "monitoring" / "service" / f"{FIRST.key}.parquet",
        "monitoring/results": next(built.glob(f"results/{LATER[-1].key}.gold.*.parquet")),
        "monitoring/failed_rows": next(built.glob(f"failed_rows/{LATER[-1].key}.gold.*.parquet")),
        "blocks": begun,
        "incidents/incidents": told / "incidents" / f"{FIRST.key}.parquet",
        "incidents/alerts": told / "alerts" / f"{FIRST.key}.parquet",
        "findings/": root / "findings" / "volume" / f"{FIRST.key}.parquet",
    }


def test_shown_tables_are_those_that_the_stages_write(written, empty):
    assert {p.parent for p in empty.glob("**/none.parquet")} == {
        empty / f"{folder}.none" for folder in written
    }
    for folder, path in written.items():
        none = empty / f"{folder}.none" / "none.parquet"
        assert pq.read_metadata(none).num_rows == 0
        assert schema(none) == schema(path), folder
