"""How far a window's columns lie from what the champion was trained on.

The window is counted in SQL, in the bins of the champion's profile; the training rows are not read
again. All measures of a column follow from the two lists of counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, FiniteFloat

from ratchet.spec import Spec
from ratchet.spec.types import Monitoring
from ratchet.statistics import (
    Chance,
    Divergence,
    jensen_shannon,
    kolmogorov_smirnov,
    mean_shift,
    population_stability,
    share_change,
    wasserstein,
)
from ratchet.training import Categorical, Column, Numeric, Profile, count_bins, count_levels

Kind = Literal["numeric", "categorical", "prediction"]
State = Literal["ok", "drift", "insufficient_data"]
Counts = NDArray[np.int64]

RARE = "levels that are not kept, or new"


class Drift(BaseModel):
    """One feature, or the prediction, against the champion's training data.

    `psi` is that of the values that are there, 0 for equal distributions and without upper bound;
    `missing_change` is the share of missing values now less that in training, in [-1, 1]. Both are
    None below the spec's `monitoring.min_rows`, where chance alone moves them, and `psi` also where
    so few values are there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind
    state: State
    rows: int
    psi: FiniteFloat | None
    missing_change: FiniteFloat | None


@dataclass(frozen=True)
class Pair:
    """One column in training and in a window, counted alike.

    `before` and `now` have rows by the profile's bins, or by level; levels have `names`, and each
    new one is a level. `absent` are the window's rows without a value. The window is so many
    `blocks` of days long, as the profile's design effects have them.
    """

    column: Column
    before: Counts
    now: Counts
    absent: int
    names: tuple[str, ...] = ()
    blocks: float = 1.0

    @property
    def values(self) -> int:
        """The window's rows that have a value."""
        return int(self.now.sum())

    @property
    def rows(self) -> int:
        """All of the window's rows."""
        return self.values + self.absent

    def has(self, rows: int) -> bool:
        """Whether so many rows have values, in training and in the window."""
        return min(self.values, int(self.before.sum())) >= rows

    def chance(self, design: float) -> Chance:
        """Return what the laws of values depend on, with a design effect."""
        return self._chance(int(self.before.sum()), self.values, design)

    def _chance(self, before: int, now: int, design: float) -> Chance:
        found = self.column.design
        return Chance.of_blocks(
            before,
            now,
            design=design,
            degrees=found.degrees,
            block_rows=found.rows,
            current_block_rows=self.rows / self.blocks,
        )

    def stability(self, bins: int) -> Divergence:
        """Return the PSI, of a number on so many quantile bins."""
        return population_stability(*self.shares(bins), self.chance(self.column.design.shares))

    def information(self, bins: int) -> Divergence:
        """Return the Jensen-Shannon divergence, of a number on so many quantile bins."""
        return jensen_shannon(*self.shares(bins), self.chance(self.column.design.shares))

    def shares(self, bins: int) -> tuple[Counts, Counts]:
        """Return rows in training and now by level, or by so many coarser bins of a number."""
        if not isinstance(self.column, Numeric):
            return self.before, self.now
        cells = self.column.cells(bins)
        before, now = (
            np.bincount(cells, each).astype(np.int64) for each in (self.before, self.now)
        )
        return before, now

    def missing(self) -> Divergence:
        """Return the change of the share of missing values."""
        column = self.column
        chance = self._chance(column.rows, self.rows, column.design.missing)
        return share_change(column.absent, self.absent, chance)

    @property
    def missing_shares(self) -> tuple[float, float]:
        """Share of missing values in training, and in the window."""
        return self.column.absent / self.column.rows, self.absent / self.rows

    def gap(self) -> Divergence | None:
        """Return the Kolmogorov-Smirnov distance; None of labels."""
        if not isinstance(self.column, Numeric):
            return None
        return kolmogorov_smirnov(
            self.before, self.now, self.chance(self.column.design.below or 1.0)
        )

    def transport(self) -> Divergence | None:
        """Return the Wasserstein distance; None of labels, and of what was constant."""
        column = self.column
        if not isinstance(column, Numeric) or column.transport is None or not column.spread:
            return None
        chance = self.chance(column.design.mean or 1.0)
        return wasserstein(
            column.edges, self.before, self.now, column.transport, column.spread, chance
        )

    @cached_property
    def shift(self) -> float:
        """How much higher a number's mean is, outliers held at the outermost edges; 0 of labels."""
        if not isinstance(self.column, Numeric):
            return 0.0
        return mean_shift(self.column.edges, self.before, self.now)

    def tell(self) -> str:
        """Say what moved: a number's mean, or the level whose share changed most."""
        if isinstance(self.column, Numeric):
            mean = self.column.mean or 0.0
            return f"mean {mean:.4g} in training, {mean + self.shift:.4g} now"
        before, now = self.before / self.before.sum(), self.now / self.now.sum()
        most = int(np.abs(now - before).argmax())
        return f"{self.names[most]}: {before[most]:.1%} in training, {now[most]:.1%} now"


