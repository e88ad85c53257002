"""An analyst's dbt, in a file of one's own, while the pipeline holds the warehouse."""

import os
import shutil
import subprocess
import sys

import duckdb
import pytest

from ratchet.settings import PROJECT, Settings

COMMANDS = (
    ["show", "--inline", "select count(*) as flights from {{ ref('feat_flights') }}"],
    ["test", "--select", "mart_decision_costs", "fct_outcomes"],
    ["build"],
    ["source", "freshness"],
    ["docs", "generate"],
)
RUN = """
import sys
from dbt.cli.main import dbtRunner
folders = ["--target-path", {target!r}, "--log-path", {target!r}]
for command in {commands!r}:
    if not dbtRunner().invoke([*command, *folders]).success:
        sys.exit(" ".join(command))
"""


@pytest.fixture(scope="module")
def home(three_weeks, tmp_path_factory) -> Settings:
    folder = tmp_path_factory.mktemp("analyst")
    shutil.copytree(three_weeks.home / "lake", folder / "lake")
    (folder / "dev").mkdir()
    return Settings(folder, folder)


def dbt(settings: Settings, *commands: list[str]) -> subprocess.CompletedProcess[str]:
    """Run dbt commands as a person would, from the project's folder."""
    target = str(settings.home / "target")
    return subprocess.run(
        [sys.executable, "-c", RUN.format(commands=commands, target=target)],
        cwd=PROJECT / "dbt_project",
        env={**os.environ, "RATCHET_HOME": str(settings.home), "USER": "jane.doe"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_command_works_while_the_pipeline_writes(home):
    lake = home.lake("flights")
    with duckdb.connect(lake.warehouse) as pipeline:
        pipeline.begin()
        pipeline.execute("update gold.feat_flights set carrier_hour_rate = 0")

        done = dbt(home, *COMMANDS)

        assert done.returncode == 0, f"{done.stderr}\n{done.stdout}"
        pipeline.commit()
    assert "Found" in done.stdout
    assert "unit_test" in done.stdout
    assert (home.home / "target" / "catalog.json").exists()
    with duckdb.connect(home.home / "dev" / "jane_doe.duckdb") as own:
        own.execute(f"attach '{lake.published}' as flights (read_only)")
        built = own.execute("select count(*) from gold.feat_flights").fetchone()[0]
        other = own.execute("from gold.feat_flights except all from flights.gold.feat_flights")
        assert built > 15_000
        assert other.fetchall() == []
