import shutil
import threading
from datetime import timedelta

import pytest
from champions_lake import release_again
from model_lake import FIRST, SECOND, THIRD

from ratchet.cli import main
from ratchet.decision import Decision
from ratchet.errors import ReleaseError
from ratchet.ledger import Ledger
from ratchet.registry import champion_at, drill, has_previous, promote, restoring, rollback
from ratchet.registry.reproduction import stored_answers
from ratchet.registry.tracking import Tracking
from ratchet.window import Window

FOURTH = Window.parse("2013-03-15T0000--2013-03-22T0000")


def back(lake, **how):
    return rollback(lake.spec, lake.settings, reason="it acts too often", author="ana", **how)


def champion(lake, moment):
    found = champion_at(lake.spec, moment, lake.settings)
    return found and found.version


def registry(lake):
    client = Tracking.of(lake.spec, lake.settings).client
    alias = str(client.get_registered_model(lake.spec.name).aliases["champion"])
    versions = client.search_model_versions(f"name = '{lake.spec.name}'")
    return alias, {str(v.version): v.tags["verdict"] for v in versions}


def scored(lake, *windows):
    for window in windows:
        path = lake.lake.predictions / f"{window.key}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_rollback_brings_back_the_previous_unit_from_the_last_scored_window_on(three):
    scored(three, SECOND, THIRD, FOURTH)
    decision = back(three)
    assert (decision.verdict, decision.author, decision.window) == (
        "rolled back",
        "ana",
        FOURTH.key,
    )
    assert decision.subject == {"version": "2", "taken_out": "3"}
    assert "it acts too often" in decision.reasons[0]
    assert champion(three, FOURTH.end) == "2"
    assert champion(three, FOURTH.start) == "3", "what was scored keeps its champion"
    assert champion(three, SECOND.end) == "2"
    assert champion(three, FIRST.end) == "1"
    unit = champion_at(three.spec, FOURTH.end, three.settings)
    assert unit.spec.costs.negative_acted_on == 11, "its costs come back with its model"
    assert registry(three) == ("2", {"1": "promoted", "2": "promoted", "3": "rolled back"})


def test_rollback_before_the_champion_scored_anything_takes_effect_at_once(three):
    decision = back(three)
    assert decision.window == THIRD.key
    assert champion(three, THIRD.end) == "2"
    assert champion(three, THIRD.end - timedelta(minutes=1)) == "2"


def test_rollback_again_goes_back_no_further(three):
    first = back(three)
    scored(three, FOURTH)
    assert back(three) == first
    assert len(Ledger(three.lake.ledger).decisions("rollback")) == 1
    assert registry(three)[0] == "2"


def test_rollback_to_a_named_version_goes_back_further(three):
    back(three)
    assert back(three, to="1").subject == {"version": "1", "taken_out": "2"}
    assert champion(three, THIRD.end) == "1"
    assert registry(three) == ("1", {"1": "promoted", "2": "rolled back", "3": "rolled back"})
    with pytest.raises(ReleaseError, match="version 1 is the only one"):
        rollback(three.spec, three.settings, reason="no", author="ana", to="2")


def test_rollback_over_two_takes_both_out(three):
    assert back(three, to="1").subject == {"version": "1", "taken_out": "2, 3"}
    assert registry(three) == ("1", {"1": "promoted", "2": "rolled back", "3": "rolled back"})


def meanwhile(monkeypatch, act):
    """Let another process act between what a rollback reads of the ledger and what it writes."""
    append, calls = Ledger.append, []

    def slow(ledger, decision, **how):
        if decision.kind == "rollback":
            calls.append(decision.subject["version"])
            if len(calls) == 1:
                act()
        return append(ledger, decision, **how)

    monkeypatch.setattr(Ledger, "append", slow)
    return calls


