"""Training data that never changes: a file named by the hash of its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from ratchet.errors import SnapshotError
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import atomic_path, write_atomic
from ratchet.warehouse.publish import feature_columns, read_published
from ratchet.window import Window

if TYPE_CHECKING:
    import pandas as pd


# A key's hash says whether an older row is in: the same rows on any machine, and hardly any other
# ones a week later. It is found out of outcomes alone, before the features are read.
_SAMPLED = """(
    with known as materialized (
        select {key}, {decided_at}, {label}, {label_known_at}
        from gold.{outcomes_table}
        where {known}
    )
    select * from known where {decided_at} >= $whole_from
    union all
    (
        select * from known where {decided_at} < $whole_from
        order by md5({key}::varchar)
        limit (
            select greatest(0, $max_rows - count(*)) from known
            where {decided_at} >= $whole_from
        )
    )
)"""


class Snapshot(BaseModel):
    """An immutable export of gold rows: features with labels.

    `window` is the first one that took it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")  # older notes say more

    id: str
    use_case: str
    window: str
    path: Path
    rows: int


def take_snapshot(spec: Spec, window: Window, settings: Settings) -> Snapshot:
    """Export the published decisions whose label was known by the window's end.

    All of them, or those of `training.max_history_days` and the holdout, and `training.max_rows`
    of these. Depends on nothing that became known later, so an old window gives its old snapshot
    again.

    Returns
    -------
    Snapshot
        The rows lie in `path`, sorted by moment and key, with what is said here beside them.

    Raises
    ------
    AccessError
        If a feature tells of a column that is tagged restricted.
    SnapshotError
        If there is no such row.
    BuildError
        If nothing is published.
    """
    from ratchet.lineage import refuse_restricted_features

    refuse_restricted_features(spec, settings)
    rows = read_training_rows(spec, window, settings)
    folder = settings.lake(spec.name).snapshots
    snapshot_id = content_id(rows)
    path, record = folder / f"{snapshot_id}.parquet", folder / f"{snapshot_id}.json"
    try:
        load_snapshot(spec, snapshot_id, settings)
    except SnapshotError:  # there is none yet, or it was damaged since
        snapshot = Snapshot(
            id=snapshot_id,
            use_case=spec.name,
            window=window.key,
            path=path,
            rows=len(rows),
        )
        with atomic_path(path) as draft:
            rows.to_parquet(draft, index=False)
        write_atomic(record, snapshot.model_dump_json(indent=1, exclude={"path"}).encode())
    return describe_snapshot(spec, snapshot_id, settings)


def read_training_rows(spec: Spec, window: Window, settings: Settings) -> pd.DataFrame:
    """Read what a snapshot of a window holds, without keeping it.

    Raises
    ------
    SnapshotError
        If there is no such row.
    BuildError
        If nothing is published.
    """
    gold, training = spec.gold, spec.training
    end = window.end.replace(tzinfo=None)
    known, values = f"{gold.label_known_at} <= $end", dict[str, Any](end=end)
    recent = "true"
    if earliest := training.earliest_decision(end):
        # said of both, so that neither side of the join holds all of history
        known += f" and {gold.decided_at} >= $earliest"
        recent = f"features.{gold.decided_at} >= $earliest"
        values["earliest"] = earliest
    outcomes = f"(select * from gold.{gold.outcomes_table} where {known})"  # noqa: S608
    if training.max_rows is not None:
        outcomes = _SAMPLED.format(known=known, **gold.model_dump())
        whole_from = end - timedelta(days=spec.judging_days)
        values |= {"max_rows": training.max_rows, "whole_from": whole_from}
    query = f"""
        select
            {feature_columns(spec)},
            outcomes.{gold.label}::{spec.costs.label_type} as {gold.label},
            outcomes.{gold.label_known_at}
        from {outcomes} as outcomes
        inner join gold.{gold.features_table} as features
            on features.{gold.key} = outcomes.{gold.key}
        where {recent}
        order by features.{gold.decided_at}, features.{gold.key}"""  # noqa: S608
    rows = read_published(spec, settings, query, values, are_cast=True)
    if rows.empty:
        raise SnapshotError(f"{spec.name}: no label was known by {window.end}; build more windows")
    return rows


