"""From landed rows to gold: dbt in process, tests that block what rests on them, snapshots.

Only `build` and `publish` open a use case's warehouse. Everyone else reads what is published.
"""

from ratchet.warehouse.blocking import Block, open_blocks, read_blocks, unblock
from ratchet.warehouse.build import BuildReport, Layer, build
from ratchet.warehouse.compiled import LAKE, compile_project
from ratchet.warehouse.invocation import warm
from ratchet.warehouse.publish import (
    Publication,
    count_labels,
    decided_in,
    ledger_anchors,
    open_published,
    publish,
    read_features,
    read_outcomes,
    read_published,
    why_blocked,
)
from ratchet.warehouse.snapshots import (
    Snapshot,
    describe_snapshot,
    load_snapshot,
    read_training_rows,
    take_snapshot,
)
from ratchet.warehouse.verdict import sql_sha256

__all__ = [
    "LAKE",
    "Block",
    "BuildReport",
    "Layer",
    "Publication",
    "Snapshot",
    "build",
    "compile_project",
    "count_labels",
    "decided_in",
    "describe_snapshot",
    "ledger_anchors",
    "load_snapshot",
    "open_blocks",
    "open_published",
    "publish",
    "read_blocks",
    "read_features",
    "read_outcomes",
    "read_published",
    "read_training_rows",
    "sql_sha256",
    "take_snapshot",
    "unblock",
    "warm",
    "why_blocked",
]
