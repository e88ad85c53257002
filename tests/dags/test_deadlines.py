"""The deadline of refining a window: which runs have one, and what happens when it is missed."""

import asyncio
from datetime import UTC, datetime

import pytest

from ratchet.quality import read_findings
from ratchet.settings import PROJECT, Settings
from ratchet.window import Window

WEEK = Window.parse("2013-03-01T0000--2013-03-08T0000")
SIX = datetime(2013, 3, 8, 6, tzinfo=UTC)  # when the last day must be there, by the spec


@pytest.fixture(scope="module")
def refine():
    """Return refine_data as the scheduler has it, after Airflow stored the project's DAGs."""
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session

    folder = PROJECT / "dags"
    with create_session() as session:
        session.merge(DagBundleModel(name="ratchet"))
    bag = BundleDagBag(folder, bundle_path=folder, bundle_name="ratchet")
    assert not bag.import_errors
    sync_bag_to_db(bag, "ratchet", None)
    with create_session() as session:
        return SerializedDagModel.get("flights__refine_data", session=session).dag


def deadlines(refine, run_type: str) -> list[datetime]:
    """Make a run of a week, as Airflow does; return the deadlines that it has."""
    from airflow.models.deadline import Deadline
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType
    from sqlalchemy import select

    with create_session() as session:
        run = refine.create_dagrun(
            run_id=f"{run_type}__week",
            logical_date=WEEK.start if run_type == "scheduled" else WEEK.end,
            data_interval=(WEEK.start, WEEK.end),
            run_after=WEEK.end,
            run_type=DagRunType(run_type),
            triggered_by=DagRunTriggeredByType.TEST,
            state=DagRunState.QUEUED,
            session=session,
        )
        session.flush()
        query = select(Deadline.deadline_time).where(Deadline.dagrun_id == run.id)
        found = list(session.scalars(query))
        session.rollback()
        return found


def test_scheduled_run_must_be_done_when_the_last_feed_must_be_there(refine):
    assert deadlines(refine, "scheduled") == [SIX]


@pytest.mark.parametrize("run_type", ["backfill", "manual"])
def test_replay_of_history_has_no_deadline(refine, run_type):
    assert deadlines(refine, run_type) == []


def test_missed_deadline_is_logged_and_kept_as_a_finding(
    tmp_path, monkeypatch, caplog, flights_spec
):
    from ratchet.orchestration.deadlines import tell_missed

    monkeypatch.setenv("RATCHET_HOME", str(tmp_path))
    run = {
        "dag_id": "flights__refine_data",
        "dag_run_id": "scheduled__week",
        "data_interval_start": "2013-03-01T00:00:00Z",
        "data_interval_end": "2013-03-08T00:00:00Z",
    }
    asyncio.run(tell_missed("flights", {"dag_run": run, "deadline": {"deadline_time": SIX}}))
    assert "flights__refine_data was not done by 2013-03-08 06:00" in caplog.text
    settings = Settings(tmp_path, PROJECT / "include" / "use_cases")
    (finding,) = read_findings(flights_spec, WEEK, settings, blocking=False)
    assert (finding.check, finding.state) == ("deadline", "found")
    assert finding.text in caplog.text
