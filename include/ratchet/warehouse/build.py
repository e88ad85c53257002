"""One layer of one use case, for one window."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any, Literal, get_args

import duckdb
from pydantic import BaseModel, ConfigDict

from ratchet.errors import BuildError
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import write_atomic
from ratchet.warehouse import blocking, control, verdict
from ratchet.warehouse.artifacts import leave_artifacts
from ratchet.warehouse.blocking import Cause
from ratchet.warehouse.invocation import DBT_PROJECT, build_models
from ratchet.window import Window

Layer = Literal["bronze", "silver", "gold"]

# folder of models that every use case has; no use case can have this name
SHARED = "_shared"


class BuildReport(BaseModel):
    """What a build did.

    `models` and `tests` are how many ran, `subject` is what the data follows from. `causes` are
    tests that found rows, and what could not run on tables that are blocked; `reads` is what each
    model reads: models, and sources as `source:<name>`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    use_case: str
    window: str
    layer: str
    models: int
    tests: int
    seconds: float
    subject: dict[str, str]
    causes: tuple[Cause, ...]
    reads: dict[str, tuple[str, ...]]


def build(spec: Spec, window: Window, layer: Layer, settings: Settings, run_id: str) -> BuildReport:
    """Build and test one layer of a use case for one window.

    Replaces the window's rows, and those of later windows if any were built, as they rest on it.
    A test that finds rows stops nothing here: `publish` says what it blocks. Nor does a model or
    test that can't run, if it rests on what is known to be blocked: it is blocked, too.
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
        If a model or test can't be run though all that it reads is fine, or there is nothing to
        build or test. Names each, and its file. All that the window's build writes is blocked until
        a later one is published.
    """
    started = time.perf_counter()
    folder = report_path(spec, window, layer, settings).parent
    shutil.rmtree(folder, ignore_errors=True)
    subject = verdict.subject(spec, window, settings)
    blocking.begin(spec, window, layer, settings)
    days, is_whole = control.begin(spec, window, settings, run_id)
    if is_whole:
        blocking.release_others(spec, window, settings)
    warehouse = settings.lake(spec.name).warehouse
    paths = [f"models/{layer}/{spec.name}", f"models/{layer}/{SHARED}"]
    manifest = manifest_path(spec, subject["code"], settings) if layer == "gold" else None
    results = build_models(paths, warehouse, folder, manifest=manifest)
    leave_artifacts(
        spec, window, layer, settings, results, subject=subject, days=days, run_id=run_id
    )
    causes = [
        _cause(spec, result, folder, settings) for result in results if result.status == "fail"
    ]
    reads = {
        result.node.name: _named(result.node.depends_on.nodes)
        for result in results
        if result.node.resource_type == "model"
    }
    below = _reports_below(spec, window, layer, settings, subject)
    if failed := [result for result in results if result.status == "error"]:
        causes += _excused(spec, window, failed, causes, {layer: reads}, below, settings)
    kinds = [str(result.node.resource_type) for result in results]
    report = BuildReport(
        use_case=spec.name,
        window=window.key,
        layer=layer,
        models=kinds.count("model"),
        tests=kinds.count("test"),
        seconds=time.perf_counter() - started,
        subject=subject,
        causes=tuple(causes),
        reads=reads,
    )
    if not (report.models and report.tests):
        raise BuildError(
            f"{spec.name} {window}: {layer} has {report.models} models and {report.tests} tests; "
            f"write both below {DBT_PROJECT}/models/{layer}/{spec.name}"
        )
    if layer == "gold" and not any(c.error for r in (report, *below) for c in r.causes):
        control.complete(spec, settings)
    path = report_path(spec, window, layer, settings)
    write_atomic(path, report.model_dump_json(indent=1).encode())
    return report


def report_path(spec: Spec, window: Window, layer: Layer, settings: Settings) -> Path:
    """Return where the report of a build lies, beside dbt's log and the compiled SQL."""
    return settings.lake(spec.name).work(window) / "dbt" / layer / "report.json"


def manifest_path(spec: Spec, code: str, settings: Settings) -> Path:
    """Return where dbt's manifest of the project, as it was when it had this hash, is kept."""
    return settings.lake(spec.name).warehouse.with_name("manifests") / f"{code}.json"


def _reports_below(
    spec: Spec, window: Window, layer: Layer, settings: Settings, subject: dict[str, str]
) -> list[BuildReport]:
    """Return what the builds of the layers below said of the same data and SQL."""
    layers = get_args(Layer)[: get_args(Layer).index(layer)]
    paths = [report_path(spec, window, below, settings) for below in layers]
    reports = [BuildReport.model_validate_json(p.read_bytes()) for p in paths if p.exists()]
    return [report for report in reports if report.subject == subject]


def _excused(
    spec: Spec,
    window: Window,
    failed: list[Any],
    causes: list[Cause],
    reads: dict[str, dict[str, tuple[str, ...]]],
    below: list[BuildReport],
    settings: Settings,
) -> list[Cause]:
    """Return what could not run on blocked tables, as causes; raise for what has no such excuse."""
    (layer,) = reads
    known = [*causes, *(cause for report in below for cause in report.causes)]
    every = reads | {report.layer: report.reads for report in below}
    blocked = blocking.blocked_tables(spec, window, known, every, settings)
    models = {table.partition(".")[2] for table in blocked}
    found = [
        Cause(
            name=f"{blocking.BUILD_ERROR}{result.node.name}", on=_on(result), error=_fault(result)
        )
        for result in failed
        if not models.isdisjoint(_on(result))
    ]
    excused = {cause.error for cause in found}
    if faults := [f"- {fault}" for r in failed if (fault := _fault(r)) not in excused]:
        text = "\n".join(faults)
        raise BuildError(f"{spec.name} {window}: {layer} can't be built:\n{text}")
    return found


def _fault(result: Any) -> str:
    node = result.node
    where = f"{node.name} ({DBT_PROJECT.name}/{node.original_file_path})"
    return f"{where} failed: {' '.join(result.message.split())}"


def _cause(spec: Spec, result: Any, folder: Path, settings: Settings) -> Cause:
    """Say what a test found, and leave the rows as Parquet, sorted: the same rows, same file."""
    node, lake = result.node, settings.lake(spec.name)
    rows = folder / "failed" / f"{node.name}.parquet"
    rows.parent.mkdir(exist_ok=True)
    with duckdb.connect(lake.warehouse, read_only=True) as connection:
        connection.execute(f"copy (from ({node.compiled_code}) order by all) to '{rows}'")
    return Cause(
        name=node.name,
        on=_on(result),
        rows=result.failures,
        rows_path=str(rows.relative_to(lake.root)),
        accepted=blocking.acceptance_of_rows(spec, node.name, rows, settings),
    )


def _on(result: Any) -> tuple[str, ...]:
    """Return what a result is about.

    A model is itself, a generic test is on the model that declares it, and a singular one on all
    that it reads.
    """
    node = result.node
    if node.resource_type == "model":
        return (node.name,)
    declared_on = getattr(node, "attached_node", None)
    return _named([declared_on] if declared_on else node.depends_on.nodes)


def _named(unique_ids: list[str]) -> tuple[str, ...]:
    """Return `model`, or `source:<name>`, for dbt's ids."""
    return tuple(
        ("source:" if unique_id.startswith("source.") else "") + unique_id.split(".")[-1]
        for unique_id in unique_ids
    )
