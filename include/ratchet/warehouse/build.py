"""One layer of one use case, for one window."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any, Literal

import duckdb
from pydantic import BaseModel, ConfigDict

from ratchet.decision import Clause
from ratchet.errors import BuildError
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import write_atomic
from ratchet.warehouse import control, verdict
from ratchet.warehouse.artifacts import leave_artifacts
from ratchet.warehouse.invocation import DBT_PROJECT, build_models
from ratchet.window import Window

Layer = Literal["bronze", "silver", "gold"]

# folder of models that every use case has; no use case can have this name
SHARED = "_shared"


class BuildReport(BaseModel):
    """What a good build did.

    `models` and `tests` are how many ran, `subject` is what the data follows from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    use_case: str
    window: str
    layer: str
    models: int
    tests: int
    seconds: float
    subject: dict[str, str]


def build(spec: Spec, window: Window, layer: Layer, settings: Settings, run_id: str) -> BuildReport:
    """Build and test one layer of a use case for one window.

    Replaces the window's rows, and those of later windows if any were built, as they rest on it.
    If the warehouse is missing, everything that landed up to the window's end is built. That is
    also the way out after an incompatible change of the SQL: delete the warehouse, and build.

    Parameters
    ----------
    spec
        The use case; its models lie in `models/<layer>/<use case>` of the dbt project, beside
        those that every use case has.
    window
        Has landed, and the layers below are built.
    layer
        bronze, silver or gold.
    settings
        Names the lake.
    run_id
        Noted in the warehouse.

    Returns
    -------
    BuildReport
        Also left in the window's work folder, beside dbt's log: `publish` asks for it.

    Raises
    ------
    BuildError
        If a model fails, a test finds rows, or there is nothing to build or test. Names each model
        or test, its file, and where the rows are. A test that finds rows is a verdict on the data,
        and stands in the ledger as `blocked`.
    """
    started = time.perf_counter()
    folder = report_path(spec, window, layer, settings).parent
    shutil.rmtree(folder, ignore_errors=True)
    subject = verdict.subject(spec, window, settings)
    days = control.begin(spec, window, settings, run_id)
    warehouse = settings.lake(spec.name).warehouse
    paths = [f"models/{layer}/{spec.name}", f"models/{layer}/{SHARED}"]
    results = build_models(paths, warehouse, folder, keep_manifest=layer == "gold")
    leave_artifacts(
        spec, window, layer, settings, results, subject=subject, days=days, run_id=run_id
    )
    if failed := [result for result in results if result.status in ("error", "fail")]:
        if clauses := [_clause(result) for result in failed if result.status == "fail"]:
            blocked = subject | {"tests": ", ".join(clause.name for clause in clauses)}
            verdict.record(spec, window, settings, "blocked", blocked, clauses)
        faults = "\n".join(f"- {_fault(result, warehouse, folder)}" for result in failed)
        raise BuildError(f"{spec.name} {window}: {layer} is not usable:\n{faults}")
    kinds = [str(result.node.resource_type) for result in results]
    report = BuildReport(
        use_case=spec.name,
        window=window.key,
        layer=layer,
        models=kinds.count("model"),
        tests=kinds.count("test"),
        seconds=time.perf_counter() - started,
        subject=subject,
    )
    if not (report.models and report.tests):
        raise BuildError(
            f"{spec.name} {window}: {layer} has {report.models} models and {report.tests} tests; "
            f"write both below {DBT_PROJECT}/models/{layer}/{spec.name}"
        )
    if layer == "gold":
        control.complete(spec, settings)
    path = report_path(spec, window, layer, settings)
    write_atomic(path, report.model_dump_json(indent=1).encode())
    return report


def report_path(spec: Spec, window: Window, layer: Layer, settings: Settings) -> Path:
    """Return where the report of a good build lies, beside dbt's log and the compiled SQL."""
    return settings.lake(spec.name).work(window) / "dbt" / layer / "report.json"


def _clause(result: Any) -> Clause:
    return Clause(
        name=result.node.name,
        passed=False,
        observed=float(result.failures),
        required=0.0,
        text=f"{result.node.name} found {result.failures:,} rows that must not be there",
    )


def _fault(result: Any, warehouse: Path, folder: Path) -> str:
    """Say what went wrong in a model or test; leave the rows that a test found as Parquet."""
    node = result.node
    where = f"{node.name} ({DBT_PROJECT.name}/{node.original_file_path})"
    if result.status == "error":
        return f"{where} failed: {' '.join(result.message.split())}"
    rows = folder / "failed" / f"{node.name}.parquet"
    rows.parent.mkdir(exist_ok=True)
    with duckdb.connect(warehouse, read_only=True) as connection:
        connection.execute(f"copy ({node.compiled_code}) to '{rows}'")
    return f"{where} found {result.failures:,} rows that must not be there; they are in {rows}"
