"""Incidents on the command line: read, resolve, mark and silence them."""

from pathlib import Path

import pytest
from incidents_made import FIRST, signal, week

from ratchet.cli import main
from ratchet.incidents import all_incidents, judge_window, open_incidents
from ratchet.ledger import Ledger
from ratchet.monitoring import write_signals
from ratchet.settings import PROJECT, Settings
from ratchet.spec import Spec


@pytest.fixture
def settings(spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return a lake in which a KPI moved in the first of two weeks."""
    from incidents_made import graph_of

    for name in ("RATCHET_LEDGER", "RATCHET_USE_CASES", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RATCHET_HOME", str(tmp_path))
    graph = graph_of(spec)
    monkeypatch.setattr("ratchet.lineage.load_graph", lambda *_: graph)
    settings = Settings(tmp_path, PROJECT / "include" / "use_cases")
    moved = signal(family="kpi", rule="level", subject="departures", column=None)
    for number, effect in enumerate((0.5, 0.0)):
        of_week = moved.model_copy(update={"window": week(number).key, "effect": effect})
        write_signals(spec, week(number), "made", [of_week], settings)
        judge_window(spec, week(number), settings)
        open_incidents(spec, week(number), settings)
    return settings


def test_incidents_alone_lists_what_is_open_with_what_to_do(settings: Settings, capsys):
    assert main(["incidents"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "open since 2013-03-01" in first
    assert "(Ratchet maintainers)" in first
    assert second == "    It moved; look at its feed."


def test_incidents_show_says_all(settings: Settings, spec: Spec, capsys):
    (incident,) = all_incidents(spec, settings)
    assert main(["incidents", "show", incident.id[:4]]) == 0
    shown = capsys.readouterr().out
    for said in ("kpi:departures", "last good   none known", "0.5, threshold 0.1", str(FIRST)):
        assert said in shown


def test_incidents_resolve_needs_a_reason_and_is_a_decision(settings: Settings, spec: Spec, capsys):
    (incident,) = all_incidents(spec, settings)
    with pytest.raises(SystemExit):
        main(["incidents", "resolve", incident.id])
    said = ["incidents", "resolve", incident.id, "--reason", "a marathon", "--author", "ann"]
    assert main(said) == 0
    capsys.readouterr()
    assert main(["incidents"]) == 0
    assert capsys.readouterr().out == "flights: no incident is open\n"
    assert main(["incidents", "list", "--all"]) == 0
    assert "2013-03-01 → 2013-03-15" in capsys.readouterr().out
    (decision,) = Ledger(settings.lake("flights").ledger).decisions("incident")
    assert (decision.verdict, decision.author) == ("resolved", "ann")
    assert main(said) == 1
    assert "resolved by ann already" in capsys.readouterr().err


def test_incidents_mark_and_silence_are_decisions(settings: Settings, spec: Spec, capsys):
    (incident,) = all_incidents(spec, settings)
    assert main(["incidents", "mark", incident.id, "noise", "--author", "ann"]) == 0
    silence = ["incidents", "silence", "kpi.*", "--until", "2013-04-01T0000", "--reason", "known"]
    assert main(silence) == 0
    out = capsys.readouterr().out
    assert f"ann finds incident {incident.id} noise" in out
    assert "silences kpi.* until 2013-04-01 00:00: known" in out
    kinds = [d.kind for d in Ledger(settings.lake("flights").ledger).decisions()]
    assert kinds == ["incident", "silence"]


def test_incidents_digest_prints_one_for_each_owner(settings: Settings, capsys):
    assert main(["incidents", "digest"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Ratchet maintainers <maintainers@ratchet.example>\n")
    assert "1 open, 0 resolved" in out


def test_incidents_unknown_id_is_refused_with_a_remedy(settings: Settings, capsys):
    assert main(["incidents", "show", "zzzz"]) == 1
    assert "see `ratchet incidents list`" in capsys.readouterr().err
