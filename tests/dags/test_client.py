"""How the REST client takes an Airflow that is busy."""

import httpx
import pytest

from ratchet.errors import OrchestrationError
from ratchet.orchestration import client as module
from ratchet.orchestration.client import AirflowClient


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