def describe_snapshot(spec: Spec, snapshot_id: str, settings: Settings) -> Snapshot:
    """Return what was noted of a snapshot when it was taken.

    Raises
    ------
    SnapshotError
        If it is gone, or the note can't be read.
    """
    folder = settings.lake(spec.name).snapshots
    path, record = folder / f"{snapshot_id}.parquet", folder / f"{snapshot_id}.json"
    for each in (path, record):
        if not each.exists():
            raise SnapshotError(
                f"{spec.name} has no snapshot {snapshot_id}: {each} is missing; take it again"
            )
    try:
        return Snapshot(path=path, **json.loads(record.read_bytes()))
    except (ValueError, TypeError) as error:
        raise SnapshotError(f"{record} can't be read: {error}; take the snapshot again") from error


def load_snapshot(spec: Spec, snapshot_id: str, settings: Settings) -> pd.DataFrame:
    """Read a snapshot, and make sure that it is what its id says.

    Returns
    -------
    DataFrame, shape (n_rows, n_columns)
        Key, moment, features and the rule's answer as in `read_features`; label, moment at
        which it became known.

    Raises
    ------
    SnapshotError
        If it is missing or was changed.
    """
    import pandas as pd

    path = describe_snapshot(spec, snapshot_id, settings).path
    try:
        rows = pd.read_parquet(path)
        found = content_id(rows)
    except (OSError, ValueError) as error:
        raise SnapshotError(f"{path} can't be read: {error}; take the snapshot again") from error
    if found != snapshot_id:
        raise SnapshotError(f"{path} was changed: its content is {found}; take the snapshot again")
    return rows


def content_id(rows: pd.DataFrame) -> str:
    """Hash a table's names, kinds and values in its order, however it is held or stored.

    Parameters
    ----------
    rows
        Columns of numbers, booleans, text and moments (naive UTC).

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits, of these bytes, all numbers little-endian: the JSON of
        `[[name, kind], …]`; the number of rows as int64; and of each column in turn, one byte a
        row that says whether a value is there (NaN is none), then the values, 0 or nothing where
        none is. A `number` is an IEEE 754 double (-0.0 as 0.0), a `boolean` a byte, a `moment` the
        microseconds since 1970 as int64, and `text` the lengths in bytes as int64, then all of it
        in UTF-8. Nothing depends on pandas' or Arrow's own types, on chunks, or on the machine.

    Raises
    ------
    SnapshotError
        If a column is of another kind.
    """
    import pyarrow as pa

    columns = {str(name): pa.array(rows[name], from_pandas=True) for name in rows.columns}
    kinds = [[name, _kind(name, column)] for name, column in columns.items()]
    digest = hashlib.sha256(json.dumps(kinds, separators=(",", ":")).encode())
    digest.update(len(rows).to_bytes(8, "little"))
    for (_, kind), column in zip(kinds, columns.values(), strict=True):
        flat = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        digest.update(np.asarray(flat.is_valid()).astype("u1").tobytes())
        for part in _canonical(flat, kind):
            digest.update(part)
    return digest.hexdigest()


def _kind(name: str, column: Any) -> str:
    from pyarrow import types

    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if types.is_boolean(kind):
        return "boolean"
    if types.is_integer(kind) or types.is_floating(kind):
        return "number"
    if types.is_timestamp(kind) and kind.tz is None:
        return "moment"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind):
        return "text"
    raise SnapshotError(
        f"column {name} holds {kind}, which no snapshot can; cast it in gold to a double, a "
        "boolean, a varchar or a timestamp"
    )


def _canonical(column: Any, kind: str) -> Iterator[bytes]:
    import pyarrow as pa

    if kind == "number":
        values = np.asarray(column.cast(pa.float64()).fill_null(0.0))
        yield (values + 0.0).astype("<f8").tobytes()
    elif kind == "boolean":
        yield np.asarray(column.fill_null(False)).astype("u1").tobytes()
    elif kind == "moment":
        moments = column.cast(pa.timestamp("us")).cast(pa.int64()).fill_null(0)
        yield np.asarray(moments).astype("<i8").tobytes()
    else:
        text = pa.concat_arrays([column.cast(pa.large_string()).fill_null("")])
        _, ends, content = text.buffers()
        bounds = np.frombuffer(ends, np.int64)[text.offset : text.offset + len(text) + 1]
        yield np.diff(bounds).astype("<i8").tobytes()
        yield content.slice(bounds[0], bounds[-1] - bounds[0]).to_pybytes() if content else b""
