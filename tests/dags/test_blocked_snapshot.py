"""A snapshot that was blocked is a result: nothing is trained, and nothing fails."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ratchet.settings import PROJECT
from ratchet.spec import load_spec


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the DAG that trains, with a snapshot that is blocked, and tasks that must not run."""

    def take_up_request(use_case: str) -> str:
        return "new_labels"

    def take_snapshot(use_case: str) -> str:
        return "0123"

    def check_snapshot(use_case: str, snapshot_id: str) -> bool:
        return False

    def train_candidate(use_case: str, estimator: str, snapshot_id: str) -> None:
        raise AssertionError("trained on a blocked snapshot")

    from ratchet.orchestration import tasks
    from ratchet.orchestration.factory import dags_of

    for function in (take_up_request, take_snapshot, check_snapshot, train_candidate):
        monkeypatch.setattr(tasks, function.__name__, function)
    spec = load_spec(PROJECT / "include" / "use_cases" / "flights.yaml")
    (training,) = (dag for dag in dags_of(spec) if dag.dag_id == "flights__train_candidate")
    return training


def test_blocked_snapshot_skips_the_training_without_a_failure(training):
    run = training.test(logical_date=datetime(2013, 3, 8, tzinfo=UTC))
    states = {(ti.task_id, ti.map_index): str(ti.state) for ti in run.get_task_instances()}
    assert str(run.state) == "success"
    assert {task for task, _ in states} == set(training.task_ids)
    ran = {task for (task, _), state in states.items() if state == "success"}
    assert ran == {"take_up_request", "take_snapshot", "check_snapshot"}
    assert set(states.values()) == {"success", "skipped"}
