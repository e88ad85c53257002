"""What tasks do when a table of their window is blocked: skip, and name what blocks it."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from incidents_made import graph_of
from three_weeks import LATER

from ratchet.quality import Finding, read_findings, write_findings
from ratchet.settings import PROJECT, Settings
from ratchet.spec import Spec
from ratchet.warehouse import unblock
from ratchet.window import Window

LAST = LATER[-1]
FINDING = Finding(
    check="units", subject="weather", state="found", rows=96, broken=3, text="miles, not metres"
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that runs a task body for a window; it returns what the task announced."""
    settings = Settings(tmp_path, PROJECT / "include" / "use_cases")
    monkeypatch.setenv("RATCHET_HOME", str(tmp_path))

    def execute(name: str, window: Window) -> tuple[object, list[str]]:
        from ratchet.orchestration import tasks

        announced: list[str] = []
        events = SimpleNamespace(add_partitions=announced.extend, extra={})
        context = {
            "run_id": "run",
            "dag_run": SimpleNamespace(partition_key=window.key, conf={}),
            "outlet_events": SimpleNamespace(),
        }
        context["outlet_events"] = type("Events", (), {"__getitem__": lambda self, asset: events})()
        monkeypatch.setattr("airflow.sdk.get_current_context", lambda: context)
        return getattr(tasks, name)("flights"), announced

    execute.settings = settings
    return execute


@pytest.fixture
def blocked(run, three_weeks: Settings, flights_spec: Spec):
    shutil.copytree(three_weeks.home / "lake", run.settings.home / "lake")
    write_findings(flights_spec, LAST, "feeds", [FINDING], run.settings)
    return run


def test_tasks_of_a_blocked_window_are_skipped_until_a_person_accepts(
    blocked, flights_spec, monkeypatch
):
    from airflow.sdk.exceptions import AirflowSkipException

    graph = graph_of(flights_spec)
    monkeypatch.setattr("ratchet.lineage.load_graph", lambda *_: graph)
    reason = "gold.feat_flights is blocked by units:weather .3 rows. in 2013-01-18 → 2013-01-22"
    for task in ("publish_gold", "score_window", "observe_window", "take_snapshot"):
        with pytest.raises(AirflowSkipException, match=reason):
            blocked(task, LAST)

    unblock(flights_spec, LAST, FINDING.name, "checked", "jane", blocked.settings)
    _, announced = blocked("publish_gold", LAST)
    assert announced == [LAST.key]
    facts, announced = blocked("score_window", LAST)
    assert facts["rows"] > 1000
    assert announced == [LAST.key]


def test_feed_at_fault_blocks_its_own_tables_and_lets_others_land(run, flights_inbox, flights_spec):
    two_days = Window.parse("2013-01-10T0000--2013-01-12T0000")
    for path in flights_inbox.glob("flights/*/*_201301[01]*.csv"):
        if path.name != "weather_20130111.csv":
            copied = run.settings.inbox / path.relative_to(flights_inbox)
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.symlink_to(path)

    facts, _ = run("land_feeds", two_days)

    assert "weather_20130111.csv is missing; ask ASOS" in facts["weather"]
    assert facts["movements"].endswith("0 quarantined")
    (fault,) = read_findings(flights_spec, two_days, run.settings, blocking=True)
    assert fault.name == "landing:weather"
    checked = read_findings(flights_spec, two_days, run.settings, blocking=False)
    assert {f.subject for f in checked if f.state == "ok"} == set(flights_spec.feeds) - {"weather"}


def test_owners_are_told_once_why_the_features_are_blocked(
    blocked, flights_spec, monkeypatch, caplog
):
    from airflow.sdk.exceptions import AirflowSkipException

    graph = graph_of(flights_spec)
    monkeypatch.setattr("ratchet.lineage.load_graph", lambda *_: graph)
    with pytest.raises(AirflowSkipException, match="not blocked"):
        blocked("notify_of_blocks", LATER[0])
    with pytest.raises(AirflowSkipException):
        blocked("publish_gold", LAST)
    with caplog.at_level("WARNING"):
        facts, _ = blocked("notify_of_blocks", LAST)
    assert facts == {"open": ["data:weather"], "sent": 2}
    assert "[page] Data fault in weather (opened, " in caplog.text
    assert "miles, not metres" in caplog.text
    again, _ = blocked("notify_owners", LAST)
    assert again == {"open": ["data:weather"], "sent": 0}


def test_incidents_of_a_window_are_worked_out_once_for_all_tasks(
    blocked, monkeypatch, flights_spec
):
    """Also of a blocked window, which is not observed: whoever tells of it reads what is stored."""
    from airflow.sdk.exceptions import AirflowSkipException

    from ratchet.incidents import store

    graph, seen = graph_of(flights_spec), []
    monkeypatch.setattr("ratchet.lineage.load_graph", lambda *_: graph)
    see = store.see
    monkeypatch.setattr(store, "see", lambda *args: seen.append(args[1]) or see(*args))
    with pytest.raises(AirflowSkipException):
        blocked("publish_gold", LAST)
    with pytest.raises(AirflowSkipException):
        blocked("observe_window", LAST)
    facts, _ = blocked("notify_owners", LAST)
    assert facts["open"] == ["data:weather"]
    assert seen == [LAST]
