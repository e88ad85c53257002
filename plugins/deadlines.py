"""Makes the moments that deadlines are counted from known to Airflow's scheduler."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from ratchet.orchestration.deadlines import EndOfScheduledWindow


class DeadlinesPlugin(AirflowPlugin):
    """Registers them."""

    name = "ratchet_deadlines"
    deadline_references = [EndOfScheduledWindow]  # noqa: RUF012 - Airflow reads a list
