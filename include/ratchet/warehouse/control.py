"""What a build tells dbt: which range of time to compute, where the lake is, what errors cost."""

from __future__ import annotations

from datetime import UTC

import duckdb
import pyarrow.parquet as pq

from ratchet.settings import Lake, Settings
from ratchet.spec.types import Spec
from ratchet.storage import atomic_path, write_new
from ratchet.warehouse.artifacts import FAILED_ROWS, RESULTS
from ratchet.window import Window

_BUILD_WINDOW = """
create or replace table control.build_window as select
    $use_case as use_case,
    $run_id as run_id,
    $lake as lake,
    if($is_first, '*', $landed) as landed,
    $window_start::timestamp as window_start,
    $window_end::timestamp as window_end,
    if($is_first, $history_start, $window_start)::timestamp as range_start,
    greatest($window_end, $built_end)::timestamp as range_end,
    $history_start::timestamp as history_start,
    not $is_first as is_complete
"""

_SIGNAL = {
    "window": "varchar",
    "family": "varchar",
    "rule": "varchar",
    "subject": "varchar",
    "column": "varchar",
    "segment": "varchar",
    "rows": "bigint",
    "is_enough": "boolean",
    "value": "double",
    "expected": "double",
    "effect": "double",
    "floor": "double",
    "null_limit": "double",
    "p_value": "double",
    "direction": "varchar",
    "unit": "varchar",
    "reference": "varchar",
    "text": "varchar",
}


def begin(spec: Spec, window: Window, settings: Settings, run_id: str) -> tuple[float, bool]:
    """Write what the next dbt run of a use case works on.

    Returns how many days it computes, and whether these are all that have landed.

    A window is replaced alone. What was built after it rests on it, so that is computed again too:
    the same rows come out, in whatever order windows are built. Until a first build is complete,
    and so also after its warehouse was deleted, all windows that have landed are read.
    """
    lake = settings.lake(spec.name)
    start, end, history_start = (
        moment.astimezone(UTC).replace(tzinfo=None)
        for moment in (window.start, window.end, spec.schedule.history_start)
    )
    _write_empty_tables(spec, lake)
    lake.warehouse.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(lake.warehouse) as connection:
        connection.begin()
        connection.execute("create schema if not exists control")
        found = connection.execute("from duckdb_tables() where table_name = 'build_window'")
        built_end, is_complete = (
            connection.execute("select range_end, is_complete from control.build_window").fetchone()
            if found.fetchone()
            else (end, False)
        )
        connection.execute(
            _BUILD_WINDOW,
            {
                "use_case": spec.name,
                "run_id": run_id,
                "lake": str(lake.root),
                "landed": window.key,
                "window_start": start,
                "window_end": end,
                "history_start": history_start,
                "built_end": built_end,
                "is_first": not is_complete,
            },
        )
        prices = ", ".join(f"${name}::double as {name}" for name in spec.costs.prices)
        connection.execute(
            f"create or replace table control.costs as select {prices or 'null as none'}",
            spec.costs.prices,
        )
        connection.commit()
        (days,) = connection.execute(
            "select date_diff('second', range_start, range_end) / 86400 from control.build_window"
        ).fetchone()
    return float(days), not is_complete


def complete(spec: Spec, settings: Settings) -> None:
    """Note that all layers hold all that has landed: from now on, windows are built alone."""
    with duckdb.connect(settings.lake(spec.name).warehouse) as connection:
        connection.execute("update control.build_window set is_complete = true")


