"""What a build leaves behind of itself: how each model and test went, and rows that failed."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import atomic_path
from ratchet.window import Window

_TYPES = {
    "varchar": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "timestamp": pa.timestamp("us"),
}

RESULTS = {
    "window": "varchar",
    "layer": "varchar",
    "build": "varchar",
    "landing_sha256": "varchar",
    "code_sha256": "varchar",
    "days": "double",
    "run_id": "varchar",
    "built_at": "timestamp",
    "name": "varchar",
    "kind": "varchar",
    "model": "varchar",
    "sql_sha256": "varchar",
    "status": "varchar",
    "failures": "bigint",
    "seconds": "double",
    "message": "varchar",
}

FAILED_ROWS = {
    "window": "varchar",
    "layer": "varchar",
    "build": "varchar",
    "name": "varchar",
    "row_number": "bigint",
    "content": "varchar",
}

# enough to see what is wrong, and small however much of it there is
_SAMPLE_ROWS = 100


def leave_artifacts(
    spec: Spec,
    window: Window,
    layer: str,
    settings: Settings,
    results: list[Any],
    *,
    subject: dict[str, str],
    days: float,
    run_id: str,
) -> None:
    """Keep what dbt said of a build, good or bad, where gold's `mon_` models show it.

    Two Parquet files, `monitoring/results/` and `monitoring/failed_rows/` below the lake, named
    after the window, the layer and the build. A build's id follows from its data, its code and how
    each model and test ended. The same build done again so replaces itself, and one that ends
    otherwise on the same data and code stands beside it: that is how flaky tests are told.

    Parameters
    ----------
    results
        dbt's RunResult of each model and test.
    subject
        Hashes of what landed and of the SQL.
    days
        How long a range of time was computed.
    """
    ends = sorted([result.node.name, str(result.status), result.failures] for result in results)
    build = hashlib.sha256(json.dumps([window.key, layer, subject, ends]).encode()).hexdigest()[:12]
    key = {"window": window.key, "layer": layer, "build": build}
    shared = {
        "landing_sha256": subject["landing"],
        "code_sha256": subject["code"],
        "days": days,
        "run_id": run_id,
        "built_at": datetime.now(UTC).replace(tzinfo=None),
    }
    tables = {
        "results": (RESULTS, [key | shared | _row(result) for result in results]),
        "failed_rows": (FAILED_ROWS, [key | row for row in _failed_rows(spec, settings, results)]),
    }
    for folder, (columns, rows) in tables.items():
        schema = pa.schema([(name, _TYPES[kind]) for name, kind in columns.items()])
        name = ".".join([*key.values(), "parquet"])
        with atomic_path(settings.lake(spec.name).monitoring / folder / name) as draft:
            pq.write_table(pa.Table.from_pylist(rows, schema=schema), draft)


def _row(result: Any) -> dict[str, Any]:
    node = result.node
    sql = getattr(node, "compiled_code", None) or node.raw_code
    tested = getattr(node, "attached_node", None)
    kind = str(node.resource_type)
    return {
        "name": node.name,
        "kind": kind,
        "model": node.name if kind == "model" else tested and tested.split(".")[-1],
        "sql_sha256": hashlib.sha256(sql.encode()).hexdigest(),
        "status": str(result.status),
        "failures": result.failures,
        "seconds": result.execution_time,
        "message": result.message,
    }


def _failed_rows(spec: Spec, settings: Settings, results: list[Any]) -> list[dict[str, Any]]:
    failed = [result.node for result in results if result.status == "fail"]
    if not failed:
        return []
    rows = []
    with duckdb.connect(settings.lake(spec.name).warehouse, read_only=True) as connection:
        for node in failed:
            query = f"select to_json(failed)::varchar from ({node.compiled_code}) as failed"  # noqa: S608
            found = connection.execute(f"{query} order by all limit {_SAMPLE_ROWS}").fetchall()
            rows += [
                {"name": node.name, "row_number": number, "content": content}
                for number, (content,) in enumerate(found, start=1)
            ]
    return rows
