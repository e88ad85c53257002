"""What people read of the ledger, and how it is checked, on the command line."""

import errno
import re
from pathlib import Path

import pytest

from ratchet.cli import main
from ratchet.decision import Clause, Decision, Kind
from ratchet.ledger import Ledger
from ratchet.settings import PROJECT, Settings
from ratchet.window import Window

FIRST = Window.parse("2013-03-01T0000--2013-03-08T0000")
SECOND = Window.parse("2013-03-08T0000--2013-03-15T0000")
STORY: tuple[tuple[Kind, Window, str, dict[str, str], bool], ...] = (
    ("data", FIRST, "accepted", {"landing": "aa", "code": "cc"}, True),
    ("retrain", FIRST, "requested", {"champion": "none"}, True),
    ("data", FIRST, "accepted", {"snapshot": "5a"}, True),
    (
        "release",
        FIRST,
        "accepted",
        {"candidate": "logistic", "snapshot": "5a", "model": "3d"},
        True,
    ),
    ("promotion", FIRST, "promoted", {"version": "1", "snapshot": "5a", "model": "3d"}, True),
    ("data", SECOND, "accepted", {"landing": "bb", "code": "cc"}, True),
    ("retrain", SECOND, "held", {"champion": "1"}, False),
)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A first model becomes champion, and is not retrained a week later."""
    for name in ("RATCHET_LEDGER", "RATCHET_USE_CASES", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RATCHET_HOME", str(tmp_path))
    settings = Settings(tmp_path, PROJECT / "include" / "use_cases")
    ledger = Ledger(settings.lake("flights").ledger)
    for kind, window, verdict, subject, passed in STORY:
        text = f"What {kind} asks is {'met' if passed else 'not met'}."
        clause = Clause(name="asked", passed=passed, observed=0.7371, required=0.65, text=text)
        ledger.record(
            Decision(
                kind=kind,
                use_case="flights",
                window=window.key,
                verdict=verdict,
                clauses=(clause,),
                subject=subject,
                evidence={"roc_auc": 0.7371},
            )
        )
    return ledger


def ids(ledger: Ledger) -> list[str]:
    return [entry.sha256[:12] for entry in ledger.entries()]


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the ids at the beginnings of the lines that were printed."""
    lines = capsys.readouterr().out.splitlines()
    return [line[:12] for line in lines if not line.startswith(" ")]


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ([], [1, 2, 3, 4, 5, 6, 7]),
        (["--kind", "retrain"], [2, 7]),
        (["--window", FIRST.key], [1, 2, 3, 4, 5]),
        (["--verdict", "accepted", "--kind", "data", "--window", SECOND.key], [6]),
        (["--verdict", "refused"], []),
    ],
)
def test_show_lists_what_is_asked_for(ledger, capsys, options, numbers):
    assert main(["ledger", "show", "flights", *options]) == 0
    assert shown(capsys) == [ids(ledger)[number - 1] for number in numbers]


@pytest.mark.parametrize(
    ("number", "before", "after"),
    [
        (1, [], [2, 3, 4, 5]),
        (2, [1], [3, 4, 5]),
        (4, [1, 2, 3], [5]),
        (5, [1, 2, 3, 4], [7]),
        (7, [5, 6], []),
    ],
)
def test_explain_names_what_it_rests_on_and_what_followed(ledger, capsys, number, before, after):
    entry = list(ledger.entries())[number - 1]
    assert main(["ledger", "explain", entry.sha256[:7]]) == 0
    said = capsys.readouterr().out
    told, rested = said.split("Rests on\n")
    rests_on, followed_by = rested.split("Followed by\n")
    for part, numbers in ((rests_on, before), (followed_by, after)):
        lines = [line[2:14] for line in part.splitlines() if line]
        expected = [ids(ledger)[number - 1] for number in numbers]
        assert lines == expected or (expected == [] and lines == ["nothing that"])
    assert entry.sha256 in told
    assert entry.evidence_sha256 in told
    assert '"roc_auc": 0.7371' in told
    assert entry.decision.clauses[0].text in told
    assert "observed 0.7371, required 0.65" in told


