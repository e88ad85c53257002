"""Loads the libraries that tasks use before Airflow's scheduler forks its local workers.

A local worker runs each task in a fork of itself, so what the scheduler has imported costs a task
nothing. Without this, importing dbt, pandas, scikit-learn and MLflow takes longer than most
tasks' work. The Celery worker forks in the same way, and its tasks gain the same.
"""

from __future__ import annotations

import importlib
import sys

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

STAGES = ("feeds", "warehouse", "training", "evaluation", "registry", "serving", "monitoring")
HEAVY = (
    "ratchet.orchestration.factory",  # every task parses its DAG file
    *(f"ratchet.{stage}" for stage in STAGES),
    "dbt.cli.main",
    "mlflow",
)


@hookimpl
def on_starting(component: object) -> None:
    """Import what tasks need, in the scheduler only."""
    runner = type(getattr(component, "job_runner", None)).__name__
    if runner == "SchedulerJobRunner":
        for name in HEAVY:
            importlib.import_module(name)


class PreloadPlugin(AirflowPlugin):
    """Registers the listener."""

    name = "ratchet_preload"
    listeners = (sys.modules[__name__],)
