"""A task tells of itself where a target is configured, and nowhere else."""

import os
from types import SimpleNamespace

import pytest
from lineage_target import Target

WINDOW = "2013-03-01T0000--2013-03-08T0000"


@pytest.fixture
def run_task(monkeypatch, tmp_path):
    """Run a task body in a run of Airflow."""
    run = SimpleNamespace(partition_key=WINDOW, conf=None)
    context = {"run_id": "run 1", "dag_run": run}
    monkeypatch.setattr("airflow.sdk.get_current_context", lambda: context)
    monkeypatch.setenv("RATCHET_HOME", str(tmp_path))
    monkeypatch.setattr("ratchet.lineage.events.load_graph", lambda *_: None)
    before = dict(os.environ)

    from ratchet.orchestration import tasks  # not before Airflow has a home

    @tasks.body
    def land_feeds(run):
        return {"window": run.window.key}

    yield lambda: land_feeds(use_case="flights")
    for name in [name for name in set(os.environ) - set(before) if name[:11] == "OPENLINEAGE"]:
        del os.environ[name]  # the client adds to the environment what it was told


def test_task_tells_a_configured_target(run_task, monkeypatch):
    with Target() as target:
        monkeypatch.setenv("OPENLINEAGE_URL", target.url)
        assert run_task() == {"window": WINDOW}
        assert [event["eventType"] for event in target.events] == ["START", "COMPLETE"]
        assert target.events[0]["job"]["name"] == "flights.land_feeds"


def test_task_without_a_target_sends_and_prints_nothing(run_task, monkeypatch, tmp_path, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("OPENLINEAGE")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(
        "ratchet.lineage.events.reported", lambda *_, **__: pytest.fail("it was reported")
    )
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a connection was made"))
    assert run_task() == {"window": WINDOW}
    assert capfd.readouterr() == ("", "")