def test_two_rollbacks_at_once_leave_a_champion_and_both_name_it(three, monkeypatch):
    with monkeypatch.context() as patch:
        calls = meanwhile(patch, lambda: back(three, to="1"))
        decision = back(three)
    assert calls == ["2", "1", "1"]
    assert decision.subject == {"version": "1", "taken_out": "2, 3"}
    assert Ledger(three.lake.ledger).decisions("rollback") == [decision]
    assert champion(three, THIRD.end) == "1"
    assert registry(three) == ("1", {"1": "promoted", "2": "rolled back", "3": "rolled back"})


def test_rollback_overtaken_by_a_promotion_takes_that_one_out_by_name(three, monkeypatch):
    def act():
        version = release_again(three, FOURTH, 12)
        promote(three.spec, FOURTH, three.settings, version)

    with monkeypatch.context() as patch:
        calls = meanwhile(patch, act)
        decision = back(three)
    assert calls == ["2", "3"]
    assert decision.subject == {"version": "3", "taken_out": "4"}
    assert champion(three, FOURTH.end) == "3"


def test_rollback_from_a_moment_takes_effect_then(three):
    back(three, since=FOURTH.end)
    assert champion(three, FOURTH.start) == "3"
    assert champion(three, FOURTH.end) == "2"


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"to": "3"}, "version 3 can't come back"),
        ({"to": "7"}, r"never passed the gate; name one of \['1', '2'\]"),
        ({"since": SECOND.end}, "can't be taken out earlier"),
        ({"since": THIRD.end + timedelta(hours=1)}, "no window ends at"),
    ],
)
def test_rollback_that_can_not_be_raises_and_changes_nothing(three, how, message):
    before = registry(three)
    with pytest.raises(ReleaseError, match=message):
        back(three, **how)
    assert (champion(three, THIRD.end), registry(three)) == ("3", before)


def test_rollback_without_a_previous_version_raises(trained_lake):
    with pytest.raises(ReleaseError, match="there is no champion"):
        back(trained_lake)


@pytest.mark.parametrize("name", ["model.skops", "spec.json", "decisions.json"])
def test_rollback_to_files_that_were_changed_raises(three, name):
    path = three.lake.releases / "2" / name
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ReleaseError, match=f"{name}.* changed"):
        back(three)
    assert champion(three, THIRD.end) == "3"


def test_rollback_what_was_taken_out_does_not_come_back_by_its_old_promotion(three):
    back(three)
    promote(three.spec.model_copy(), THIRD, three.settings, "3")
    assert champion(three, FOURTH.end) == "2"
    assert registry(three) == ("2", {"1": "promoted", "2": "promoted", "3": "rolled back"})


def test_rollback_later_promotions_go_on_as_usual(three):
    back(three)
    version = release_again(three, FOURTH, 13.0)
    promote(three.spec, FOURTH, three.settings, version)
    assert champion(three, FOURTH.start) == "2"
    assert champion(three, FOURTH.end) == version == "4"
    assert back(three).subject == {"version": "2", "taken_out": "4"}


