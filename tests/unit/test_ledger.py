"""The ledger takes each decision once, and notices when anything in it is changed."""

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ratchet.decision import Clause, Decision
from ratchet.errors import LedgerError, OvertakenError, StorageError
from ratchet.ledger import Anchor, Entry, Ledger
from ratchet.settings import LedgerPlace

PROGRAM = """
import hashlib, os, signal, sys
from pathlib import Path
from ratchet import ledger, storage
from ratchet.decision import Decision
from ratchet.ledger import Ledger

folder, writer, count, killed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if killed == "between evidence and entry":
    os.link = die
if killed == "between entry and index":
    Ledger._remember = lambda self, entries: die() if entries else []
for number in range(count):
    evidence = folder.parent / f"evidence-{number}"
    storage.write_atomic(evidence, b"measured")
    Ledger(folder).record(Decision(
        kind="data", use_case="flights", window=str(number), verdict="accepted",
        clauses=(), subject={"writer": writer},
        files={evidence.name: hashlib.sha256(b"measured").hexdigest()},
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
    assert ledger.windows("data") == ["0", "1", "2"]


def test_decisions_of_one_window_leaves_out_the_others(ledger):
    ledger.record(decision("10"))
    assert ledger.decisions("data", "1") == [decision("1")]
    assert ledger.decisions("data", "3") == []
    assert ledger.decisions(window="10") == [decision("10")]


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


@pytest.mark.parametrize(
    ("killed", "entries"), [("between evidence and entry", 0), ("between entry and index", 1)]
)
def test_record_killed_loses_and_doubles_nothing_when_repeated(tmp_path, killed, entries):
    folder = tmp_path / "ledger"
    assert write(folder, "a", 1, killed).wait() == -signal.SIGKILL
    assert (tmp_path / "evidence-0").read_bytes() == b"measured"
    assert len(list(folder.glob("*.json"))) == entries
    assert not (folder / ".index").exists()
    assert write(folder, "a", 2).wait() == 0
    assert [d.window for d in Ledger(folder).decisions()] == ["0", "1"]
    assert Ledger(folder).verify() == []


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changes))


def test_entries_written_before_a_field_was_added_still_hold(ledger, monkeypatch):
    class Later(Decision):
        mood: str = "calm"

    class LaterEntry(Entry):
        decision: Later

    monkeypatch.setattr("ratchet.ledger.Entry", LaterEntry)
    assert [entry.decision.mood for entry in ledger.entries()] == ["calm"] * 3


def forget(folder: Path) -> None:
    """Remove what this machine remembers."""
    (folder / ".index").unlink()


def redo(path: Path, **changes: object) -> None:
    """Change an entry and make its own hash right again, as a forger would."""
    content = json.loads(path.read_bytes()) | changes
    hashed = {name: value for name, value in content.items() if name != "sha256"}
    content["sha256"] = hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(content, indent=1))


def blocked(path: Path) -> dict[str, object]:
    return json.loads(path.read_bytes())["decision"] | {"verdict": "blocked"}


def test_entries_are_chained_and_carry_the_hash_of_their_evidence(ledger, tmp_path):
    first, second, _ = ledger.entries()
    stored = json.loads((tmp_path / "00000001.json").read_bytes())
    assert first.previous == "0" * 64
    assert second.previous == first.sha256 == stored["sha256"]
    assert first.evidence_sha256 == (
        hashlib.sha256(b'{"evidence": {"counts": [1, 2], "share": 0.1}, "files": {}}').hexdigest()
    )


def test_verify_untouched_is_silent_with_and_without_memory(ledger, tmp_path):
    head = ledger.head()
    assert ledger.verify([head]) == []
    forget(tmp_path)
    assert ledger.verify([head]) == []
    assert ledger.head() == head


def change(folder: Path) -> None:
    edit(folder / "00000002.json", decision=blocked(folder / "00000002.json"))


def change_with_its_hash(folder: Path) -> None:
    redo(folder / "00000002.json", decision=blocked(folder / "00000002.json"))


def change_the_newest_with_its_hash(folder: Path) -> None:
    redo(folder / "00000003.json", decision=blocked(folder / "00000003.json"))


def add_a_space(folder: Path) -> None:
    path = folder / "00000002.json"
    path.write_bytes(path.read_bytes() + b" ")


def truncate(folder: Path) -> None:
    path = folder / "00000002.json"
    path.write_bytes(path.read_bytes()[:-9])


def remove(folder: Path) -> None:
    (folder / "00000002.json").unlink()


def remove_the_newest(folder: Path) -> None:
    (folder / "00000003.json").unlink()


def close_the_gap(folder: Path) -> None:
    (folder / "00000003.json").replace(folder / "00000002.json")


def swap(folder: Path) -> None:
    second, third = folder / "00000002.json", folder / "00000003.json"
    content = second.read_bytes()
    third.replace(second)
    third.write_bytes(content)


def add_a_file(folder: Path) -> None:
    (folder / "00000002b.json").write_bytes((folder / "00000002.json").read_bytes())


def add_an_entry(folder: Path) -> None:
    """Decide something again, at the end and rightly chained."""
    last = json.loads((folder / "00000003.json").read_bytes())
    path = folder / "00000004.json"
    path.write_text(json.dumps(last))
    redo(path, number=4, previous=last["sha256"], decision=blocked(path))


def add_an_entry_of_another_use_case(folder: Path) -> None:
    Ledger(folder).record(decision("3").model_copy(update={"use_case": "block_time"}))


TAMPERED = [
    (change, "00000002.json was changed"),
    (change_with_its_hash, "00000003.json does not follow 00000002.json"),
    (add_a_space, "00000002.json was changed in its form"),
    (truncate, "00000002.json is not a ledger entry, or not a whole one"),
    (remove, "00000002.json was removed"),
    (close_the_gap, "00000002.json was written as 00000003.json: it was moved"),
    (swap, "00000002.json was written as 00000003.json: it was moved"),
    (add_a_file, "00000002b.json is no entry: it was added"),
    (add_an_entry_of_another_use_case, "00000004.json is of block_time, the first of flights"),
    (add_an_entry, "00000004.json decides again what 00000003.json has decided"),
]
WHOLE = (add_a_space, add_an_entry, add_an_entry_of_another_use_case)  # each can still be read
ONLY_WITH_MEMORY = [
    (change_with_its_hash, "00000002.json was replaced: {} had another one"),
    (change_the_newest_with_its_hash, "00000003.json was replaced: {} had another one"),
    (remove_the_newest, "00000003.json was removed"),
]


@pytest.mark.parametrize(("tamper", "fault"), TAMPERED)
def test_verify_tampered_is_found_from_the_chain_alone(ledger, tmp_path, tamper, fault):
    tamper(tmp_path)
    forget(tmp_path)
    assert any(found.startswith(fault) for found in ledger.verify())


@pytest.mark.parametrize(("tamper", "fault"), ONLY_WITH_MEMORY)
def test_verify_newest_tampered_is_found_by_whoever_remembers_it(ledger, tmp_path, tamper, fault):
    anchors = [Anchor(e.number, e.sha256, "MLflow") for e in ledger.entries()]
    tamper(tmp_path)
    assert fault.format("this machine") in ledger.verify()
    forget(tmp_path)
    assert fault.format("MLflow") not in ledger.verify()
    assert fault.format("MLflow") in ledger.verify(anchors)


@pytest.mark.parametrize(
    ("tamper", "fault"),
    [c for c in TAMPERED + ONLY_WITH_MEMORY if c[0] not in WHOLE],
)
def test_entries_tampered_can_not_be_read(ledger, tmp_path, tamper, fault):
    tamper(tmp_path)
    with pytest.raises(LedgerError, match=r"0000000[23]b?\.json|entry [23] is missing"):
        ledger.decisions()


@pytest.mark.parametrize(("tamper", "fault"), [(remove_the_newest, ""), (add_a_file, "")])
def test_record_at_a_broken_end_is_refused(ledger, tmp_path, tamper, fault):
    tamper(tmp_path)
    with pytest.raises(LedgerError, match=r"is missing|is not a ledger entry"):
        ledger.record(decision("3"))


def test_append_after_an_entry_that_is_no_longer_the_newest_raises(ledger):
    with pytest.raises(OvertakenError, match="entry 2 of the ledger is no longer the newest"):
        ledger.append(decision("3"), after=2)
    assert ledger.append(decision("3"), after=3).number == 4
    assert ledger.append(decision("3"), after=3).number == 4, "it stands already"


def test_verify_evidence_that_changed_or_is_gone_is_named(tmp_path):
    evidence = tmp_path / "releases" / "release.json"
    evidence.parent.mkdir()
    evidence.write_bytes(b"{}")
    sha256 = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # sha256sum
    ledger = Ledger(tmp_path / "ledger")
    ledger.record(decision().model_copy(update={"files": {"releases/release.json": sha256}}))
    assert ledger.verify() == []
    evidence.write_bytes(b"{ }")
    assert ledger.verify() == [
        "00000001.json: its evidence releases/release.json is not what it was"
    ]
    evidence.unlink()
    assert ledger.verify() == ["00000001.json: its evidence releases/release.json is gone"]


def test_index_that_is_not_whole_is_made_again(ledger, tmp_path):
    index = tmp_path / ".index"
    whole = index.read_bytes()
    for torn in (
        b"",
        b"\xff" + whole,
        whole[:-7],
        whole.replace(b"\n2 ", b"\nx "),
        whole.split(b"\n", 1)[1],
    ):
        index.write_bytes(torn)
        assert len(ledger.decisions()) == 3
        assert index.read_bytes() == whole
    first = whole.split(b"\n", 1)[0] + b"\n"
    index.write_bytes(whole + first)  # added by another process at the same time
    assert len(ledger.decisions()) == 3


def test_find_any_unique_beginning_of_an_id_is_enough(ledger):
    entries = list(ledger.entries())
    for entry in entries:
        assert ledger.find(entry.sha256[:12].upper()) == entry
    with pytest.raises(LedgerError, match="too short"):
        ledger.find(entries[0].sha256[:3])
    with pytest.raises(LedgerError, match="no decision's id begins with 'zzzz'"):
        ledger.find("zzzz")


def test_find_beginning_of_several_ids_names_them(ledger, tmp_path):
    lines = (tmp_path / ".index").read_text().splitlines()
    alike = [line.split(" ", 2) for line in lines]
    text = "".join(f"{n} {'abcd' + sha256[4:]} {rest}\n" for n, sha256, rest in alike[:2])
    (tmp_path / ".index").write_text(f"{text}{lines[2]}\n")
    with pytest.raises(LedgerError, match="'abcd' is the beginning of 2 ids"):
        ledger.find("abcd")


def test_anchor_is_read_as_it_is_written(ledger):
    head = ledger.head()
    assert Anchor.parse(str(head)) == head
    assert head.number == 3
    for wrong in ("3:abc", f"0:{head.sha256}"):
        with pytest.raises(LedgerError, match="is no anchor"):
            Anchor.parse(wrong)


def test_record_where_a_folder_has_the_name_of_the_next_entry_is_refused(ledger, tmp_path):
    (tmp_path / "00000004.json").mkdir()
    with pytest.raises(StorageError, match=r"00000004.json is no file"):
        ledger.record(decision("3"))


def test_ledger_elsewhere_is_copied_and_its_copies_are_checked(tmp_path):
    """A folder elsewhere works as a bucket does."""
    place = LedgerPlace(tmp_path / "copy", str(tmp_path / "origin"))
    ledger, other = Ledger(place), Ledger(tmp_path / "origin")
    ledger.record(decision("0"))
    other.record(decision("1"))
    assert ledger.decisions() == other.decisions() == [decision("0"), decision("1")]
    names = ["00000001.json", "00000002.json"]
    assert sorted(path.name for path in place.folder.glob("*.json")) == names
    assert ledger.verify() == []
    (place.folder / names[0]).unlink()
    assert len(ledger.decisions()) == 2
    change(place.folder)
    with pytest.raises(LedgerError, match=r"copy/00000002\.json was changed"):
        ledger.decisions()
    (fault,) = ledger.verify()
    assert fault.startswith("00000002.json: its copy")
    (place.folder / names[1]).unlink()
    assert len(ledger.decisions()) == 2
    assert ledger.verify() == []


def test_record_reads_nothing_that_was_read_before(ledger, tmp_path):
    """What is read is counted: the clock of a busy machine proves nothing."""
    read, read_bytes = [], Path.read_bytes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or read_bytes(path))
        ledger.record(decision("3"))
        assert read == []
        ledger.record(decision("1"))
        assert read == ["00000002.json"]
