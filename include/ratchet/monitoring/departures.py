"""Drift as signals: of each feature, of answers and labels, of missing values, of all together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from ratchet.monitoring.domains import MIN_DAYS, tell_apart
from ratchet.monitoring.drift import Counts, Pair, keep_little, pair_columns
from ratchet.monitoring.signal import Family, Signal
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.statistics import Chance, Divergence, population_stability, share_change
from ratchet.training import SAMPLE_ROWS, Column, Profile, Segment, count_parts, segment_sql
from ratchet.window import Window

if TYPE_CHECKING:
    from ratchet.registry import Release

_REMEDY = "see what feeds it, and whether answers are still right"


@dataclass(frozen=True)
class _Scene:
    """What all signals of one window share."""

    spec: Spec
    window: Window
    reference: str

    def signal(
        self,
        family: Family,
        rule: str,
        subject: str,
        *,
        rows: int,
        floor: float,
        unit: str,
        text: str,
        found: Divergence | None,
        column: str | None = None,
        segment: str | None = None,
        value: float | None = None,
        expected: float = 0.0,
        direction: Literal["up", "down"] | None = None,
    ) -> Signal:
        """Make a signal; `found` is None where there are too few rows."""
        measured: dict[str, Any] = {}
        if found:
            measured = {
                "value": found.value if value is None else value,
                "expected": expected,
                "effect": found.value,
                "null_limit": found.limit,
                "p_value": min(max(found.p_value, 0.0), 1.0),
                "direction": direction,
            }
        return Signal(
            window=self.window.key,
            family=family,
            rule=rule,
            subject=subject,
            column=column,
            segment=segment,
            rows=rows,
            is_enough=found is not None,
            floor=floor,
            unit=unit,
            reference=self.reference,
            text=text,
            **measured,
        )


def watch_drift(spec: Spec, window: Window, settings: Settings) -> list[Signal]:
    """Compare a window with what its champion was trained on.

    Says nothing of a window without a champion, or one that is not scored.

    Labels are those of decisions that were taken `monitoring.label_wait_days` earlier: of later
    ones only some are known, and which ones is no accident.

    Raises
    ------
    BuildError
        If nothing is published.
    """
    from ratchet.registry import champion_at
    from ratchet.warehouse import decided_in, open_published

    champion = champion_at(spec, window.start, settings)
    path = settings.lake(spec.name).predictions / f"{window.key}.parquet"
    if champion is None or not path.exists():
        return []
    rows = decided_in(champion.spec, window)
    scene = _Scene(spec, window, _reference(champion))

    def measure(connection: duckdb.DuckDBPyConnection) -> list[Signal]:
        found = measure_features(scene, connection, rows, champion.profile)
        found += _answers(scene, connection, path, champion.profile)
        return [*found, *_together(scene, connection, rows, champion.sample)]

    try:
        with open_published(spec, settings) as connection:
            keep_little(connection, len(champion.profile.features))
            found = measure(connection)
    except duckdb.OutOfMemoryException:  # long texts, or a view that joins what it reads
        with open_published(spec, settings) as connection:
            found = measure(connection)
    return [*found, *_labels(scene, champion, settings)]


def _reference(champion: Release) -> str:
    trained = champion.candidate
    return (
        f"training of version {champion.version}, {trained.train_rows:,} rows from "
        f"{trained.train_start:%Y-%m-%d} to {trained.train_end:%Y-%m-%d}"
    )


def measure_features(
    scene: _Scene, connection: duckdb.DuckDBPyConnection, rows: str, profile: Profile
) -> list[Signal]:
    """Measure each feature, over all rows and by segment."""
    subject, max_psi = scene.spec.gold.features_table, scene.spec.monitoring.max_psi
    signals: list[Signal] = []
    for name, pair in pair_columns(connection, rows, profile.features, scene.window.days).items():
        signals += _distances(scene, "feature_drift", subject, name, pair, max_psi)
        signals.append(_missing(scene, subject, name, pair))
    return [*signals, *_segments(scene, connection, rows, profile)]


def _distances(
    scene: _Scene, family: Family, subject: str, name: str, pair: Pair, max_psi: float
) -> Iterator[Signal]:
    monitoring = scene.spec.monitoring
    floors = monitoring.drift
    is_enough = pair.has(monitoring.min_rows)
    direction = _direction(pair.shift)
    measures = {
        "ks": (pair.gap, floors.ks, "share of rows"),
        "wasserstein": (pair.transport, floors.wasserstein_sd, "standard deviations"),
        "psi": (lambda: pair.stability(monitoring.bins), max_psi, "PSI"),
        "js": (lambda: pair.information(monitoring.bins), floors.js_bits, "bits"),
    }
    for rule, (measure, floor, unit) in measures.items():
        if is_enough:
            if (found := measure()) is None:
                continue
            text = (
                f"{name} lies {found.value:.3g} {unit} ({rule}) from training; {pair.tell()}; "
                f"{_REMEDY}."
            )
        else:
            found, text = None, _too_few(name, pair.values, monitoring.min_rows)
        yield scene.signal(
            family,
            rule,
            subject,
            column=name,
            rows=pair.values,
            floor=floor,
            unit=unit,
            text=text,
            found=found,
            direction=direction,
        )


def _direction(change: float) -> Literal["up", "down"] | None:
    if not change:
        return None
    return "up" if change > 0 else "down"


def _too_few(name: str, rows: int, least: int) -> str:
    return f"{name} has {rows:,} values here or too few in training; {least:,} are needed: wait."


def _missing(scene: _Scene, subject: str, name: str, pair: Pair) -> Signal:
    before, now = pair.missing_shares if pair.rows else (0.0, 0.0)
    is_enough = pair.rows >= scene.spec.monitoring.min_rows
    found = pair.missing() if is_enough else None
    return _missing_signal(scene, subject, name, None, pair.rows, before, now, found)


def _missing_signal(
    scene: _Scene,
    subject: str,
    name: str,
    segment: str | None,
    rows: int,
    before: float,
    now: float,
    found: Divergence | None,
) -> Signal:
    where = f"{name} [{segment}]" if segment else name
    return scene.signal(
        "missingness",
        "missing_share",
        subject,
        column=name,
        segment=segment,
        rows=rows,
        floor=scene.spec.monitoring.drift.missing_share,
        unit="share of rows",
        text=f"{where} is missing in {now:.1%} of rows, in training in {before:.1%}; {_REMEDY}."
        if found
        else f"{where} has {rows:,} rows, too few to tell; wait.",
        found=found,
        value=now,
        expected=before,
        direction=_direction(now - before),
    )


def _segments(
    scene: _Scene, connection: duckdb.DuckDBPyConnection, rows: str, profile: Profile
) -> Iterator[Signal]:
    """Measure PSI and missing values of each feature within each segment that training had."""
    least = scene.spec.evaluation.slices.min_rows
    keys = sorted(
        {tuple(part.split("=")[0] for part in name.split(",")) for name in profile.segments}
    )
    asked = [[segment_sql(key, profile.segment_edges)] for key in keys]
    counted = count_parts(connection, rows, profile.features, profile.bins, asked)
    for key, groups in zip(keys, counted, strict=True):
        for (name,), columns in sorted(groups.items()):
            segment = profile.segments.get(str(name))
            if segment is None:
                continue
            for column, counts in columns.items():
                if column not in key:
                    yield from _part(scene, column, str(name), segment, counts, least)


def _part(
    scene: _Scene, column: str, name: str, segment: Segment, counts: Counts, least: int
) -> Iterator[Signal]:
    subject, part = scene.spec.gold.features_table, segment.columns[column]
    before, now, absent = np.array(part.counts), counts[:-1], int(counts[-1])
    values, rows, past = int(now.sum()), int(counts.sum()), int(before.sum())
    all_past = past + part.absent
    blocks = max(scene.window.days / segment.days, 1.0)

    def chance(reference: int, current: int, design: float) -> Chance:
        return Chance.of_blocks(
            reference,
            current,
            design=design,
            degrees=segment.degrees,
            block_rows=segment.block_rows,
            current_block_rows=rows / blocks,
        )

    found = missing = None
    if min(values, past) >= least:
        found = population_stability(before, now, chance(past, values, part.shares))
    if min(rows, all_past) >= least:
        missing = share_change(part.absent, absent, chance(all_past, rows, part.missing))
    yield scene.signal(
        "feature_drift",
        "psi",
        subject,
        column=column,
        segment=name,
        rows=values,
        floor=scene.spec.monitoring.max_psi,
        unit="PSI",
        text=f"{column} [{name}] lies {found.value:.3g} PSI from training; {_REMEDY}."
        if found
        else _too_few(f"{column} [{name}]", values, least),
        found=found,
    )
    shares = part.absent / max(all_past, 1), absent / max(rows, 1)
    yield _missing_signal(scene, subject, column, name, rows, *shares, missing)


def _answers(
    scene: _Scene, connection: duckdb.DuckDBPyConnection, path: Path, profile: Profile
) -> Iterator[Signal]:
    watched = scene.spec.costs.watched
    kind = "double" if profile.prediction.kind == "numeric" else "varchar"
    rows = (
        f'(select "{watched}"::{kind} as "{watched}" '  # noqa: S608 - names come from the kind
        f"from read_parquet('{_quoted(path)}') where role = 'champion')"
    )
    columns: dict[str, Column] = {watched: profile.prediction}
    pair = pair_columns(connection, rows, columns, scene.window.days)[watched]
    max_psi = scene.spec.retraining.max_prediction_psi
    yield from _distances(scene, "prediction_drift", scene.spec.name, watched, pair, max_psi)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _labels(scene: _Scene, champion: Release, settings: Settings) -> Iterator[Signal]:
    from ratchet.warehouse import read_outcomes

    gold = scene.spec.gold
    if champion.spec.gold.label != gold.label:
        return
    wait = timedelta(days=scene.spec.monitoring.label_wait_days)
    decided = Window(scene.window.start - wait, scene.window.end - wait)
    labels = read_outcomes(scene.spec, decided, scene.window.end, settings)[gold.label]
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("labels", pa.table({gold.label: pa.array(labels, from_pandas=True)}))
        columns: dict[str, Column] = {gold.label: champion.profile.label}
        pair = pair_columns(connection, "labels", columns, decided.days)[gold.label]
    max_psi = scene.spec.monitoring.max_psi
    yield from _distances(scene, "label_drift", gold.outcomes_table, gold.label, pair, max_psi)


def _together(
    scene: _Scene, connection: duckdb.DuckDBPyConnection, rows: str, sample: pd.DataFrame
) -> Iterator[Signal]:
    gold, monitoring = scene.spec.gold, scene.spec.monitoring
    columns = ", ".join(f'"{name}"' for name in sample.columns)
    query = f'select {columns} from {rows} order by hash("{gold.key}"), "{gold.key}" limit ?'  # noqa: S608
    current = connection.execute(query, [SAMPLE_ROWS]).df()
    told = None
    if min(len(current), len(sample)) >= monitoring.min_rows:
        told = tell_apart(sample, current, gold.decided_at, scene.spec.training.seed)
    if told:
        found = Divergence(max(told.auc - 0.5, 0.0), told.limit, told.p_value, 2)
        text = (
            f"A classifier tells these rows from training's with a ROC-AUC of {told.auc:.3f}, on "
            f"{told.clusters} or more days that it has not learned from; look which features moved."
        )
    else:
        found = None
        text = (
            f"{len(current):,} rows, or fewer than {MIN_DAYS} days and hours, are too few for a "
            "classifier; wait."
        )
    yield scene.signal(
        "multivariate_drift",
        "domain_auc",
        gold.features_table,
        rows=len(current),
        floor=monitoring.drift.auc_above_chance,
        unit="ROC-AUC above .5",
        text=text,
        found=found,
        value=told.auc if told else None,
        expected=0.5,
        direction="up",
    )
