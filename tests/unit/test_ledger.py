"""The ledger takes each decision once, and notices when anything in it is changed."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ratchet.decision import Clause, Decision
from ratchet.errors import LedgerError
from ratchet.ledger import Entry, Ledger

PROGRAM = """
import os, signal, sys
from pathlib import Path
from ratchet import storage
from ratchet.decision import Decision
from ratchet.ledger import Ledger

folder, writer, count, killed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
link = os.link

def link_and_die(source, target):
    if killed == "after":
        link(source, target)
    os.kill(os.getpid(), signal.SIGKILL)

if killed != "never":
    os.link = link_and_die
for number in range(count):
    Ledger(folder).record(Decision(
        kind="data", use_case="flights", window=str(number), verdict="accepted",
        clauses=(), subject={"writer": writer},
    ))
"""


def write(folder: Path, writer: str, count: int, killed: str = "never") -> subprocess.Popen[bytes]:
    """Record decisions in a process of its own, which may be killed around the first one."""
    command = [sys.executable, "-c", PROGRAM, str(folder), writer, str(count), killed]
    return subprocess.Popen(command)


def decision(window: str = "0", verdict: str = "accepted", writer: str = "a") -> Decision:
    return Decision(
        kind="data",
        use_case="flights",
        window=window,
        verdict=verdict,
        clauses=(Clause(name="rows", passed=True, observed=7, required=1, text="7 rows came."),),
        subject={"writer": writer},
        evidence={"share": 0.1, "counts": [1, 2]},
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Hold three decisions."""
    kept = Ledger(tmp_path)
    for window in "012":
        kept.record(decision(window))
    return kept


def test_ledger_nothing_recorded_is_empty(tmp_path):
    assert list(Ledger(tmp_path / "none").entries()) == []


def test_record_several_are_read_back_in_order_and_whole(ledger):
    assert ledger.decisions() == [decision(window) for window in "012"]
    assert [entry.number for entry in ledger.entries()] == [1, 2, 3]


def test_decisions_of_one_kind_leaves_out_the_others(ledger):
    promotion = decision().model_copy(update={"kind": "promotion"})
    ledger.record(promotion)
    assert ledger.decisions("promotion") == [promotion]
    assert len(ledger.decisions("data")) == 3


def test_record_same_decision_twice_stands_once(ledger):
    again = decision("1").model_copy(update={"evidence": {"share": 0.2}})
    assert ledger.record(again) == decision("1")
    assert len(ledger.decisions()) == 3


def test_record_other_verdict_for_the_same_subject_is_refused(ledger):
    with pytest.raises(LedgerError, match="says 'accepted', and it can't be changed to 'blocked'"):
        ledger.record(decision("1", verdict="blocked"))
    assert len(ledger.decisions()) == 3


def test_record_two_processes_at_once_keep_every_decision_and_the_chain(tmp_path):
    count = 25
    writers = [write(tmp_path, writer, count) for writer in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    kept = Ledger(tmp_path).decisions()
    for writer in "ab":
        windows = [d.window for d in kept if d.subject["writer"] == writer]
        assert windows == [str(number) for number in range(count)]
    assert len(kept) == 2 * count


def test_record_two_processes_with_the_same_decisions_keep_each_once(tmp_path):
    count = 25
    writers = [write(tmp_path, "a", count) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert [d.window for d in Ledger(tmp_path).decisions()] == [str(n) for n in range(count)]


@pytest.mark.parametrize(("killed", "standing"), [("before", 0), ("after", 1)])
def test_record_killed_leaves_no_half_entry_and_can_be_repeated(tmp_path, killed, standing):
    assert write(tmp_path, "a", 1, killed).wait() == -signal.SIGKILL
    assert len(Ledger(tmp_path).decisions()) == standing
    assert write(tmp_path, "a", 2).wait() == 0
    assert [d.window for d in Ledger(tmp_path).decisions()] == ["0", "1"]


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changes))


def test_entries_written_before_a_field_was_added_still_hold(ledger, monkeypatch):
    class Later(Decision):
        mood: str = "calm"

    class LaterEntry(Entry):
        decision: Later

    monkeypatch.setattr("ratchet.ledger.Entry", LaterEntry)
    assert [entry.decision.mood for entry in ledger.entries()] == ["calm"] * 3


def test_entries_changed_decision_is_noticed(ledger, tmp_path):
    path = tmp_path / "00000002.json"
    entry = json.loads(path.read_bytes())
    edit(path, decision=entry["decision"] | {"verdict": "blocked"})
    with pytest.raises(LedgerError, match=r"00000002\.json was changed"):
        ledger.decisions()


def test_entries_changed_decision_with_its_hash_redone_is_noticed_by_the_next(ledger, tmp_path):
    path = tmp_path / "00000002.json"
    other = Ledger(tmp_path / "other")
    for window, verdict in (("0", "accepted"), ("1", "blocked")):
        other.record(decision(window, verdict))
    edit(path, **json.loads((tmp_path / "other" / path.name).read_bytes()))
    with pytest.raises(LedgerError, match=r"0000000[23]\.json was changed"):
        ledger.decisions()


def test_entries_removed_entry_is_noticed(ledger, tmp_path):
    (tmp_path / "00000002.json").unlink()
    with pytest.raises(LedgerError, match="entry 2 is missing"):
        ledger.decisions()
    with pytest.raises(LedgerError, match="entry 2 is missing"):
        ledger.record(decision("3"))


def test_entries_removed_entry_with_the_rest_renamed_is_noticed(ledger, tmp_path):
    (tmp_path / "00000003.json").replace(tmp_path / "00000002.json")
    with pytest.raises(LedgerError, match="entry 2 is missing"):
        ledger.decisions()


def test_entries_file_that_is_no_entry_is_noticed(ledger, tmp_path):
    (tmp_path / "00000004.json").write_bytes(b"{")
    with pytest.raises(LedgerError, match=r"00000004\.json is not a ledger entry"):
        ledger.decisions()
