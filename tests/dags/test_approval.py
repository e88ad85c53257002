"""A person's answer: asked for as the spec says, and never taken from silence."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ratchet.ledger import Ledger
from ratchet.settings import PROJECT, Settings
from ratchet.spec import Spec, load_spec
from ratchet.spec.alerts import Channel
from ratchet.spec.types import Approval
from ratchet.window import Window

WINDOW = Window.parse("2013-03-01T0000--2013-03-08T0000")
ANA, BEN = {"id": "7", "name": "ana"}, {"id": "8", "name": "ben"}


@pytest.fixture
def asking() -> Spec:
    """Return the flagship, at its level, with two days for one person to answer."""
    spec = load_spec(PROJECT / "include" / "use_cases" / "flights.yaml")
    gate = spec.gate.model_copy(update={"approval": Approval(answer_within_h=48, approvers=("7",))})
    return spec.model_copy(update={"gate": gate})


def answer(chosen: str, user: dict[str, str] | None, reason: str = "") -> dict[str, Any]:
    return {
        "chosen_options": [chosen],
        "params_input": {"reason": reason},
        "responded_by_user": user,
    }


def test_spec_that_asks_for_approval_gets_it_at_any_level(asking):
    from ratchet.orchestration.factory import dags_of

    (training,) = (dag for dag in dags_of(asking) if dag.dag_id == "flights__train_candidate")
    asked = training.get_task("approve_candidate")
    assert asked.response_timeout == timedelta(hours=48)
    assert asked.defaults == ["Refuse"], "silence must refuse"
    assert [user["id"] for user in asked.assigned_users] == ["7"]
    assert asked.downstream_task_ids == {"promote_champion"}
    assert asked.upstream_task_ids == {"judge_candidate"}


def test_promote_champion_promotes_what_was_fitted_again(asking, tmp_path, monkeypatch):
    from ratchet.orchestration import tasks
    from ratchet.spec.types import Refit

    training = asking.training.model_copy(update={"refit": Refit(max_change_per_unit=1)})
    gate = asking.gate.model_copy(update={"approval": None})
    spec = asking.model_copy(update={"training": training, "gate": gate})
    done = []
    monkeypatch.setattr("ratchet.registry.refit", lambda *given: f"{given[-1]}+1")
    monkeypatch.setattr("ratchet.registry.promote", lambda *given: done.append(given[-1]))
    monkeypatch.setattr(tasks, "_write_card", lambda run, version: done.append(version))
    emitted = SimpleNamespace(add_partitions=lambda _: None, extra=None)
    events = type("Events", (), {"__getitem__": lambda *_: emitted})()
    run = tasks.Run(spec, WINDOW, Settings(tmp_path, tmp_path), {"outlet_events": events})
    assert tasks.promote_champion.__wrapped__(run, "3") == {"champion": "3+1"}
    assert done == ["3+1", "3+1"]
    assert emitted.extra == {"version": "3+1"}


@pytest.mark.parametrize(
    ("given", "verdict", "author", "says"),
    [
        (answer("Approve", ANA, "looks right"), "approved", "ana", "looks right"),
        (answer("Refuse", ANA, "wait for April"), "refused", "ana", "wait for April"),
        (answer("Refuse", None), "refused", "nobody", "silence refuses"),
        (answer("Approve", None), "refused", "nobody", "silence refuses"),
        (answer("Approve", BEN), "refused", "ben", "Who may answer: 7"),
        ({}, "refused", "nobody", "silence refuses"),
    ],
    ids=["yes", "no", "time-out", "default-yes", "stranger", "nothing"],
)
def test_promote_champion_goes_by_what_a_person_said(
    asking, tmp_path, monkeypatch, given, verdict, author, says
):
    from airflow.sdk.exceptions import AirflowSkipException

    from ratchet.orchestration import tasks

    done = []
    monkeypatch.setattr("ratchet.registry.promote", lambda *_: done.append("promoted"))
    monkeypatch.setattr("ratchet.registry.refuse", lambda *_: done.append("refused"))
    monkeypatch.setattr(tasks, "_write_card", lambda *_: None)
    settings = Settings(tmp_path, tmp_path)
    emitted = SimpleNamespace(add_partitions=lambda _: None, extra=None)
    events = type("Events", (), {"__getitem__": lambda *_: emitted})()
    run = tasks.Run(asking, WINDOW, settings, {"outlet_events": events})
    promote_champion = tasks.promote_champion.__wrapped__
    if verdict == "approved":
        assert promote_champion(run, "3", given) == {"champion": "3"}
    else:
        with pytest.raises(AirflowSkipException, match=says):
            promote_champion(run, "3", given)
    assert done == ["promoted" if verdict == "approved" else "refused"]
    ledger = Ledger(settings.lake("flights").ledger)
    (approval,) = ledger.decisions("approval")
    assert (approval.verdict, approval.author) == (verdict, author)
    assert says in " ".join(approval.reasons)
    escalated = [each.reasons[0] for each in ledger.decisions("escalation")]
    assert len(escalated) == (author == "nobody")
    assert all(asking.owner.email in text and "48 h" in text for text in escalated)


@pytest.fixture
def unanswered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return folders in which a use case waits two seconds for an answer, and trains nothing.

    It has a name of its own, as Airflow's database keeps what other tests ran of flights.
    """

    def take_snapshot(use_case: str) -> str:
        return "0123"

    def check_snapshot(use_case: str, snapshot_id: str) -> bool:
        return True

    def train_candidate(use_case: str, estimator: str, snapshot_id: str) -> None:
        return None

    def evaluate_candidates(use_case: str, snapshot_id: str) -> str:
        return "3"

    def judge_candidate(use_case: str, version: str) -> str:
        return f"All that was measured of version {version}"

    from ratchet.orchestration import tasks

    functions = (
        take_snapshot,
        check_snapshot,
        train_candidate,
        evaluate_candidates,
        judge_candidate,
    )
    for function in functions:
        monkeypatch.setattr(tasks, function.__name__, function)
    monkeypatch.setattr("ratchet.registry.refuse", lambda *_: None)
    monkeypatch.setattr(tasks, "_write_card", lambda *_: None)
    spec = (PROJECT / "include" / "use_cases" / "flights.yaml").read_text()
    asked = spec.replace("\ngate:\n", f"\ngate:\n  approval: {{answer_within_h: {2 / 3600}}}\n")
    asked = asked.replace("\nname: flights\n", "\nname: unanswered\n")
    (tmp_path / "unanswered.yaml").write_text(asked)
    monkeypatch.setenv("RATCHET_HOME", str(tmp_path))
    monkeypatch.setenv("RATCHET_USE_CASES", str(tmp_path))
    return Settings(tmp_path, tmp_path)


