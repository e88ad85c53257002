"""What passed, for everyone else: a read-only copy of the warehouse, and how to read it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import duckdb
import pyarrow as pa

from ratchet.decision import Clause
from ratchet.errors import BuildError, StorageError
from ratchet.ledger import Anchor, Ledger
from ratchet.settings import Settings
from ratchet.spec import Spec, refuse_other_region
from ratchet.storage import atomic_path, copy_file, write_atomic
from ratchet.warehouse import blocking, verdict
from ratchet.warehouse.blocking import Block, Cause
from ratchet.warehouse.build import BuildReport, Layer, manifest_path, report_path
from ratchet.window import Window

if TYPE_CHECKING:
    import pandas as pd

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Publication:
    """What was published: a read-only copy, and dbt's manifest beside it.

    `windows` are those whose features everyone can read from now on: the window, and those that
    had to wait until what it was blocked by was resolved. There is none while the features are
    blocked, and `blocked` says by what.
    """

    path: Path
    windows: tuple[str, ...]
    blocked: str | None


def publish(spec: Spec, window: Window, settings: Settings) -> Publication:
    """Let everyone read the window's tables, and record whether its data may be used.

    A table that is blocked, by this window or by another one, stays as it was last published; if
    it never was, it is not there. Whoever reads the copy that was there before goes on reading it.

    Raises
    ------
    AccessError
        If the use case's data must stay in a region, and this store is in another.
    BuildError
        If a layer is not built, or was built from other files or SQL than there are now.
    """
    refuse_other_region(spec, settings.region)
    subject = verdict.subject(spec, window, settings)
    reports = [_report(spec, window, layer, settings, subject) for layer in get_args(Layer)]
    manifest = manifest_path(spec, subject["code"], settings)
    if not manifest.exists():
        raise BuildError(f"{spec.name} {window}: {manifest} is missing: build gold again")
    causes = [cause for report in reports for cause in report.causes]
    causes += blocking.causes_of_findings(spec, window, settings)
    reads = {report.layer: report.reads for report in reports}
    blocking.settle(spec, window, causes, reads, settings)
    blocks = blocking.open_blocks(spec, settings)
    lake = settings.lake(spec.name)
    with duckdb.connect(lake.warehouse) as connection:
        connection.execute("checkpoint")
    with atomic_path(lake.published) as draft:
        copy_file(lake.warehouse, draft)
        windows = _hold_back(draft, spec, window, blocks, settings)
    # what analysts' `dbt --defer --state` asks for
    write_atomic(lake.published.with_name(MANIFEST), manifest.read_bytes())
    # analysts' own files go here, and dbt makes no folder for them
    (settings.home / "dev").mkdir(exist_ok=True)
    _record(spec, window, settings, subject, reports, causes)
    features = [block for block in blocks if block.table_name == _features(spec)]
    return Publication(lake.published, windows, _why(spec, features))


def ledger_anchors(spec: Spec, settings: Settings) -> list[Anchor]:
    """Return what the published copy remembers of the ledger: its head when it was published.

    Raises
    ------
    StorageError
        If the copy can't be read.
    """
    path = settings.lake(spec.name).published
    if not path.exists():
        return []
    try:
        with duckdb.connect(path, read_only=True) as connection:
            if "control.ledger_head" not in _kinds(connection):
                return []
            found = connection.execute("select anchor from control.ledger_head").fetchall()
    except duckdb.Error as error:
        raise StorageError(
            f"{path} can't be read: {error}; restore it from a backup, or publish it again"
        ) from error
    return [Anchor.parse(anchor, "the published copy") for (anchor,) in found]


def why_blocked(
    spec: Spec, window: Window, tables: Sequence[str], settings: Settings
) -> str | None:
    """Return why published gold tables don't hold a window; None if nothing keeps them from it.

    Parameters
    ----------
    tables
        Names of gold tables.
    """
    path = settings.lake(spec.name).published
    if not path.exists():
        return None
    with duckdb.connect(path, read_only=True) as connection:
        held = connection.execute(
            'select * from control.held where table_name in ? and "window" <= ? order by all',
            [[f"gold.{table}" for table in tables], window.key],
        ).to_arrow_table()
    return _why(spec, [blocking.Block(**row) for row in held.to_pylist()])


def read_features(spec: Spec, window: Window, settings: Settings) -> pd.DataFrame:
    """Read published features of what was decided in a window, by moment and key.

    Returns
    -------
    DataFrame, shape (n_decisions, 2 + n_features + 1)
        Key, moment (naive UTC), the spec's features, the rule's answer, and what else is read of
        them as text (`Spec.read_columns`). Numeric features are
        float64, NaN where missing; categorical ones are text, None where missing.

    Raises
    ------
    BuildError
        If nothing is published.
    """
    gold = spec.gold
    query = f"from {decided_in(spec, window)} order by {gold.decided_at}, {gold.key}"
    return read_published(spec, settings, query, [])


def read_outcomes(
    spec: Spec, decided: Window, known_by: datetime, settings: Settings
) -> pd.DataFrame:
    """Read published labels of what was decided in a window, by moment and key.

    Parameters
    ----------
    known_by
        Labels that became known later are left out.

    Returns
    -------
    DataFrame, shape (n_labels, 4)
        Key, moment of the decision, label, moment at which it became known (naive UTC).

    Raises
    ------
    BuildError
        If nothing is published.
    """
    gold = spec.gold
    query = f"""
        select {gold.key}, {gold.decided_at}, {gold.label}::{spec.costs.label_type} as {gold.label},
            {gold.label_known_at}
        from gold.{gold.outcomes_table}
        where {gold.decided_at} >= ? and {gold.decided_at} < ? and {gold.label_known_at} <= ?
        order by {gold.decided_at}, {gold.key}"""  # noqa: S608
    bounds = [_utc(decided.start), _utc(decided.end), _utc(known_by)]
    return read_published(spec, settings, query, bounds)


def count_labels(spec: Spec, known_by: datetime, settings: Settings) -> dict[str, int]:
    """Count published labels that were known by a moment: by label where it is a class, else all.

    Raises
    ------
    BuildError
        If nothing is published.
    """
    gold = spec.gold
    label = "'all'" if spec.costs.label_type == "double" else f"{gold.label}::varchar"
    query = f"""
        select {label} as label, count(*) as n
        from gold.{gold.outcomes_table}
        where {gold.label_known_at} <= ?
        group by all
        order by all"""  # noqa: S608
    found = read_published(spec, settings, query, [_utc(known_by)])
    return {str(name): int(n) for name, n in found.itertuples(index=False)}


def feature_columns(spec: Spec) -> str:
    """Return the SQL of what models read, typed: the same types whatever is missing."""
    gold = spec.gold
    types = {"numeric": "double", "categorical": "varchar"}
    typed = [
        f"features.{name}::{types[feature.kind]} as {name}"
        for name, feature in gold.features.items()
    ]
    rule = f"features.{spec.rule.column}::{spec.costs.rule_type} as {spec.rule.column}"
    also = [f"features.{name}::varchar as {name}" for name in spec.read_columns]
    return ", ".join([f"features.{gold.key}", f"features.{gold.decided_at}", *typed, rule, *also])


@contextmanager
def open_published(spec: Spec, settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Let SQL read what is published; raise BuildError if nothing is."""
    with duckdb.connect(_published(spec, settings), read_only=True) as connection:
        yield connection


