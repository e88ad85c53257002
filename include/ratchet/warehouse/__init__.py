"""From landed rows to gold: dbt in process, tests that block, publishing, snapshots.

Only `build` and `publish` open a use case's warehouse. Everyone else reads what is published.
"""

from ratchet.warehouse.build import BuildReport, Layer, build
from ratchet.warehouse.compiled import LAKE, compile_project
from ratchet.warehouse.invocation import warm
from ratchet.warehouse.publish import publish, read_features, read_outcomes
from ratchet.warehouse.snapshots import Snapshot, load_snapshot, take_snapshot
from ratchet.warehouse.verdict import sql_sha256

__all__ = [
    "LAKE",
    "BuildReport",
    "Layer",
    "Snapshot",
    "build",
    "compile_project",
    "load_snapshot",
    "publish",
    "read_features",
    "read_outcomes",
    "sql_sha256",
    "take_snapshot",
    "warm",
]
