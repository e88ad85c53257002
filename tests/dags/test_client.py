"""How the REST client takes an Airflow that is busy."""

import httpx
import pytest

from ratchet.errors import OrchestrationError
from ratchet.orchestration import client as module
from ratchet.orchestration.client import AirflowClient, Question


@pytest.fixture
def answers(monkeypatch):
    """Return a list of status codes that Airflow answers with, one after the other; then 200."""
    waiting: list[int] = []

    def request(self, method, path, **kwargs):
        code = 200 if path == "/auth/token" or not waiting else waiting.pop(0)
        return httpx.Response(code, json={"access_token": "x", "import_errors": []})

    monkeypatch.setattr(httpx.Client, "request", request)
    monkeypatch.setattr(module, "_BUSY_PAUSE_S", 0)
    return waiting


def test_client_locked_database_asks_again(answers):
    client = AirflowClient("http://airflow", "admin", "secret")
    answers += [503, 503]
    assert client.import_errors() == []
    assert answers == []


def test_client_locked_database_for_too_long_says_so(answers, monkeypatch):
    client = AirflowClient("http://airflow", "admin", "secret")
    monkeypatch.setattr(module, "_BUSY_WITHIN_S", 0)
    answers += [503]
    with pytest.raises(OrchestrationError, match="Airflow refused GET /api/v2/importErrors"):
        client.import_errors()


def test_client_refused_request_is_not_repeated(answers):
    client = AirflowClient("http://airflow", "admin", "secret")
    answers += [409, 200]
    with pytest.raises(OrchestrationError):
        client.import_errors()
    assert answers == [200]


QUESTION = Question("flights__train_candidate", "run", "approve_candidate", "?", "", ("Approve",))


@pytest.fixture
def asking(monkeypatch):
    """Return what Airflow says of a question, one after the other, and the answers it was given."""
    says: list[tuple[str, bool]] = []
    given: list[dict] = []

    def request(self, method, path, **kwargs):
        if method == "PATCH":
            given.append(kwargs["json"])
            return httpx.Response(200, json={})
        state, is_answered = says.pop(0) if says else ("queued", True)
        instance = {"state": state}
        found = {"task_instance": instance, "response_received": is_answered}
        return httpx.Response(200, json={"access_token": "x", **found})

    monkeypatch.setattr(httpx.Client, "request", request)
    monkeypatch.setattr(module, "_TAKEN_PAUSE_S", 0)
    client = AirflowClient("http://airflow", "admin", "secret")
    return client, says, given


def test_answer_that_airflow_forgets_is_given_again(asking):
    client, says, given = asking
    # found queued when the first process is seen to have ended, so it is tried and asked again
    says += [("queued", True), ("up_for_retry", True), ("running", False)]
    says += [("awaiting_input", False), ("queued", True), ("success", True)]
    client.answer(QUESTION, "Approve", reason="right")
    assert given == [{"chosen_options": ["Approve"], "params_input": {"reason": "right"}}] * 2


def test_answer_that_is_taken_is_given_once(asking):
    client, says, given = asking
    says += [("awaiting_input", True), ("scheduled", True), ("success", True)]
    client.answer(QUESTION, "Approve")
    assert len(given) == 1


def test_answer_that_is_never_taken_says_so(asking, monkeypatch):
    client, *_ = asking
    monkeypatch.setattr(module, "_TAKEN_WITHIN_S", 0.05)
    with pytest.raises(OrchestrationError, match=r"but is 'queued' after .* scheduler runs"):
        client.answer(QUESTION, "Approve")
