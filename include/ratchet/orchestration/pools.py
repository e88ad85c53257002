"""The pools that keep a use case's warehouse to one writer.

DuckDB lets one process write at a time. Runs of the same DAG queue up by themselves, but those of
a backfill do not: the pool makes them.
"""

from __future__ import annotations

import json

from ratchet.spec import Spec


def warehouse_pool(spec: Spec) -> str:
    """Name of the one-slot pool in which everything runs that opens the use case's warehouse."""
    return f"{spec.name}_warehouse"


def pools_file(specs: list[Spec]) -> str:
    """Return all pools as a file for `airflow pools import`."""
    described = {
        warehouse_pool(spec): {
            "slots": 1,
            "description": f"One writer to the warehouse of {spec.name}",
            "include_deferred": False,
        }
        for spec in specs
    }
    return json.dumps(described, indent=1)
