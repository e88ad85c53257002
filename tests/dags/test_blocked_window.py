"""What tasks do when a table of their window is blocked: skip, and name what blocks it."""

import shutil
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from incidents_made import graph_of
from three_weeks import BASE, LATER

from ratchet.quality import Finding, read_findings, write_findings
from ratchet.settings import PROJECT, Settings
from ratchet.spec import Spec
from ratchet.spec.owner import Owner
from ratchet.warehouse import unblock
from ratchet.window import Window

LATE, LAST = LATER[1:]
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


@pytest.fixture
def late(run, three_weeks: Settings, flights_inbox: Path):
    """Return a function that runs tasks; of the window `LATE`, weather's files have not come."""
    for window in (BASE, LATER[0]):
        for folder in (three_weeks.home / "lake/flights/landing").glob(f"*/{window.key}"):
            shutil.copytree(folder, run.settings.home / folder.relative_to(three_weeks.home))
    days = _days_of(LATE)
    for path in flights_inbox.glob("flights/*/*_201301*.csv"):
        if path.stem not in {f"weather_{day:%Y%m%d}" for day in days}:
            copied = run.settings.inbox / path.relative_to(flights_inbox)
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.symlink_to(path)
    return run


def _days_of(window: Window) -> list[date]:
    return [window.start.date() + timedelta(days=n) for n in range(int(window.days))]


@pytest.mark.parametrize("sends_older_rows", [False, True])
def test_feed_that_is_a_window_late_is_told_once_to_its_owner(
    late, flights_inbox, flights_spec, monkeypatch, sends_older_rows
):
    """Either no file comes, or each holds rows of a window ago: what counts is the rows' time."""
    from ratchet.incidents import open_incidents, read_alerts

    graph, settings = graph_of(flights_spec), late.settings
    monkeypatch.setattr("ratchet.lineage.load_graph", lambda *_: graph)
    stations = Owner(name="Stations", email="stations@ratchet.example")
    weather = flights_spec.feeds["weather"].model_copy(update={"owner": stations})
    spec = flights_spec.model_copy(update={"feeds": flights_spec.feeds | {"weather": weather}})
    for day in _days_of(LATE) if sends_older_rows else ():
        older = f"flights/weather/weather_{day - timedelta(days=LATE.days):%Y%m%d}.csv"
        sent = settings.inbox / "flights" / "weather" / f"weather_{day:%Y%m%d}.csv"
        sent.symlink_to(flights_inbox / older)
    for task in ("land_feeds", "check_feeds"):
        late(task, LATE)

    faults = read_findings(spec, LATE, settings, blocking=True)
    assert {fault.subject for fault in faults} == {"weather"}
    unfresh = [fault for fault in faults if fault.check == "freshness"]
    # the last day is due in the next window
    assert [fault.segment for fault in unfresh] == [f"{day}" for day in _days_of(LATE)[:-1]]
    assert all("nothing of it was there; ask ASOS" in fault.text for fault in unfresh)
    (incident,) = open_incidents(spec, LATE, settings)
    assert (incident.fingerprint, incident.owner_email) == ("data:weather", stations.email)
    alerts = read_alerts(spec, [LATE], settings)
    assert [(a.incident, a.owner_email) for a in alerts if a.event == "opened"] == [
        (incident.id, stations.email)
    ]
