"""Two analysts' dbt, each in a file of their own, while the pipeline builds and publishes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import duckdb
import pytest
from three_weeks import LATER

from ratchet.settings import PROJECT, Settings

COMMANDS = (
    ["show", "--inline", "select count(*) as flights from {{ ref('feat_flights') }}"],
    ["test", "--select", "mart_decision_costs", "fct_outcomes"],
    ["build"],
    ["source", "freshness"],
    ["docs", "generate"],
)
# a part of the data, and a model that reads what is published instead of one's own
SAMPLED = [
    "build",
    "--select",
    "feat_flights+",
    "--sample",
    "{start: '2013-01-15', end: '2013-01-16'}",
]
DEFERRED = ["run", "--select", "fct_outcomes", "--defer", "--favor-state", "--state"]
UNCHANGED = ["ls", "--select", "state:modified", "--state"]
RUN = """
import sys
from dbt.cli.main import dbtRunner
folders = ["--target-path", {target!r}, "--log-path", {target!r}]
for command in {commands!r}:
    if not dbtRunner().invoke([*command, *folders]).success:
        sys.exit(" ".join(command))
"""


# The pipeline, over and over: it writes a line for each window published, and ends when asked to.
PIPELINE = """
from pathlib import Path
from ratchet.settings import Settings
from ratchet.spec import load_spec
from ratchet.warehouse import build, publish
from ratchet.window import Window
home, window = Path({home!r}), Window.parse({window!r})
settings = Settings(home, home)
spec = load_spec(Path({spec!r}))
while not (home / "stop").exists():
    for layer in ("bronze", "silver", "gold"):
        build(spec, window, layer, settings, "beside analysts")
    publish(spec, window, settings)
    print("published", flush=True)
"""


@pytest.fixture(scope="module")
def home(three_weeks, tmp_path_factory) -> Settings:
    folder = tmp_path_factory.mktemp("analyst")
    shutil.copytree(three_weeks.home / "lake", folder / "lake")
    (folder / "dev").mkdir()
    return Settings(folder, folder)


@contextmanager
def pipeline(settings: Settings) -> Iterator[list[str]]:
    """Run the pipeline meanwhile; yield a list that holds its output afterwards."""
    script = PIPELINE.format(
        home=str(settings.home),
        window=LATER[-1].key,
        spec=str(PROJECT / "include" / "use_cases" / "flights.yaml"),
    )
    output: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            output.append(process.stdout.readline())
            yield output
        finally:
            (settings.home / "stop").touch()
            output += process.communicate()[0].splitlines()
    assert process.returncode == 0, output


def start(settings: Settings, user: str, *commands: list[str]) -> subprocess.Popen[str]:
    """Run dbt commands as a person would, from the project's folder."""
    target = str(settings.home / "target" / user)
    return subprocess.Popen(
        [sys.executable, "-c", RUN.format(commands=commands, target=target)],
        cwd=PROJECT / "dbt_project",
        env={**os.environ, "RATCHET_HOME": str(settings.home), "USER": user},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_every_command_of_two_analysts_works_while_the_pipeline_writes(home):
    state = str(home.lake("flights").published.parent)
    with pipeline(home) as output:
        analysts = [
            start(home, "jane.doe", *COMMANDS),
            start(home, "li.wei", SAMPLED, [*DEFERRED, state], [*UNCHANGED, state]),
        ]
        printed = [analyst.communicate()[0] for analyst in analysts]

    assert [analyst.returncode for analyst in analysts] == [0, 0], "\n".join(printed)
    assert "Found" in printed[0]
    assert "unit_test" in printed[0]
    assert (home.home / "target" / "jane.doe" / "catalog.json").exists()
    assert len(output) > 1, "the pipeline published nothing meanwhile"
    assert "'state:modified' does not match any enabled nodes" in printed[1]
    rows, first, last = own_features(home, "jane_doe")
    assert rows > 15_000
    rows, first, last = own_features(home, "li_wei")
    assert 500 < rows < 1000
    assert f"{first:%F}" == f"{last:%F}" == "2013-01-15"
    compiled = home.home / "target" / "li.wei" / "compiled" / "ratchet" / "models"
    query = (compiled / "gold" / "flights" / "fct_outcomes.sql").read_text()
    assert 'from "flights"."silver"."int_flights__outcomes"' in query


def own_features(settings: Settings, file: str) -> tuple[int, datetime, datetime]:
    """Return how many features an analyst built, of when; all are as they were published."""
    with duckdb.connect(settings.home / "dev" / f"{file}.duckdb") as own:
        own.execute(f"attach '{settings.lake('flights').published}' as flights (read_only)")
        other = own.execute("from gold.feat_flights except all from flights.gold.feat_flights")
        assert other.fetchall() == []
        return own.execute(
            "select count(*), min(decision_at), max(decision_at) from gold.feat_flights"
        ).fetchone()


def test_sample_of_days_that_are_not_published_is_refused(home):
    analyst = start(home, "li.wei", ["run", "--select", "fct_outcomes", "--sample", "3 days"])
    printed = analyst.communicate()[0]
    assert analyst.returncode != 0
    assert "holds nothing of what is published, 2012-12-31 00:00:00 to 2013-01-22" in printed
