"""Events, as a real server on this machine receives them."""

import os
import time
import uuid
from datetime import datetime

import pytest
from lineage_target import Target
from three_weeks import BASE

from ratchet.lineage import events, reported
from ratchet.settings import Settings


class NothingToDoError(Exception):
    """What a scheduler's tasks raise if there is nothing to do."""


@pytest.fixture(autouse=True)
def no_target_from_elsewhere(monkeypatch, tmp_path):
    """Take away what names a target; the client itself adds to the environment what it was told."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("OPENLINEAGE")]:
        monkeypatch.delenv(name)
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]


@pytest.fixture
def target():
    with Target() as target:
        yield target


@pytest.fixture
def report(flights_spec, graph, tmp_path, monkeypatch):
    """Report a task that does some work."""
    monkeypatch.setattr(events, "load_graph", lambda *_: graph)

    def run(task, work=lambda: None):
        with reported(
            task, flights_spec, BASE, Settings(tmp_path, tmp_path), "run 1", skips=NothingToDoError
        ):
            work()

    return run


def test_task_sends_start_and_complete_of_one_run(target, report, monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_URL", target.url)
    report("land_feeds")
    assert [path for path, _ in target.received] == ["/api/v1/lineage"] * 2
    start, complete = target.events
    assert [start["eventType"], complete["eventType"]] == ["START", "COMPLETE"]
    assert start["run"]["runId"] == complete["run"]["runId"]
    uuid.UUID(start["run"]["runId"])
    for event in target.events:
        assert event["job"] == {"namespace": "ratchet", "name": "flights.land_feeds", "facets": {}}
        assert datetime.fromisoformat(event["eventTime"]).tzinfo
        assert event["schemaURL"].startswith("https://openlineage.io/spec/")
        nominal = event["run"]["facets"]["nominalTime"]
        assert nominal["nominalStartTime"] == "2012-12-31T00:00:00+00:00"
    assert {"namespace": "ratchet://flights", "name": "inbox/weather"}.items() <= (
        next(i for i in start["inputs"] if i["name"] == "inbox/weather").items()
    )
    assert "feeds.weather" in {output["name"] for output in complete["outputs"]}


def test_build_tells_where_each_column_comes_from(target, report, monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_URL", target.url)
    report("build_gold")
    complete = target.events[-1]
    (features,) = (o for o in complete["outputs"] if o["name"] == "gold.feat_flights")
    fields = features["facets"]["columnLineage"]["fields"]
    direct = [
        (field["name"], field["field"])
        for field in fields["temperature_f"]["inputFields"]
        if field["transformations"][0]["type"] == "DIRECT"
    ]
    assert direct == [("silver.int_flights__weather", "temperature_f")]
    assert len(features["facets"]["schema"]["fields"]) == len(fields) == 37
    read = {i["name"] for i in complete["inputs"]}
    assert {"silver.int_flights__weather", "silver.int_flights__rates"} <= read
    assert not read & {output["name"] for output in complete["outputs"]}


def test_failure_is_told_and_stays_a_failure(target, report, monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_URL", target.url)

    def fail():
        raise ValueError("weather_20130101.csv is missing")

    with pytest.raises(ValueError, match="is missing"):
        report("land_feeds", fail)
    last = target.events[-1]
    assert last["eventType"] == "FAIL"
    assert "weather_20130101.csv is missing" in last["run"]["facets"]["errorMessage"]["message"]


def test_skip_is_no_failure(target, report, monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_URL", target.url)

    def skip():
        raise NothingToDoError

    with pytest.raises(NothingToDoError):
        report("request_retraining", skip)
    assert [event["eventType"] for event in target.events] == ["START", "COMPLETE"]


def test_target_that_refuses_fails_nothing(target, report, monkeypatch, caplog):
    monkeypatch.setenv("OPENLINEAGE_URL", target.url)
    target.status = 400
    report("take_snapshot")
    assert "the lineage target took no event" in caplog.text


def test_target_that_is_not_there_fails_nothing(target, report, monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_URL", target.url)
    target.server.server_close()
    report("take_snapshot")


def test_slow_target_stalls_nothing(target, report, monkeypatch, caplog):
    monkeypatch.setenv("OPENLINEAGE_URL", target.url)
    monkeypatch.setattr(events, "_PATIENCE_S", 0.2)
    target.delay_s = 2.0
    started = time.monotonic()
    report("take_snapshot")
    assert time.monotonic() - started < 1.5
    assert "the lineage target is slow" in caplog.text


@pytest.mark.parametrize(
    ("environment", "reports"),
    [
        ({}, False),
        ({"OPENLINEAGE_URL": ""}, False),
        ({"OPENLINEAGE_URL": "http://lineage"}, True),
        ({"OPENLINEAGE__TRANSPORT__TYPE": "console"}, True),
        ({"OPENLINEAGE_URL": "http://lineage", "OPENLINEAGE_DISABLED": "true"}, False),
    ],
)
def test_settings_report_only_to_a_configured_target(environment, reports, monkeypatch, tmp_path):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Settings(tmp_path, tmp_path).reports_lineage is reports


def test_settings_report_to_the_target_of_a_file(tmp_path):
    (tmp_path / "openlineage.yml").write_text("transport: {type: console}\n")
    assert Settings(tmp_path, tmp_path).reports_lineage
