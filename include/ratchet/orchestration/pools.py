"""The pools in which tasks wait for one another, or for cores.

DuckDB lets one process write at a time. Runs of the same DAG queue up by themselves, but those of
a backfill do not: a pool of one slot makes them. Candidates are fitted in the pool that the spec
names, of which a slot is a core.
"""

from __future__ import annotations

import json
import os
from typing import cast

from ratchet.spec import Spec


def warehouse_pool(spec: Spec) -> str:
    """Name of the one-slot pool in which everything runs that opens the use case's warehouse."""
    return f"{spec.name}_warehouse"


def pools_of(spec: Spec) -> dict[str, int]:
    """Return the slots of each pool that a use case's DAGs need, by name.

    A pool for fitting has the cores of the machine that this runs on, and no less than one
    candidate takes: where tasks run elsewhere, its size is for Airflow's administrator to say.
    """
    resources = spec.training.resources
    training = {resources.pool: max(os.cpu_count() or 1, resources.cores)} if resources.pool else {}
    return {warehouse_pool(spec): 1, **training}


def pools_file(specs: list[Spec]) -> str:
    """Return all pools as a file for `airflow pools import`."""
    described: dict[str, dict[str, object]] = {}
    for spec in specs:
        for name, slots in pools_of(spec).items():
            text = (
                f"One writer to the warehouse of {spec.name}"
                if name == warehouse_pool(spec)
                else "Cores to fit candidates with"
            )
            most = max(slots, cast(int, described.get(name, {}).get("slots", 0)))
            described[name] = {"slots": most, "description": text, "include_deferred": False}
    return json.dumps(described, indent=1)
