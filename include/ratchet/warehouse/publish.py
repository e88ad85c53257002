"""What passed, for everyone else: a read-only copy of the warehouse, and how to read it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import duckdb

from ratchet.decision import Clause
from ratchet.errors import BuildError
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import atomic_path, write_atomic
from ratchet.warehouse import verdict
from ratchet.warehouse.build import BuildReport, Layer, report_path
from ratchet.window import Window

if TYPE_CHECKING:
    import pandas as pd

MANIFEST = "manifest.json"


def publish(spec: Spec, window: Window, settings: Settings) -> Path:
    """Let everyone read the window's tables, and record that its data may be used.

    Whoever reads the copy that was there before goes on reading it.

    Returns
    -------
    Path
        The read-only copy; beside it lies dbt's manifest of what it was built from.

    Raises
    ------
    BuildError
        If a layer has no good build, or was built from other files or SQL than there are now.
    """
    subject = verdict.subject(spec, window, settings)
    clauses = [_passed(spec, window, layer, settings, subject) for layer in get_args(Layer)]
    lake = settings.lake(spec.name)
    with duckdb.connect(lake.warehouse) as connection:
        connection.execute("checkpoint")
    with atomic_path(lake.published) as draft:
        shutil.copyfile(lake.warehouse, draft)
    # what analysts' `dbt --defer --state` asks for
    manifest = report_path(spec, window, "gold", settings).with_name(MANIFEST)
    write_atomic(lake.published.with_name(MANIFEST), manifest.read_bytes())
    # analysts' own files go here, and dbt makes no folder for them
    (settings.home / "dev").mkdir(exist_ok=True)
    verdict.record(spec, window, settings, "accepted", subject, clauses)
    return lake.published


def read_features(spec: Spec, window: Window, settings: Settings) -> pd.DataFrame:
    """Read published features of what was decided in a window, by moment and key.

    Returns
    -------
    DataFrame, shape (n_decisions, 2 + n_features + 1)
        Key, moment (naive UTC), the spec's features and the rule's answer. Numeric features are
        float64, NaN where missing; categorical ones are text, None where missing.

    Raises
    ------
    BuildError
        If nothing is published.
    """
    gold = spec.gold
    query = f"""
        select {feature_columns(spec)}
        from gold.{gold.features_table} as features
        where {gold.decided_at} >= ? and {gold.decided_at} < ?
        order by {gold.decided_at}, {gold.key}"""  # noqa: S608
    return read_published(spec, settings, query, [_utc(window.start), _utc(window.end)])


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
        Key, moment of the decision, label (bool), moment at which it became known (naive UTC).

    Raises
    ------
    BuildError
        If nothing is published.
    """
    gold = spec.gold
    query = f"""
        select {gold.key}, {gold.decided_at}, {gold.label}, {gold.label_known_at}
        from gold.{gold.outcomes_table}
        where {gold.decided_at} >= ? and {gold.decided_at} < ? and {gold.label_known_at} <= ?
        order by {gold.decided_at}, {gold.key}"""  # noqa: S608
    bounds = [_utc(decided.start), _utc(decided.end), _utc(known_by)]
    return read_published(spec, settings, query, bounds)


def feature_columns(spec: Spec) -> str:
    """Return the SQL of what models read, typed: the same types whatever is missing."""
    gold = spec.gold
    types = {"numeric": "double", "categorical": "varchar"}
    typed = [
        f"features.{name}::{types[feature.kind]} as {name}"
        for name, feature in gold.features.items()
    ]
    rule = f"features.{spec.rule.column}::double as {spec.rule.column}"
    return ", ".join([f"features.{gold.key}", f"features.{gold.decided_at}", *typed, rule])


def read_published(
    spec: Spec, settings: Settings, query: str, parameters: Sequence[Any]
) -> pd.DataFrame:
    """Run a query on what is published; raise BuildError if nothing is."""
    path = settings.lake(spec.name).published
    if not path.exists():
        raise BuildError(f"{spec.name}: nothing is published at {path}: build and publish first")
    with duckdb.connect(path, read_only=True) as connection:
        frame: pd.DataFrame = connection.execute(query, parameters).df()
    return frame


def _passed(
    spec: Spec, window: Window, layer: Layer, settings: Settings, subject: dict[str, str]
) -> Clause:
    path = report_path(spec, window, layer, settings)
    if not path.exists():
        raise BuildError(f"{spec.name} {window}: {layer} has no good build: build it first")
    report = BuildReport.model_validate_json(path.read_bytes())
    if report.subject != subject:
        raise BuildError(
            f"{spec.name} {window}: {layer} was built from other files or SQL than there are now: "
            "build it again"
        )
    return Clause(
        name=f"{layer}_tests",
        passed=True,
        observed=0.0,
        required=0.0,
        text=f"all {report.tests} tests of {layer} found nothing",
    )


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