def decided_in(spec: Spec, window: Window) -> str:
    """Return the SQL of the published rows that `read_features` reads of a window."""
    gold = spec.gold
    start, end = _utc(window.start), _utc(window.end)
    return f"""(
        select {feature_columns(spec)}
        from gold.{gold.features_table} as features
        where {gold.decided_at} >= timestamp '{start}' and {gold.decided_at} < timestamp '{end}'
    )"""  # noqa: S608


def read_published(
    spec: Spec,
    settings: Settings,
    query: str,
    parameters: Sequence[Any] | Mapping[str, Any],
    *,
    are_cast: bool = False,
) -> pd.DataFrame:
    """Run a query on what is published; raise BuildError if nothing is.

    Parameters
    ----------
    are_cast
        Whether the query casts its columns. They come by way of Arrow then, in half the time: whole
        numbers of which some are missing as doubles, and truth values as objects.
    """
    with open_published(spec, settings) as connection:
        found = connection.execute(query, parameters)
        frame: pd.DataFrame = found.to_arrow_table().to_pandas() if are_cast else found.df()
    return frame


def _published(spec: Spec, settings: Settings) -> Path:
    path = settings.lake(spec.name).published
    if not path.exists():
        raise BuildError(f"{spec.name}: nothing is published at {path}: build and publish first")
    return path


