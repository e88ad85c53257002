"""From landed rows to gold: dbt in process, tests that block, publishing, snapshots.

Only `build` and `publish` open a use case's warehouse. Everyone else reads what is published.
"""

from ratchet.warehouse.build import BuildReport, Layer, build
from ratchet.warehouse.invocation import warm
from ratchet.warehouse.publish import publish, read_features, read_outcomes
from ratchet.warehouse.snapshots import Snapshot, load_snapshot, take_snapshot

__all__ = [
    "BuildReport",
    "Layer",
    "Snapshot",
    "build",
    "load_snapshot",
    "publish",
    "read_features",
    "read_outcomes",
    "take_snapshot",
    "warm",
]