def keep_little(connection: duckdb.DuckDBPyConnection, columns: int) -> None:
    """Let DuckDB count so many columns in little memory, on one thread; beyond it, it spills.

    It would keep all that it read of a file, as long as there is room, and a column that was
    counted is not read again. What it needs is a few blocks of a quarter MB for each column.
    """
    connection.execute(f"set threads = 1; set memory_limit = '{32 + columns}MB'")


def pair_columns(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    columns: Mapping[str, Column],
    days: float = 1.0,
) -> dict[str, Pair]:
    """Count a window's columns as a profile's, each read once.

    Parameters
    ----------
    relation
        Name or SQL of the window's rows.
    columns
        The profile's, by the names that they have in the relation.
    days
        Length of the window.
    """
    edges = {name: c.edges for name, c in columns.items() if isinstance(c, Numeric)}
    binned = count_bins(connection, relation, edges).get((), {})
    pairs = {}
    for name, column in columns.items():
        blocks = max(days / column.design.days, 1.0)
        if isinstance(column, Numeric):
            before = np.array(column.counts, np.int64)
            found = binned.get(name)
            now = found.counts if found else np.zeros_like(before)
            absent = found.missing + found.non_finite if found else 0
            pairs[name] = Pair(column, before, now, absent, blocks=blocks)
        else:
            levels = count_levels(connection, relation, name).get((), {})
            pairs[name] = _pair_levels(column, levels, blocks)
    return pairs


def _pair_levels(column: Categorical, levels: Mapping[str | None, int], blocks: float) -> Pair:
    found = {level: count for level, count in levels.items() if level is not None}
    absent = levels.get(None, 0)
    if column.other:
        # a level that training was not seen to have may be one of those that were not kept
        names = [*column.levels, RARE]
        rare = sum(count for level, count in found.items() if level not in column.levels)
        now = [*(found.get(level, 0) for level in column.levels), rare]
        before = [*column.levels.values(), column.other]
    else:
        # in order of name, so that new levels of few rows are merged with old ones of few rows:
        # training has missed some of many levels by chance, and together they would look like drift
        names = sorted({*column.levels, *found})
        now = [found.get(level, 0) for level in names]
        before = [column.levels.get(level, 0) for level in names]
    counts = np.array(before, np.int64), np.array(now, np.int64)
    return Pair(column, *counts, absent, tuple(names), blocks)


def compare(
    profile: Profile, features: pd.DataFrame, predictions: pd.Series, spec: Spec
) -> list[Drift]:
    """Compare a window's features and predictions with the champion's training.

    Parameters
    ----------
    features
        The window's rows, with the spec's features.
    predictions
        What is watched of the champion's answers in the window; see `Costs.watched`.

    Returns
    -------
    list
        One `Drift` per feature that the champion has, in the spec's order, and one named
        `prediction`.
    """
    names = list(spec.gold.features)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("features", pa.Table.from_pandas(features[names]))
        connection.register("answers", pa.table({"prediction": pa.array(predictions)}))
        columns = {name: profile.features[name] for name in names if name in profile.features}
        pairs = pair_columns(connection, "features", columns)
        pairs |= pair_columns(connection, "answers", {"prediction": profile.prediction})
    kinds: dict[str, Kind] = {name: f.kind for name, f in spec.gold.features.items()}
    kinds["prediction"] = "prediction"
    return [_drift(name, kinds[name], pair, spec.monitoring) for name, pair in pairs.items()]


def _drift(name: str, kind: Kind, pair: Pair, monitoring: Monitoring) -> Drift:
    if pair.rows < monitoring.min_rows:
        state: State = "insufficient_data"
        return Drift(
            name=name, kind=kind, state=state, rows=pair.rows, psi=None, missing_change=None
        )
    psi = pair.stability(monitoring.bins).value if pair.has(monitoring.min_rows) else None
    before, now = pair.missing_shares
    has_moved = psi is not None and psi >= monitoring.max_psi
    missing = pair.missing()
    is_thinned = missing.value >= max(missing.limit, monitoring.drift.missing_share)
    return Drift(
        name=name,
        kind=kind,
        state="drift" if has_moved or is_thinned else "ok",
        rows=pair.rows,
        psi=psi,
        missing_change=now - before,
    )