class KilledError(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize(
    "step",
    [
        (Ledger, "append"),
        (Tracking, "of"),
        (Tracking, "tag_verdict"),
        (Tracking, "tag_anchor"),
        (Tracking, "set_alias"),
    ],
    ids=lambda step: step[1],
)
def test_rollback_killed_at_any_step_ends_as_if_undisturbed(three, monkeypatch, step):
    def die(*args, **kwargs):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(*step, die)
        with pytest.raises(KilledError):
            back(three)
    assert back(three).subject == {"version": "2", "taken_out": "3"}
    assert len(Ledger(three.lake.ledger).decisions("rollback")) == 1
    assert registry(three) == ("2", {"1": "promoted", "2": "promoted", "3": "rolled back"})


def test_rollback_stands_when_mlflow_is_away_and_is_told_later(three, monkeypatch):
    def away(*args, **kwargs):
        raise ConnectionError("no route to host")

    with monkeypatch.context() as patch:
        patch.setattr(Tracking, "of", away)
        with pytest.raises(ReleaseError, match=r"version 2 is champion again .* run the same"):
            back(three)
    assert champion(three, THIRD.end) == "2"
    back(three)
    assert registry(three)[0] == "2"


def test_two_at_once_leave_the_alias_with_the_newest(three, monkeypatch):
    set_alias, calls = Tracking.set_alias, []

    def slow(tracking, alias, version):
        calls.append(version)
        if len(calls) == 1:  # another process rolls back between reading the ledger and this
            back(three)
        set_alias(tracking, alias, version)

    with monkeypatch.context() as patch:
        patch.setattr(Tracking, "set_alias", slow)
        promote(three.spec, SECOND, three.settings, "2")
    assert calls[0] == "3"
    assert registry(three)[0] == "2"


def test_drill_passes_and_touches_nothing(three):
    back(three)
    before = registry(three), champion(three, FOURTH.end)
    decision = drill(three.spec, three.settings, "monthly")
    assert (decision.verdict, decision.reasons) == (
        "passed",
        [clause.text for clause in decision.clauses],
    )
    assert [clause.name for clause in decision.clauses] == ["came_back", "same_answers"]
    assert decision.subject == {"version": "1", "champion": "2", "run": "monthly"}
    assert decision.evidence["seconds"] > 0
    assert (registry(three), champion(three, FOURTH.end)) == before
    assert drill(three.spec, three.settings, "monthly") == decision


def test_drill_copies_a_whole_ledger_while_others_record(three):
    def record():
        for number in range(100):
            Ledger(three.lake.ledger).record(
                Decision(
                    kind="data",
                    use_case=three.spec.name,
                    window=str(number),
                    verdict="accepted",
                    clauses=(),
                )
            )

    copies, writer = 0, threading.Thread(target=record)
    writer.start()
    while writer.is_alive():
        with restoring._copied(three.spec, three.settings, "2") as copy:
            copied = Ledger(copy.lake(three.spec.name).ledger)
            assert len(copied.decisions("promotion")) == 3
        copies += 1
    assert copies > 1


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda lake: shutil.rmtree(lake.lake.releases / "1"), "is no release"),
        (
            lambda lake: (lake.lake.releases / "1" / "model.skops").unlink(),
            "model.skops is missing",
        ),
        (lambda lake: shutil.rmtree(lake.lake.snapshots), "has no snapshot"),
    ],
    ids=["release", "model", "snapshot"],
)
def test_drill_fails_where_the_previous_unit_is_damaged(three, damage, text):
    back(three)
    damage(three)
    decision = drill(three.spec, three.settings, "monthly")
    assert decision.verdict == "failed"
    assert text in decision.reasons[0]


def test_drill_fails_where_answers_are_not_what_they_were(three, monkeypatch):
    back(three)

    def moved(release):
        answers = stored_answers(release)
        answers.loc[0, "probability"] *= 1 + 2**-52  # the last bit
        return answers

    monkeypatch.setattr(restoring, "stored_answers", moved)
    decision = drill(three.spec, three.settings, "monthly")
    assert decision.verdict == "failed"
    assert ", 1 differ from those" in decision.reasons[0]


def test_drill_without_a_previous_version_raises(trained_lake):
    assert not has_previous(trained_lake.spec, trained_lake.settings)
    with pytest.raises(ReleaseError, match="no previous version"):
        drill(trained_lake.spec, trained_lake.settings, "monthly")


def test_cli_rolls_back_with_a_reason_only(three, capsys, monkeypatch):
    monkeypatch.setattr("ratchet.cli._spec", lambda _: three.spec)
    monkeypatch.setattr("ratchet.cli._settings", lambda _: three.settings)
    with pytest.raises(SystemExit):
        main(["rollback", "flights"])
    capsys.readouterr()
    assert main(["rollback", "flights", "--reason", "it acts too often"]) == 0
    assert "version 2 decides from 2013-03-15 00:00 UTC on" in capsys.readouterr().out
    assert main(["rollback", "flights", "--drill", "--to", "1"]) == 1
    assert "leave out --to and --from" in capsys.readouterr().err
    assert main(["rollback", "flights", "--drill"]) == 0
    assert "passed in" in capsys.readouterr().out
    (drilled,) = Ledger(three.lake.ledger).decisions("drill")
    assert drilled.verdict == "passed"
