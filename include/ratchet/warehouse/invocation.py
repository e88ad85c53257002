"""dbt, called in this process. Nothing of it is left open, and nothing of it is global."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from ratchet.errors import BuildError
from ratchet.settings import PROJECT
from ratchet.storage import atomic_path

DBT_PROJECT = PROJECT / "dbt_project"

_PARSED = "partial_parse.msgpack"


def build_models(
    paths: Sequence[str], warehouse: Path, target: Path, *, manifest: Path | None
) -> list[Any]:
    """Build and test the models below some paths of the dbt project, in the order of their needs.

    Unit tests are left out: they test the SQL, not the data. The parsed project is kept beside the
    warehouse, as parsing takes longer than most builds.

    Parameters
    ----------
    paths
        Relative to the dbt project.
    warehouse
        The DuckDB file. No other process may have it open.
    target
        Folder for compiled SQL and dbt's log.
    manifest
        Where dbt's manifest is kept. It is written only if it is not there, as that takes longer
        than the start of a build. Others in its folder are removed then.

    Returns
    -------
    list of dbt's RunResult
        One for each model and test, failed ones among them. What rests on a failed test was built
        and tested all the same.

    Raises
    ------
    BuildError
        If dbt could not begin: the project does not parse, or the warehouse can't be opened.
    """
    parsed = warehouse.parent / _PARSED
    target.mkdir(parents=True, exist_ok=True)
    if parsed.exists():
        shutil.copyfile(parsed, target / _PARSED)
    selected = ["--select", *(f"path:{path}" for path in paths)]
    left_out = ["--exclude-resource-type", "unit_test", "--indirect-selection", "buildable"]
    is_wanted = manifest is not None and not manifest.exists()
    artifacts = "--write-json" if is_wanted else "--no-write-json"
    build = ["build", *selected, *left_out, artifacts]
    invocation = _invoke(build, warehouse, target)
    if invocation.exception is not None:
        raise BuildError(f"dbt could not build {paths[0]}: {invocation.exception}") from (
            invocation.exception
        )
    with atomic_path(parsed) as draft:
        shutil.move(target / _PARSED, draft)
    if manifest is not None and is_wanted:
        with atomic_path(manifest) as draft:
            shutil.move(target / "manifest.json", draft)
        for other in {*manifest.parent.glob("*.json")} - {manifest}:
            other.unlink()
    results = list(getattr(invocation.result, "results", []))
    for result in results:
        if result.status == "warn" and result.node.config.severity.upper() == "ERROR":
            # `get_test_sql` keeps it from dbt, which would not build what rests on it
            result.status = type(result.status).Fail
    return results


def compile_models(select: str, warehouse: Path, target: Path) -> None:
    """Compile models without building them; dbt's manifest lies in `target` then.

    Raises
    ------
    BuildError
        If the project does not parse, or a model does not compile.
    """
    only_models = ["--select", select, "--exclude", "resource_type:test", "resource_type:unit_test"]
    invocation = _invoke(["compile", *only_models], warehouse, target)
    if not invocation.success:
        failed = [result.message for result in getattr(invocation.result, "results", [])]
        reason = invocation.exception or "; ".join(message for message in failed if message)
        raise BuildError(f"dbt could not compile {select}: {reason}; run `dbt compile` to see more")


@cache
def warm() -> None:
    """Parse the project, and read it back, so that processes forked from this one find dbt warm.

    What dbt works out about itself in its first calls, and making code of the macros, takes longer
    than most builds. No database is opened; if the project does not parse, the build that needs it
    says so.
    """
    from dbt_common.clients.jinja import template_cache

    # one of them, as in a build: what is left out is read by code of its own
    use_case = min(path.name for path in (DBT_PROJECT / "models" / "bronze").iterdir())
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Path(folder) / f"{use_case}.duckdb"
        for _ in range(2):  # the second one reads what the first one has kept
            parsed = _invoke(["parse", "--no-write-json"], warehouse, Path(folder))
        if parsed.success:
            for macro in parsed.result.macros.values():
                template_cache.get_node_template(macro)
    # none of this is ever garbage; looking through it took a seventh of a later small build
    gc.collect()
    gc.freeze()


def _invoke(arguments: list[str], warehouse: Path, target: Path) -> Any:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner
    from dbt_common.events.event_manager_client import ctx_set_event_manager, get_event_manager

    common = [
        *("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)),
        *("--target", "pipeline", "--target-path", str(target), "--log-path", str(target)),
        *("--log-level", "none", "--log-level-file", "none", "--no-use-colors"),
        "--no-send-anonymous-usage-stats",
    ]
    variables = {"RATCHET_WAREHOUSE": str(warehouse), "RATCHET_USE_CASE": warehouse.stem}
    target.mkdir(parents=True, exist_ok=True)
    log, events = target / "dbt.log", get_event_manager()
    with _environment(**variables, DO_NOT_TRACK="1"), log.open("a", buffering=1) as lines:

        def note(event: Any) -> None:
            moment = event.info.ts.ToJsonString()
            lines.write(f"{moment} [{event.info.level:<5}] {event.info.msg}\n")

        ctx_set_event_manager(_told_events())
        try:
            return dbtRunner(callbacks=[note]).invoke([*arguments, *common])
        finally:
            # dbt keeps the database locked after it returns (dbt-duckdb#616), and calls back
            DuckDBConnectionManager.close_all_connections()
            ctx_set_event_manager(events)


def _told_events() -> Any:
    """Return a manager of dbt's events that forgets those of level debug.

    dbt's own makes a message of each of a thousand events, and only then leaves out most of them.
    """
    from dbt_common.events.base_types import EventLevel
    from dbt_common.events.event_manager import EventManager

    class ToldEvents(EventManager):
        def fire_event(self, e: Any, level: Any = None, *rest: Any, **more: Any) -> None:
            if (level or e.level_tag()) != EventLevel.DEBUG:
                super().fire_event(e, level, *rest, **more)

    return ToldEvents()


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