def _shown(spec: Spec) -> dict[str, dict[str, str]]:
    """Return folders that other stages write to and gold shows, with their columns' types."""
    return {
        "predictions": {
            spec.gold.key: "varchar",
            spec.gold.decided_at: "timestamp",
            "window": "varchar",
            "role": "varchar",
            "version": "varchar",
            **spec.costs.columns,
            "is_decision": "boolean",
            "stale_features": "varchar",
            "fallback": "varchar",
            **({"reasons": "varchar"} if spec.explanations else {}),
        },
        "monitoring/cohorts": {
            "observed_window": "varchar",
            "cohort": "varchar",
            "age_days": "double",
            "policy": "varchar",
            "version": "varchar",
            "labelled": "bigint",
            "total": "bigint",
            "matured_share": "double",
            "is_mature": "boolean",
            "total_cost": "double",
            "cost_per_unit": "double",
            **dict.fromkeys(spec.costs.realised_metrics, "double"),
        },
        "monitoring/estimates": {
            "observed_window": "varchar",
            "cohort": "varchar",
            "day": "date",
            "version": "varchar",
            "measure": "varchar",
            "age_days": "double",
            "rows": "bigint",
            "missing": "bigint",
            "estimated": "double",
            "sampling_error": "double",
            "low": "double",
            "high": "double",
            "realised": "double",
            "p_value": "double",
        },
        # of all sources together, and of one alone
        "monitoring/signals/": _SIGNAL,
        "monitoring/signals/kpi": _SIGNAL,
        "monitoring/service": {
            "window": "varchar",
            "version": "varchar",
            "rows": "bigint",
            "duration_s": "double",
            "row_ms": "double",
            "stale_rows": "bigint",
            "fallback_rows": "bigint",
            "refused_rows": "bigint",
        },
        "monitoring/results": RESULTS,
        "monitoring/failed_rows": FAILED_ROWS,
        # a folder of its own, as there is one for each family of checks
        "findings/": {
            "window": "varchar",
            "check": "varchar",
            "subject": "varchar",
            "column": "varchar",
            "segment": "varchar",
            "state": "varchar",
            "rows": "bigint",
            "broken": "bigint",
            "observed": "double",
            "expected": "double",
            "p_value": "double",
            "text": "varchar",
            "is_blocking": "boolean",
        },
        "blocks": {
            "window": "varchar",
            "table_name": "varchar",
            "blocked_by": "varchar",
            "state": "varchar",
            "rows": "bigint",
            "rows_path": "varchar",
            "since": "timestamp",
            "reason": "varchar",
        },
        "incidents/incidents": {
            "window": "varchar",
            "id": "varchar",
            "fingerprint": "varchar",
            "cause": "varchar",
            "state": "varchar",
            "severity": "varchar",
            "is_verify": "boolean",
            "title": "varchar",
            "owner_name": "varchar",
            "owner_email": "varchar",
            "subjects": "varchar[]",
            "columns": "varchar[]",
            "evidence": "varchar[]",
            "silenced": "varchar[]",
            "rules": "varchar[]",
            "windows": "varchar[]",
            "last_good": "varchar",
            "reopened": "bigint",
            "quiet": "bigint",
            "resolved": "varchar",
            "resolved_by": "varchar",
            "reason": "varchar",
            "told": "varchar",
            "lead": "varchar",
            "value": "double",
            "threshold": "double",
            "unit": "varchar",
            "rows": "bigint",
            "text": "varchar",
        },
        "incidents/alerts": {
            "id": "varchar",
            "window": "varchar",
            "event": "varchar",
            "incident": "varchar",
            "cause": "varchar",
            "severity": "varchar",
            "route": "varchar",
            "channels": "varchar[]",
            "held": "varchar",
            "owner_name": "varchar",
            "owner_email": "varchar",
            "title": "varchar",
            "rule": "varchar",
            "value": "double",
            "threshold": "double",
            "unit": "varchar",
            "rows": "bigint",
            "last_good": "varchar",
            "text": "varchar",
        },
    }


def _write_empty_tables(spec: Spec, lake: Lake) -> None:
    """Put an empty table beside each shown folder: a view over no file at all is an error."""
    for folder, columns in _shown(spec).items():
        path = lake.root / f"{folder}.none" / "none.parquet"
        if not path.exists() or pq.read_schema(path).names != [*columns]:
            nulls = ", ".join(f'null::{kind} as "{name}"' for name, kind in columns.items())
            with atomic_path(path) as draft, duckdb.connect() as connection:
                connection.execute(f"copy (select {nulls} limit 0) to '{draft}'")
    # the ledger is text
    write_new(lake.root / "ledger.none" / "none.json", b"")
