"""Training data that never changes: a file named by the hash of its content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from ratchet.errors import SnapshotError
from ratchet.settings import Settings
from ratchet.spec import Spec, refuse_restricted, restricted_columns
from ratchet.storage import atomic_path, write_atomic
from ratchet.warehouse.publish import feature_columns, read_published
from ratchet.window import Window

if TYPE_CHECKING:
    import pandas as pd


class Snapshot(BaseModel):
    """An immutable export of gold rows: features with labels.

    `window` is the first one that took it; `positive_share` is the label's, in [0, 1].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    use_case: str
    window: str
    path: Path
    rows: int
    positive_share: float


def take_snapshot(spec: Spec, window: Window, settings: Settings) -> Snapshot:
    """Export all published decisions whose label was known by the window's end.

    Depends on nothing that became known later, so an old window gives its old snapshot again.

    Returns
    -------
    Snapshot
        The rows lie in `path`, sorted by moment and key, with what is said here beside them.

    Raises
    ------
    AccessError
        If a feature is computed from a column that is tagged restricted.
    SnapshotError
        If there is no such row.
    BuildError
        If nothing is published.
    """
    if restricted_columns(spec):
        from ratchet.lineage import feature_sources

        refuse_restricted(spec, feature_sources(spec, settings))
    gold = spec.gold
    query = f"""
        select
            {feature_columns(spec)},
            outcomes.{gold.label}::boolean as {gold.label},
            outcomes.{gold.label_known_at}
        from gold.{gold.features_table} as features
        inner join gold.{gold.outcomes_table} as outcomes
            on features.{gold.key} = outcomes.{gold.key}
        where outcomes.{gold.label_known_at} <= ?
        order by features.{gold.decided_at}, features.{gold.key}"""  # noqa: S608
    rows = read_published(spec, settings, query, [window.end.replace(tzinfo=None)])
    if rows.empty:
        raise SnapshotError(f"{spec.name}: no label was known by {window.end}; build more windows")
    folder = settings.lake(spec.name).snapshots
    snapshot_id = _content_id(rows)
    path, record = folder / f"{snapshot_id}.parquet", folder / f"{snapshot_id}.json"
    if not record.exists():
        snapshot = Snapshot(
            id=snapshot_id,
            use_case=spec.name,
            window=window.key,
            path=path,
            rows=len(rows),
            positive_share=float(rows[gold.label].mean()),
        )
        with atomic_path(path) as draft:
            rows.to_parquet(draft, index=False)
        write_atomic(record, snapshot.model_dump_json(indent=1, exclude={"path"}).encode())
    return Snapshot(path=path, **json.loads(record.read_bytes()))


def load_snapshot(spec: Spec, snapshot_id: str, settings: Settings) -> pd.DataFrame:
    """Read a snapshot, and make sure that it is what its id says.

    Returns
    -------
    DataFrame, shape (n_rows, 2 + n_features + 3)
        Key, moment, features and the rule's answer as in `read_features`; label (bool), moment at
        which it became known.

    Raises
    ------
    SnapshotError
        If it is missing or was changed.
    """
    import pandas as pd

    path = settings.lake(spec.name).snapshots / f"{snapshot_id}.parquet"
    if not path.exists():
        raise SnapshotError(f"{spec.name} has no snapshot {snapshot_id}: {path} is missing")
    try:
        rows = pd.read_parquet(path)
        found = _content_id(rows)
    except (OSError, ValueError) as error:
        raise SnapshotError(f"{path} can't be read: {error}; take the snapshot again") from error
    if found != snapshot_id:
        raise SnapshotError(f"{path} was changed: its content is {found}; take the snapshot again")
    return rows


def _content_id(rows: pd.DataFrame) -> str:
    """Hash the names, types and values of a table, but not how a file stores them."""
    import pandas as pd

    schema = {name: str(kind) for name, kind in rows.dtypes.items()}
    digest = hashlib.sha256(json.dumps(schema).encode())
    digest.update(pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes())
    return digest.hexdigest()