@pytest.fixture
def sweeping() -> Iterator[None]:
    """Let the scheduler's own sweep for requests that nobody answered go on meanwhile."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    scheduler, ended = SchedulerJobRunner(Job()), threading.Event()

    def sweep() -> None:
        while not ended.wait(0.2):
            scheduler.check_awaiting_input_timeouts()

    thread = threading.Thread(target=sweep)
    thread.start()
    yield
    ended.set()
    thread.join()


@pytest.mark.usefixtures("sweeping")
def test_request_that_nobody_answers_in_time_refuses_and_escalates(unanswered, monkeypatch):
    from ratchet.orchestration.factory import dags_of

    told: list[str] = []
    monkeypatch.setattr("ratchet.incidents.send", lambda _, alert, __: told.append(alert.text))
    spec = load_spec(unanswered.use_cases / "unanswered.yaml")
    (training,) = (dag for dag in dags_of(spec) if dag.dag_id == "unanswered__train_candidate")
    run = training.test(
        logical_date=datetime(2013, 3, 8, tzinfo=UTC), run_conf={"window": WINDOW.key}
    )
    states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
    assert states["approve_candidate"] == "success", "silence is an answer"
    assert states["promote_champion"] == "skipped"
    ledger = Ledger(unanswered.lake(spec.name).ledger)
    (approval,) = ledger.decisions("approval")
    assert (approval.verdict, approval.author) == ("refused", "nobody")
    assert approval.subject == {"version": "3"}
    (escalation,) = ledger.decisions("escalation")
    assert escalation.verdict == "escalated"
    assert spec.owner.email in escalation.reasons[0]
    assert told == list(escalation.reasons), "the owner is told once"


def test_owner_who_can_not_be_told_by_one_channel_is_told_by_the_others(asking, monkeypatch):
    from ratchet.decision import Clause, Decision
    from ratchet.orchestration.notifiers import tell_owner

    told: list[str] = []

    def send(channel: Any, alert: Any, _: Any) -> None:
        if channel.kind == "email":
            raise OSError("nobody answers")
        told.append(f"{alert.event}: {alert.owner_email}")

    monkeypatch.setattr("ratchet.incidents.send", send)
    monkeypatch.setattr("ratchet.orchestration.notifiers._address", lambda _: None)
    channels = {"mail": Channel(kind="email", connection="mail"), "log": Channel(kind="log")}
    routes = asking.alerts.routes.model_copy(update={"ticket": ("mail", "log")})
    alerts = asking.alerts.model_copy(update={"channels": channels, "routes": routes})
    clause = Clause(name="a", passed=False, observed="no", required="yes", text="Nobody answered.")
    escalation = Decision(
        kind="escalation",
        use_case="flights",
        window=WINDOW.key,
        verdict="escalated",
        clauses=(clause,),
        subject={"version": "3"},
    )
    tell_owner(asking.model_copy(update={"alerts": alerts}), escalation, {})
    assert told == [f"unanswered: {asking.owner.email}"]
