"""Loads the libraries that tasks use before Airflow's scheduler forks its local workers.

A local worker runs each task in a fork of itself, so what the scheduler has imported costs a task
nothing. Without this, importing dbt, pandas, scikit-learn, skops and MLflow takes longer than most
tasks' work.
"""

from __future__ import annotations

import importlib
import sys
import warnings

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

STAGES = (
    "feeds",
    "quality",
    "warehouse",
    "training",
    "evaluation",
    "registry",
    "serving",
    "monitoring",
    "retraining",
    "incidents",
    "reporting",
    "lineage",
)
HEAVY = (
    "ratchet.orchestration.factory",  # every task parses its DAG file
    *(f"ratchet.{stage}" for stage in STAGES),
    "dbt.cli.main",
    "dbt.adapters.duckdb",
    "holidays.countries",
    "mlflow.tracking",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "pyarrow.dataset",
    "skops.io",
    "sklearn.ensemble",
    "sklearn.linear_model",
)


@hookimpl
def on_starting(component: object) -> None:  # noqa: ARG001 (it is not built yet: argv tells it)
    """Import what tasks need, in the scheduler only; its forks start too, and have it already."""
    if "scheduler" in sys.argv[1:2]:
        with warnings.catch_warnings():
            # skops asks every loaded module for every function of scipy, and Airflow's answer
            warnings.simplefilter("ignore")
            for name in HEAVY:
                importlib.import_module(name)
            importlib.import_module("ratchet.warehouse").warm()


class PreloadPlugin(AirflowPlugin):
    """Registers the listener."""

    name = "ratchet_preload"
    listeners = (sys.modules[__name__],)