def test_explain_unknown_id_is_refused(ledger, capsys):
    assert main(["ledger", "explain", "zzzz"]) == 1
    assert "no decision's id begins with 'zzzz'" in capsys.readouterr().err


def test_show_and_explain_of_an_unknown_use_case_are_refused(ledger, capsys):
    for command in (["show"], ["explain", ids(ledger)[0]]):
        assert main(["ledger", *command, "flihgts"]) == 1
        assert "flihgts.yaml: No such file" in capsys.readouterr().err


def roll_back(ledger: Ledger, reason: str) -> str:
    """Let somebody take out version 1; return the entry's id."""
    text = f"Ana brings back version 0: {reason}"
    clause = Clause(name="intact", passed=True, observed="x", required="x", text=text)
    decision = Decision(
        kind="rollback",
        use_case="flights",
        window=SECOND.key,
        verdict="rolled back",
        clauses=(clause,),
        subject={"version": "0", "taken_out": "1, 2"},
    )
    return ledger.append(decision).sha256[:12]


def test_explain_says_that_a_version_was_taken_out(ledger, capsys):
    rolled_back = roll_back(ledger, "it acts too often")
    promotion = ids(ledger)[4]
    assert main(["ledger", "explain", promotion]) == 0
    assert rolled_back in capsys.readouterr().out.split("Followed by\n")[1]
    assert main(["ledger", "explain", rolled_back]) == 0
    assert promotion in capsys.readouterr().out.split("Rests on\n")[1]


def test_show_and_explain_what_a_person_wrote_stays_in_its_line(ledger, capsys):
    forged = "000000000000  a → b  promotion promoted"
    roll_back(ledger, f"ü\x1b[31m\r\n{forged}")
    for command in (["show"], ["explain", ids(ledger)[-1]]):
        assert main(["ledger", *command]) == 0
        said = capsys.readouterr().out
        assert f"version 0: ü\\x1b[31m\\r\\n{forged}\n" in said
        assert "000000000000" not in {line[:12] for line in said.splitlines()}


def test_verify_with_an_anchor_that_can_not_be_read_says_so(ledger, tmp_path, capsys):
    published = tmp_path / "lake" / "flights" / "published" / "flights.duckdb"
    tracking = tmp_path / "mlflow" / "mlflow.db"
    for path, told in ((published, "publish it again"), (tracking, "MLflow")):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"no database")
        assert main(["ledger", "verify"]) == 1
        assert re.search(told, capsys.readouterr().out)
        path.unlink()


def test_verify_with_an_anchor_that_can_not_be_read_checks_the_chain_all_the_same(
    ledger, tmp_path, capsys
):
    tracking = tmp_path / "mlflow" / "mlflow.db"
    tracking.parent.mkdir()
    tracking.write_bytes(b"no database")
    (tmp_path / "lake" / "flights" / "ledger" / "00000003.json").unlink()
    assert main(["ledger", "verify"]) == 1
    told = capsys.readouterr().out.splitlines()
    assert "MLflow can't be asked" in told[0]
    assert told[1:] == ["00000003.json was removed"]


def test_full_disk_is_told_without_a_traceback(ledger, capsys, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "x.json")

    monkeypatch.setattr(Ledger, "verify", full)
    assert main(["ledger", "verify"]) == 1
    assert "No space left on device: 'x.json'; see to it" in capsys.readouterr().err


def test_verify_says_that_nothing_was_changed_and_gives_an_anchor(ledger, capsys):
    assert main(["ledger", "verify"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("flights: 7 decisions, none changed, added or removed")
    assert "0 of MLflow and 0 of the published copy\nwarning: there are promotions" in said
    assert str(ledger.head()) in said


def test_verify_newest_removed_is_found_with_what_was_printed_before(ledger, tmp_path, capsys):
    anchor, folder = str(ledger.head()), tmp_path / "lake" / "flights" / "ledger"
    (folder / "00000007.json").unlink()
    (folder / ".index").unlink()
    assert main(["ledger", "verify", "--anchor", anchor]) == 1
    assert capsys.readouterr().out == "00000007.json was removed\n"
