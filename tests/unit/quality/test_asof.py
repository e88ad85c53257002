"""Gold follows from what was known: a look-ahead in the SQL is found by the feature's name."""

import copy as copies
import shutil
from typing import Any

import duckdb
import pytest
from three_weeks import LATER

from ratchet.cli import main
from ratchet.errors import EvidenceError
from ratchet.quality import check_as_of, check_snapshot, judge_snapshot, read_findings
from ratchet.settings import PROJECT, Settings
from ratchet.warehouse import compile_project, take_snapshot
from ratchet.window import Window

WINDOW = LATER[1]
WEATHER = {
    *("temperature_f", "dew_point_f", "humidity_pct", "wind_speed_mph", "wind_gust_mph"),
    *("precipitation_in", "visibility_mi", "weather_age_min"),
}


@pytest.fixture(scope="module")
def compiled(flights_spec) -> dict[str, Any]:
    """Return what dbt makes of the project as it is."""
    return compile_project(flights_spec)


@pytest.fixture
def home(three_weeks, tmp_path) -> Settings:
    settings = Settings(tmp_path, PROJECT / "include" / "use_cases")
    published = settings.lake("flights").published
    published.parent.mkdir(parents=True)
    shutil.copyfile(three_weeks.lake("flights").published, published)
    return settings


@pytest.fixture
def project(compiled, monkeypatch):
    """Return the compiled project, for a test to change; nothing else is compiled meanwhile."""
    manifest = copies.deepcopy(compiled)
    monkeypatch.setattr("ratchet.warehouse.compile_project", lambda spec: manifest)
    return manifest


def look_ahead(project, home: Settings, replaced: dict[str, tuple[str, str]]) -> None:
    """Change the SQL of some models, in order of their needs, and publish what it makes."""
    with duckdb.connect(home.lake("flights").published) as connection:
        connection.execute(
            "set variable range_start = timestamp '2012-12-31'; "
            "set variable range_end = timestamp '2013-01-22';"
        )
        for name, (right, wrong) in replaced.items():
            node = project["nodes"][f"model.ratchet.{name}"]
            assert right in node["compiled_code"]
            node["compiled_code"] = node["compiled_code"].replace(right, wrong)
            table = f"{node['schema']}.{name}"
            connection.execute(f"create or replace table {table} as {node['compiled_code']}")


def broken(findings):
    return {finding.column for finding in findings if finding.is_fault}


def test_check_as_of_published_flights_are_what_was_known(home, project, flights_spec):
    (finding,) = check_as_of(flights_spec, WINDOW, home, 2)
    assert (finding.state, finding.broken) == ("ok", 0)
    assert finding.rows >= 2
    assert read_findings(flights_spec, WINDOW, home, blocking=False) == [finding]


def test_check_as_of_weather_of_the_future_is_named(home, project, flights_spec):
    right = "flights.decision_at >= observations.known_at"
    wrong = "flights.decision_at + interval '3 hours' >= observations.known_at"
    look_ahead(project, home, {"feat_flights": (right, wrong)})
    found = broken(check_as_of(flights_spec, WINDOW, home, 2))
    assert found
    assert found <= WEATHER


def test_training_is_blocked_by_the_future_until_a_check_comes_out_right(
    home, three_weeks, project, compiled, flights_spec
):
    right = "flights.decision_at >= observations.known_at"
    wrong = "flights.decision_at + interval '3 hours' >= observations.known_at"
    look_ahead(project, home, {"feat_flights": (right, wrong)})
    faults = {finding.name for finding in check_as_of(flights_spec, WINDOW, home, 2)}
    assert faults

    def decide():
        snapshot = take_snapshot(flights_spec, LATER[2], home)
        found = check_snapshot(flights_spec, LATER[2], snapshot.id, home)
        return judge_snapshot(found, flights_spec, LATER[2], snapshot.id)

    blocked = decide()
    assert blocked.verdict == "blocked"
    assert set(blocked.subject["blocked_by"].split(", ")) >= faults

    mended = copies.deepcopy(compiled)
    project["nodes"] = mended["nodes"]
    shutil.copyfile(three_weeks.lake("flights").published, home.lake("flights").published)
    assert decide().verdict == "blocked"  # nobody has looked again
    check_as_of(flights_spec, WINDOW, home, 2)
    after = decide()
    assert not any(name in str(after.subject) for name in faults)
    assert "came out the same" in " ".join(clause.text for clause in after.clauses)


def test_check_as_of_departures_of_the_future_in_silver_are_named(home, project, flights_spec):
    right = "progress.departed_known_at <= moments.decision_at"
    same = ("select * from final", "select * from final")
    look_ahead(
        project,
        home,
        {
            "int_flights__queues": (right, f"{right} + interval '1 hour'"),
            "feat_flights": same,
        },
    )
    findings = check_as_of(flights_spec, WINDOW, home, 4)
    assert "origin_waiting" in broken(findings)
    assert not broken(findings) & WEATHER
    assert "rests on the future" in findings[0].text
    assert read_findings(flights_spec, WINDOW, home, blocking=True) == findings


def test_check_as_of_decision_of_the_future_is_named(home, project, flights_spec):
    with duckdb.connect(home.lake("flights").published) as connection:
        connection.execute(
            "insert into gold.feat_flights by name select * replace ('added later' as flight_id) "
            "from gold.feat_flights"
        )
    (finding,) = check_as_of(flights_spec, WINDOW, home, 1)
    assert (finding.column, finding.broken) == ("flight_id", finding.rows - finding.broken)


def test_check_as_of_a_window_without_decisions_is_refused(home, project, flights_spec):
    empty = Window.parse("2013-02-10T0000--2013-02-11T0000")
    with pytest.raises(EvidenceError, match="nothing was decided; give another window"):
        check_as_of(flights_spec, empty, home, 1)


def test_command_check_as_of_says_what_it_found(home, project, monkeypatch, capsys):
    monkeypatch.setenv("RATCHET_HOME", str(home.home))
    assert main(["data", "check-as-of", "--window", WINDOW.key, "--sample", "1"]) == 0
    assert "were rebuilt from what was known then" in capsys.readouterr().out
