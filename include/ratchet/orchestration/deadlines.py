"""Tells when a window is not refined by the time that the feeds' SLAs promise."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import BaseDeadlineReference, DeadlineAlert

from ratchet.settings import Settings
from ratchet.spec import Spec, load_spec
from ratchet.window import Window

_log = logging.getLogger(__name__)


class EndOfScheduledWindow(BaseDeadlineReference):  # type: ignore[misc]
    """The end of a scheduled run's window; no moment for runs by hand and for a replay of history.

    Airflow evaluates it in the scheduler, when it makes the run.
    """

    required_kwargs = frozenset({"dag_id", "run_id"})

    def _evaluate_with(self, *, session: Any, dag_id: str, run_id: str) -> datetime | None:
        from airflow.models import DagRun
        from airflow.utils.types import DagRunType
        from sqlalchemy import select

        query = select(DagRun.data_interval_end).where(
            DagRun.dag_id == dag_id,
            DagRun.run_id == run_id,
            DagRun.run_type == DagRunType.SCHEDULED,
        )
        end: datetime | None = session.scalar(query)
        return end


def refined_in_time(spec: Spec) -> DeadlineAlert | None:
    """Return the alert of a use case's refine_data: after its last feed must be there."""
    within = [feed.sla.within - timedelta(days=1) for feed in spec.feeds.values() if feed.sla]
    if not within:
        return None
    return DeadlineAlert(
        name=f"{spec.name} refined in time",
        reference=EndOfScheduledWindow(),
        interval=max(within),
        callback=AsyncCallback(tell_missed, kwargs={"use_case": spec.name}),
    )


async def tell_missed(use_case: str, context: dict[str, Any]) -> None:
    """Log that a run missed its deadline, and keep it as a finding of the window."""
    from ratchet.quality import Finding, write_findings

    run, deadline = context["dag_run"], context["deadline"]["deadline_time"]
    bounds = (run["data_interval_start"], run["data_interval_end"])
    window = Window(*(datetime.fromisoformat(str(bound)) for bound in bounds))
    text = f"{run['dag_id']} was not done by {deadline}; look at its run {run['dag_run_id']}."
    _log.error(text)
    settings = Settings.load()
    spec = load_spec(settings.use_cases / f"{use_case}.yaml")
    missed = Finding(check="deadline", subject=use_case, state="found", rows=0, text=text)
    write_findings(spec, window, "deadline", [missed], settings)
