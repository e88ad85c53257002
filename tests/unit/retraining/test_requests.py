"""Every request is trained once, whoever is killed, and whatever becomes of its announcement."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ratchet.decision import Clause, Decision
from ratchet.ledger import Ledger
from ratchet.retraining import lift, take_up, take_up_by_hand, trainings, waiting
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window

SCRIPT = Path(__file__).parents[1] / "killed_request.py"
FIRST, SECOND, THIRD = (
    Window.parse(f"2013-03-{start}T0000--2013-03-{end}T0000")
    for start, end in [("08", "15"), ("15", "22"), ("22", "29")]
)
YES = Clause(name="yes", passed=True, observed=1.0, required=1.0, text="It is so.")


class Site:
    """A lake with a ledger, and processes that write to it and are killed."""

    def __init__(self, spec: Spec, home: Path, workers: subprocess.Popen[str]) -> None:
        self.spec, self.settings, self.workers = spec, Settings(home, home), workers

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.settings.lake("flights").ledger)

    def do_at_once(self, *steps: tuple[str, str, str]) -> list[tuple[list[str], int]]:
        """Do steps in processes of their own; return what each said, and how it ended."""
        self.workers.stdin.write(json.dumps([str(self.settings.home), steps]) + "\n")
        self.workers.stdin.flush()
        return json.loads(self.workers.stdout.readline())

    def do(self, step: str, window: Window, run: str = "") -> list[str]:
        """Do one step; return what was said before it ended or was killed."""
        ((said, code),) = self.do_at_once((step, window.key, run))
        assert code == (0 if step.endswith("-") else -signal.SIGKILL)
        return said

    def request(self, window: Window) -> None:
        """Let new labels have asked for a retraining."""
        self.ledger.record(
            Decision(
                kind="retrain",
                use_case="flights",
                window=window.key,
                verdict="requested",
                clauses=(YES,),
                subject={"champion": "3"},
                evidence={"reason": "new_labels"},
            )
        )

    def end(self, window: Window, kind: str, verdict: str, **subject: str) -> None:
        self.ledger.record(
            Decision(
                kind=kind,
                use_case="flights",
                window=window.key,
                verdict=verdict,
                clauses=(YES,),
                subject=subject,
            )
        )

    def outcomes(self, by: Window | None = None) -> list[str]:
        return [training.outcome for training in trainings(self.spec, self.settings, by)]

    def waiting(self, window: Window) -> int:
        return len(waiting(self.spec, window, self.settings))


@pytest.fixture(scope="module")
def workers(spec: Spec, tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen]:
    path = tmp_path_factory.mktemp("requests") / "spec.json"
    path.write_text(spec.model_dump_json())
    command = [sys.executable, SCRIPT, path]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def site(spec: Spec, tmp_path: Path, workers: subprocess.Popen) -> Site:
    return Site(spec, tmp_path, workers)


def test_request_killed_before_its_announcement_is_announced_by_the_next_window(site: Site):
    assert site.do("decide", FIRST) == ["requested"]
    assert site.do("announce-", SECOND) == ["held", "announced 1"]
    assert site.do("take_up-", SECOND, "run") == ["new_labels"]
    (training,) = trainings(site.spec, site.settings)
    assert (training.window, training.trained, training.run) == (FIRST.key, SECOND.key, "run")
    assert len(site.ledger.decisions("training")) == 1


def test_request_whose_task_runs_again_stands_and_is_announced_once_more(site: Site):
    assert site.do("decide", FIRST) == ["requested"]
    assert site.do("announce-", FIRST) == ["requested", "announced 1"]
    assert len(site.ledger.decisions("retrain")) == 1
    assert site.do("take_up-", FIRST, "run") == ["new_labels"]
    assert site.do("announce-", FIRST) == ["requested", "announced 0"]


def test_request_announced_and_never_started_is_taken_up_a_window_later(site: Site):
    assert site.do("announce", FIRST) == ["requested", "announced 1"]
    assert site.do("announce-", SECOND) == ["held", "announced 1"]
    held = site.ledger.decisions("retrain")[-1]
    assert held.reasons == [
        "One training at a time: the one that new_labels asked for at 2013-03-15 is waiting."
    ]
    assert take_up(site.spec, SECOND, site.settings, "run") == "new_labels"
    assert site.waiting(SECOND) == 0


def test_run_killed_after_it_took_up_a_request_has_it_when_it_starts_again(site: Site):
    site.request(FIRST)
    assert site.do("record", FIRST, "run") == []
    assert take_up(site.spec, FIRST, site.settings, "other") is None
    assert take_up(site.spec, FIRST, site.settings, "run") == "new_labels"
    assert len(site.ledger.decisions("training")) == 1


def test_run_of_a_doubled_announcement_finds_nothing(site: Site):
    site.request(FIRST)
    assert take_up(site.spec, FIRST, site.settings, "one") == "new_labels"
    assert take_up(site.spec, FIRST, site.settings, "two") is None
    assert take_up(site.spec, SECOND, site.settings, "three") is None


def test_run_of_announcements_that_became_one_takes_up_all_of_them(site: Site):
    for window in (FIRST, SECOND):
        site.request(window)
    assert take_up(site.spec, SECOND, site.settings, "run") == "new_labels"
    assert site.outcomes() == ["running", "running"]
    site.end(SECOND, "release", "refused", candidate="boosting")
    assert take_up(site.spec, THIRD, site.settings, "late") is None


def test_run_does_not_take_up_what_is_asked_for_later(site: Site):
    site.request(SECOND)
    assert take_up(site.spec, FIRST, site.settings, "run") is None
    assert site.waiting(FIRST) == 0


def test_runs_at_once_share_no_request(site: Site):
    site.request(FIRST)
    steps = [("take_up-", FIRST.key, f"run {number}") for number in range(4)]
    said = sorted(words[0] for words, _ in site.do_at_once(*steps))
    assert said == ["None", "None", "None", "new_labels"]
    assert len(site.ledger.decisions("training")) == 1


def test_request_that_nobody_ends_is_given_up_after_the_declared_time(site: Site):
    site.request(FIRST)
    assert site.outcomes(SECOND) == ["waiting"]
    assert site.outcomes(THIRD) == ["given_up"]
    assert site.waiting(THIRD) == 0


@pytest.mark.parametrize(
    "ends, outcome",
    [
        ([], "running"),
        ([("release", "accepted", {})], "running"),
        ([("release", "refused", {})], "lost"),
        ([("approval", "refused", {"version": "4"})], "lost"),
        ([("data", "blocked", {"snapshot": "a"})], "untrained"),
        ([("data", "accepted", {"snapshot": "a"})], "running"),
        ([("release", "accepted", {}), ("promotion", "promoted", {"version": "4"})], "won"),
    ],
)
def test_trainings_outcome_is_what_was_decided_on_its_window(site: Site, ends, outcome: str):
    site.request(FIRST)
    take_up(site.spec, FIRST, site.settings, "run")
    for kind, verdict, subject in ends:
        site.end(FIRST, kind, verdict, **subject)
    assert site.outcomes() == [outcome]


def test_trainings_champion_that_is_rolled_back_is_lost(site: Site):
    site.request(FIRST)
    take_up(site.spec, FIRST, site.settings, "run")
    site.end(FIRST, "promotion", "promoted", version="4")
    site.end(SECOND, "rollback", "rolled back", version="3", taken_out="4")
    assert site.outcomes() == ["lost"]


def test_trainings_that_nobody_asked_for_count_too(site: Site):
    site.end(FIRST, "release", "refused", candidate="boosting")  # at level 1, on new data
    (training,) = trainings(site.spec, site.settings)
    assert (training.reason, training.trained, training.outcome) == ("new_data", FIRST.key, "lost")


def test_take_up_by_hand_takes_what_waits_or_asks_in_the_persons_name(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ratchet.registry.champion_at", lambda *_: None)
    site.request(FIRST)
    hand = (site.settings, "run", "Ada", "the new gate")
    assert take_up_by_hand(site.spec, FIRST, *hand) == "new_labels"
    again = (site.settings, "run 2", "Ada", "the new gate")
    assert [take_up_by_hand(site.spec, FIRST, *again) for _ in range(2)] == ["on_demand"] * 2
    request = site.ledger.decisions("retrain")[-1]
    assert request.reasons == ["Ada asks for it: the new gate (run 2)"]
    assert request.author == "Ada"
    assert len(site.ledger.decisions("training")) == 2


def test_lift_forgives_what_was_lost_until_then(site: Site):
    assert lift(site.spec, site.settings, reason="mended", author="Ada") is None
    for window in (FIRST, SECOND):
        site.end(window, "release", "refused", candidate="boosting")
    lifted = lift(site.spec, site.settings, reason="The gate was mended.", author="Ada")
    assert lifted is not None
    assert lifted.reasons == [
        "Ada lets training go on after 2 lost candidates: The gate was mended."
    ]
    site.end(THIRD, "release", "refused", candidate="boosting")
    forgiven = [training.is_forgiven for training in trainings(site.spec, site.settings)]
    assert forgiven == [True, True, False]