def _report(
    spec: Spec, window: Window, layer: Layer, settings: Settings, subject: dict[str, str]
) -> BuildReport:
    path = report_path(spec, window, layer, settings)
    if not path.exists():
        raise BuildError(f"{spec.name} {window}: {layer} is not built: build it first")
    report = BuildReport.model_validate_json(path.read_bytes())
    if report.subject != subject:
        raise BuildError(
            f"{spec.name} {window}: {layer} was built from other files or SQL than there are now: "
            "build it again"
        )
    return report


def _hold_back(
    draft: Path, spec: Spec, window: Window, blocks: list[Block], settings: Settings
) -> tuple[str, ...]:
    """Put blocked tables back as they were published; return windows whose features can be used."""
    before = settings.lake(spec.name).published
    held = sorted({block.table_name for block in blocks})
    with tempfile.TemporaryDirectory(dir=draft.parent) as folder:
        waiting = _take_out(before, held, Path(folder)) if before.exists() else []
        waits = {key for key, released_by in waiting if released_by in (None, window.key)}
        waits.add(window.key)
        is_released = _features(spec) not in held
        with duckdb.connect(draft) as connection:
            for table in held:
                _put_back(connection, table, Path(folder) / f"{table}.parquet")
            rows = pa.Table.from_pylist(
                [block.model_dump() for block in blocks], schema=blocking.COLUMNS
            )
            connection.register("open_blocks", rows)
            connection.execute("create or replace table control.held as from open_blocks")
            head = Ledger(settings.lake(spec.name).ledger).head()
            connection.execute(
                "create or replace table control.ledger_head as select unnest(?) as anchor",
                [[str(head)] if head else []],
            )
            connection.execute(
                'create or replace table control.waiting as select unnest(?) as "window", '
                "?::varchar as released_by",
                [sorted(waits), window.key if is_released else None],
            )
    return tuple(sorted(waits)) if is_released else ()


def _take_out(published: Path, tables: list[str], folder: Path) -> list[tuple[str, str | None]]:
    """Write published tables to files; return windows that wait, or who released them."""
    with duckdb.connect(published, read_only=True) as connection:
        kinds = _kinds(connection)
        for table in kinds.keys() & tables:
            connection.execute(f"copy (from {table}) to '{folder / table}.parquet'")
        if "control.waiting" not in kinds:
            return []
        waiting = connection.execute('select "window", released_by from control.waiting')
        return [(key, released_by) for key, released_by in waiting.fetchall()]


def _put_back(connection: duckdb.DuckDBPyConnection, table: str, rows: Path) -> None:
    if kind := _kinds(connection).get(table):
        connection.execute(f"drop {kind} {table}")
    if rows.exists():
        connection.execute(f"create table {table} as from read_parquet('{rows}')")


def _kinds(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return whether each relation is a table or a view."""
    return dict(
        connection.execute(
            "select schema_name || '.' || table_name, 'table' from duckdb_tables() union all "
            "select schema_name || '.' || view_name, 'view' from duckdb_views() where not internal"
        ).fetchall()
    )


def _features(spec: Spec) -> str:
    return f"gold.{spec.gold.features_table}"


def _why(spec: Spec, blocks: Sequence[Block]) -> str | None:
    if not blocks:
        return None
    return f"{'; '.join(block.text for block in blocks)}; see ratchet blocks {spec.name}"


def _record(
    spec: Spec,
    window: Window,
    settings: Settings,
    subject: dict[str, str],
    reports: list[BuildReport],
    causes: list[Cause],
) -> None:
    """Write to the ledger whether the window's data may be used: what differs is in the subject."""
    blocking_ones = [cause for cause in causes if cause.accepted is None]
    clauses = [_clause(report) for report in reports if not report.causes]
    clauses += [
        Clause(
            name=cause.name,
            passed=cause.accepted is not None,
            observed="nothing that can be counted" if cause.rows is None else float(cause.rows),
            required=0.0,
            text=f"{cause.text}{f': {cause.accepted}' if cause.accepted else ''}",
        )
        for cause in causes
    ]
    if blocking_ones:
        subject = subject | {"blocked_by": ", ".join(sorted(c.name for c in blocking_ones))}
    elif causes:
        subject = subject | {"accepted": ", ".join(sorted(cause.name for cause in causes))}
    decision = "blocked" if blocking_ones else "accepted"
    verdict.record(spec, window, settings, decision, subject, clauses)


def _clause(report: BuildReport) -> Clause:
    return Clause(
        name=f"{report.layer}_tests",
        passed=True,
        observed=0.0,
        required=0.0,
        text=f"all {report.tests} tests of {report.layer} found nothing",
    )


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
