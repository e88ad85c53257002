"""Incidents of windows, one after the other, and any of them again."""

import pytest
from incidents_made import FIRST, signal, week

from ratchet.decision import Decision
from ratchet.incidents import (
    incident_windows,
    judge_window,
    known_incidents,
    open_incidents,
    read_alerts,
    read_incidents,
    store,
)
from ratchet.ledger import Ledger
from ratchet.monitoring import write_signals
from ratchet.quality import Finding, write_findings
from ratchet.settings import Settings
from ratchet.spec import Spec


def watch(spec: Spec, settings: Settings, number: int, *, moved: bool) -> list[str]:
    """Measure and judge a week in which a KPI did or did not move; return what is open."""
    window = week(number)
    kpi = signal(window=window, family="kpi", rule="level", subject="departures", column=None)
    quiet = kpi.model_copy(update={"effect": 0.0, "p_value": 1.0})
    write_signals(spec, window, "made", [kpi if moved else quiet], settings)
    judge_window(spec, window, settings)
    return [incident.fingerprint for incident in open_incidents(spec, window, settings)]


def test_open_incidents_follow_the_windows(spec: Spec, settings: Settings):
    story = [watch(spec, settings, n, moved=n in (1, 2)) for n in range(6)]
    kpi = ["kpi:departures"]
    assert story == [[], kpi, kpi, kpi, [], []]
    (over,) = read_incidents(spec, week(4), settings)
    assert (over.state, over.resolved_by, over.last_good) == ("resolved", "recovery", FIRST.key)
    assert [i.window for i in read_incidents(spec, week(5), settings)] == [week(5).key]
    assert incident_windows(spec, settings) == [week(n) for n in range(6)]


def test_open_incidents_any_window_again_gives_the_same(spec: Spec, settings: Settings):
    def kept() -> dict[str, object]:
        return {w.key: read_incidents(spec, w, settings) for w in incident_windows(spec, settings)}

    for n in range(4):
        watch(spec, settings, n, moved=n == 1)
    first = kept()
    for n in (2, 0, 3, 1):
        watch(spec, settings, n, moved=n == 1)
        assert kept() == first


def test_open_incidents_later_windows_follow_one_that_was_mended(spec: Spec, settings: Settings):
    for n in range(3):
        watch(spec, settings, n, moved=n == 0)
    assert [i.state for i in read_incidents(spec, week(2), settings)] == ["resolved"]
    assert watch(spec, settings, 0, moved=False) == []
    assert read_incidents(spec, week(2), settings) == []


def test_known_incidents_are_worked_out_once_and_read_from_then_on(spec: Spec, settings: Settings):
    fault = Finding(check="landing", subject="weather", state="found", rows=0, text="No file came.")
    write_findings(spec, FIRST, "landing", [fault], settings)
    found = known_incidents(spec, FIRST, settings)
    assert [incident.fingerprint for incident in found] == ["data:weather"]
    mended = fault.model_copy(update={"state": "ok"})
    write_findings(spec, FIRST, "landing", [mended], settings)
    assert known_incidents(spec, FIRST, settings) == found
    assert open_incidents(spec, FIRST, settings) == []
    assert known_incidents(spec, FIRST, settings) == []


def test_known_incidents_of_a_window_killed_on_the_way_are_worked_out_again(
    spec: Spec, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    """What there is to tell must not be lost with whoever was killed before it was written."""
    fault = Finding(check="landing", subject="weather", state="found", rows=0, text="No file came.")
    write_findings(spec, FIRST, "landing", [fault], settings)
    write, written = store._write, []

    def killed(path, schema, records):
        if written:
            raise KeyboardInterrupt
        write(path, schema, records)
        written.append(path)

    with monkeypatch.context() as patched:
        patched.setattr(store, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            known_incidents(spec, FIRST, settings)
    assert [i.fingerprint for i in known_incidents(spec, FIRST, settings)] == ["data:weather"]
    assert {alert.event for alert in read_alerts(spec, [FIRST], settings)} >= {"opened"}


def test_open_incidents_fault_of_data_needs_no_signals(spec: Spec, settings: Settings):
    """A window whose features are blocked is not scored, and so not measured."""
    text = "No file came; ask who sends it."
    for number, state in enumerate(["ok", "found", "ok"]):
        fault = Finding(check="landing", subject="weather", state=state, rows=0, text=text)
        write_findings(spec, week(number), "landing", [fault], settings)
    story = [open_incidents(spec, week(n), settings) for n in range(3)]
    assert [[i.fingerprint for i in found] for found in story] == [
        [],
        ["data:weather"],
        ["data:weather"],
    ]
    (found,) = story[1]
    assert (found.cause, found.severity, found.text) == ("data", "ticket", text)
    assert (found.last_good, found.windows) == (FIRST.key, (week(1).key,))
    assert "weather.temperature_f" in found.columns


def test_open_incidents_person_resolves_from_the_next_window_on(spec: Spec, settings: Settings):
    watch(spec, settings, 0, moved=True)
    (incident,) = read_incidents(spec, FIRST, settings)
    decision = Decision(
        kind="incident",
        use_case=spec.name,
        window=FIRST.key,
        verdict="resolved",
        clauses=(),
        subject={"incident": incident.id},
        evidence={"reason": "a marathon"},
        author="ann",
    )
    Ledger(settings.lake(spec.name).ledger).record(decision)
    assert watch(spec, settings, 0, moved=True) == ["kpi:departures"]
    assert watch(spec, settings, 1, moved=False) == []
