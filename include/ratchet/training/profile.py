"""What the training data looked like: the reference that later windows are compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal, NamedTuple

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from croniter import croniter
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from ratchet.spec import Spec
from ratchet.statistics import (
    MIN_BLOCKS,
    design_effect_of_cumulative,
    design_effect_of_mean,
    design_effect_of_shares,
    transport_law,
)
from ratchet.training.binning import LARGEST, Binned, Counts, Key, count_bins, count_levels

FINE_BINS = 64
"""Quantile bins of a number: with tails, so many that cumulative shares of a million rows are
within .0005 between edges, and so few that counting takes a second."""
TAILS = (0.001, 0.005, 0.01)
"""Further edges on each side. Beyond the outermost ones a value counts as if it lay on them."""
MAX_LEVELS = 10_000
"""Levels of a category that are kept, the most frequent ones; the rest is one level together."""
MAX_SEGMENTS = 100
"""Segments that are kept, the largest ones."""
SAMPLE_ROWS = 4000
"""Training rows that are kept as they are: what the classifier of windows learns from."""

_DIGITS = 5  # of an edge, after the first one of the spread: finer than any bin
_WEEK = 7

_BATCH_ROWS = 100_000  # that are counted at once: some 20 MB

Positions = NDArray[np.intp]


class Record(BaseModel):
    """Base of all parts of a profile."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Design(Record):
    """How much more blocks of `days` differ in a column than if rows were independent.

    Each is 1 or more: that of the shares of its bins or levels; of cumulative shares and of the
    mean, for numbers; and of the share of missing values. `degrees` are those of freedom that they
    were estimated with: blocks less one. `rows` is a block's size, as it counts for them.
    """

    days: int
    degrees: int
    rows: FiniteFloat
    shares: FiniteFloat
    missing: FiniteFloat
    below: FiniteFloat | None = None
    mean: FiniteFloat | None = None


class Numeric(Record):
    """A column of numbers. `rows` has all, `missing` those with none, `non_finite` inf and NaN.

    Bin i holds edges[i - 1] < x <= edges[i]; there is one bin more than edges. Where a value recurs
    often, the number just below it is an edge as well, so that its bin holds nothing else. `mean`
    and `spread`, the standard deviation, are of values held within the outermost edges, as is
    `transport`, the law of the Wasserstein distance.
    """

    kind: Literal["numeric"] = "numeric"
    rows: int
    missing: int
    non_finite: int
    edges: tuple[FiniteFloat, ...]
    counts: tuple[int, ...]
    mean: FiniteFloat | None
    spread: FiniteFloat | None
    minimum: FiniteFloat | None
    maximum: FiniteFloat | None
    transport: tuple[FiniteFloat, ...] | None
    design: Design

    @property
    def absent(self) -> int:
        """Rows without a finite value."""
        return self.missing + self.non_finite

    def cells(self, bins: int) -> Positions:
        """Return for each bin which of so many coarser bins it is a part of."""
        return coarser(self.counts, bins)

    def coarse_edges(self, bins: int) -> tuple[float, ...]:
        """Return the edges between coarser bins."""
        cells = self.cells(bins)
        return tuple(np.array(self.edges)[np.diff(cells) > 0].tolist())


class Categorical(Record):
    """A column of labels: rows by level, and those of the levels that are not kept."""

    kind: Literal["categorical"] = "categorical"
    rows: int
    missing: int
    levels: dict[str, int]
    other: int
    design: Design

    @property
    def absent(self) -> int:
        """Rows without a label."""
        return self.missing


Column = Annotated[Numeric | Categorical, Field(discriminator="kind")]


class Part(Record):
    """A column within a segment: rows by coarse bin, or by the most frequent levels and the rest.

    `shares` and `missing` are design effects; see `Design`.
    """

    counts: tuple[int, ...]
    absent: int
    shares: FiniteFloat
    missing: FiniteFloat


class Segment(Record):
    """Rows with one level of the declared slices' columns.

    `days`, `degrees` and `block_rows` are those of `Design`.
    """

    rows: int
    days: int
    degrees: int
    block_rows: FiniteFloat
    columns: dict[str, Part]


class Profile(Record):
    """Training rows, the model's answers to rows that it has not learned from, and labels.

    `bins` is how many coarse bins there are, and `segment_edges` the edges of the numbers that
    segments are cut by.
    """

    rows: int
    bins: int
    features: dict[str, Column]
    prediction: Column
    label: Column
    segment_edges: dict[str, tuple[FiniteFloat, ...]]
    segments: dict[str, Segment]


def build_profile(
    spec: Spec,
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    answers: pd.Series,
    other: Profile | None = None,
) -> Profile:
    """Summarise what a model was trained on in some 150 kB, so that it is never read again.

    Parameters
    ----------
    train
        The rows that a model was trained on, with moment, features and label.
    holdout
        Rows that it was not trained on, with their moments.
    answers
        What is watched of its answers to these; see `Costs.watched`.
    other
        What was built of the same rows for another model: all but the answers is taken from it.
    """
    gold, bins = spec.gold, spec.monitoring.bins
    kinds = {name: feature.kind for name, feature in gold.features.items()}
    with duckdb.connect(config={"threads": 1}) as connection:
        prediction = _describe_answers(connection, spec, holdout, answers)
        if other:
            return other.model_copy(update={"prediction": prediction})
        rows = train[[gold.decided_at, *kinds, gold.label]]
        blocks = _register(connection, "train", rows, spec)
        described = _describe(
            connection,
            "train",
            rows,
            {**kinds, gold.label: kind_of(rows[gold.label])},
            blocks,
            bins,
        )
        features = {name: described[name] for name in kinds}
        names = dict.fromkeys(name for key in spec.evaluation.slices.columns for name in key)
        cuts = {
            name: column.coarse_edges(spec.evaluation.bins)
            for name in names
            if isinstance(column := features[name], Numeric)
        }
        segments = _segments(connection, features, cuts, blocks, spec)
    return Profile(
        rows=len(train),
        bins=bins,
        features=features,
        prediction=prediction,
        label=described[gold.label],
        segment_edges=cuts,
        segments=segments,
    )


def sample_reference(spec: Spec, train: pd.DataFrame) -> pd.DataFrame:
    """Return some training rows, drawn by the spec's seed, with moment and features, in order."""
    columns = [spec.gold.decided_at, *spec.gold.features]
    rng = np.random.default_rng(spec.training.seed)
    rows = rng.choice(len(train), min(SAMPLE_ROWS, len(train)), replace=False)
    return train[columns].iloc[np.sort(rows)].reset_index(drop=True)


def kind_of(column: pd.Series) -> Literal["numeric", "categorical"]:
    """Return whether a label or an answer is a number."""
    is_number = is_numeric_dtype(column) and not is_bool_dtype(column)
    return "numeric" if is_number else "categorical"


def coarser(counts: Sequence[int], bins: int) -> Positions:
    """Return for each bin which of so many coarser bins of about equal rows it is a part of."""
    rows = np.asarray(counts, np.float64)
    if len(rows) == 1 or not rows.sum():
        return np.zeros(len(rows), np.intp)
    below = rows.cumsum()[:-1] / rows.sum()
    targets = np.arange(1, bins) / bins
    edges = np.unique(np.abs(below[:, None] - targets).argmin(axis=0))
    return np.searchsorted(edges, np.arange(len(rows)), side="left")


def leading_levels(levels: Mapping[str, int], most: int) -> list[str]:
    """Return so many levels at most, the most frequent ones first."""
    return sorted(levels, key=lambda level: (-levels[level], level))[:most]


def segment_sql(key: Sequence[str], cuts: Mapping[str, Sequence[float]]) -> str:
    """Return the SQL of the segment that a row is in, like `carrier=UA,origin=EWR`.

    Parameters
    ----------
    cuts
        Edges of numbers, by name; other columns are labels.
    """
    parts = []
    for name in key:
        level = f"coalesce(\"{name}\"::varchar, 'missing')"
        if name in cuts:
            edges = cuts[name]
            steps = " ".join(f"when \"{name}\" <= {edge!r} then 'to {edge:.4g}'" for edge in edges)
            rest = f"'above {edges[-1]:.4g}'" if edges else "'all'"
            level = f"case when not isfinite(\"{name}\") then 'missing' {steps} else {rest} end"
            level = f"coalesce(if(\"{name}\" is null, 'missing', {level}), 'missing')"
        parts.append(f"'{name}=' || {level}")
    return " || ',' || ".join(parts)


class _Blocks(NamedTuple):
    """Blocks of days that rows are counted by: their length, and the SQL of a row's block."""

    days: int
    sql: str


def _register(
    connection: duckdb.DuckDBPyConnection, name: str, frame: pd.DataFrame, spec: Spec
) -> _Blocks:
    """Let SQL read a frame, and return its blocks: as long as windows are, if there are enough.

    Weekdays differ, and what lasts for days, like weather, makes a week vary more than its days.
    """
    connection.register(name, pa.Table.from_pandas(frame, preserve_index=False))
    days = frame[spec.gold.decided_at].dt.normalize()
    end = days.max()
    length = _WEEK if _window_days(spec) >= _WEEK else 1
    if ((end - days).dt.days // length).nunique() < MIN_BLOCKS:
        length = 1
    age = f"date_diff('day', \"{spec.gold.decided_at}\"::date, date '{end:%Y-%m-%d}')"
    return _Blocks(length, f"({age} // {length})::varchar")


def _window_days(spec: Spec) -> float:
    ticks = croniter(spec.schedule.cron, spec.schedule.start - timedelta(seconds=1))
    first, second = ticks.get_next(datetime), ticks.get_next(datetime)
    days: float = (second - first) / timedelta(days=1)
    return days


def _describe_answers(
    connection: duckdb.DuckDBPyConnection, spec: Spec, holdout: pd.DataFrame, answers: pd.Series
) -> Column:
    moment = spec.gold.decided_at
    rows = pd.DataFrame({moment: holdout[moment].to_numpy(), "answer": answers.to_numpy()})
    blocks = _register(connection, "answered", rows, spec)
    kinds = {"answer": kind_of(answers)}
    return _describe(connection, "answered", rows, kinds, blocks, spec.monitoring.bins)["answer"]


def _describe(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    frame: pd.DataFrame,
    kinds: Mapping[str, str],
    blocks: _Blocks,
    bins: int,
) -> dict[str, Column]:
    values = {
        name: np.sort(_finite(frame[name])) for name, kind in kinds.items() if kind == "numeric"
    }
    edges = {name: quantile_edges(found) for name, found in values.items()}
    binned = count_bins(connection, relation, edges, [blocks.sql])
    return {
        name: _numeric(
            values[name], edges[name], [of[name] for of in binned.values()], blocks, bins
        )
        if kind == "numeric"
        else _categorical(count_levels(connection, relation, name, [blocks.sql]), blocks)
        for name, kind in kinds.items()
    }


def quantile_edges(values: NDArray[np.float64]) -> list[float]:
    """Return the edges of a number's bins: quantiles, and what sets values that recur apart.

    Parameters
    ----------
    values
        Ascending and finite.
    """
    if not len(values):
        return []
    shares = np.concatenate([np.arange(1, FINE_BINS) / FINE_BINS, TAILS, 1 - np.array(TAILS)])
    places = np.ceil(np.sort(shares) * len(values)).astype(np.intp) - 1
    chosen = values[places.clip(0)]
    distinct = values[np.flatnonzero(np.diff(values, prepend=-np.inf))]
    if len(distinct) <= FINE_BINS:
        recurring = distinct[(distinct >= chosen[0]) & (distinct <= chosen[-1])]
    else:
        recurring = np.unique(chosen[1:][np.diff(chosen) == 0])
    single = np.setdiff1d(chosen, recurring)
    reach = chosen[-1] - chosen[0]
    if reach > 0:
        single = np.round(single, int(_DIGITS - np.floor(np.log10(reach))))
    edges = np.unique([*single, *np.nextafter(recurring, -np.inf), *recurring])
    return [float(edge) for edge in edges if np.isfinite(edge)]


def _numeric(
    values: NDArray[np.float64],
    edges: list[float],
    binned: Sequence[Binned],
    blocks: _Blocks,
    bins: int,
) -> Numeric:
    table = np.array([found.counts for found in binned])
    absent = np.array([found.missing + found.non_finite for found in binned])
    counts = table.sum(axis=0)
    held = np.clip(values, edges[0], edges[-1]) if edges else values
    spread = float(held.std()) if edges else 0.0
    # where a bin's rows are taken to lie: midway, and beyond the outermost edges on these
    outer = np.array([*edges[:1], *edges, *edges[-1:]])
    middles = (outer[1:] + outer[:-1]) / 2
    by_cell = _collapse(table, coarser(counts.tolist(), bins))
    return Numeric(
        rows=int(table.sum() + absent.sum()),
        missing=sum(found.missing for found in binned),
        non_finite=sum(found.non_finite for found in binned),
        edges=tuple(edges),
        counts=tuple(counts.tolist()),
        mean=float(held.mean()) if edges else None,
        spread=spread if edges else None,
        minimum=float(values[0]) if edges else None,
        maximum=float(values[-1]) if edges else None,
        transport=transport_law(edges, counts, spread) if spread > 0 else None,
        design=Design(
            days=blocks.days,
            degrees=_degrees(len(binned)),
            rows=_block_rows(table.sum(axis=1) + absent),
            shares=_at_least_one(design_effect_of_shares(by_cell)),
            missing=_at_least_one(design_effect_of_shares(np.c_[table.sum(axis=1), absent])),
            below=_at_least_one(design_effect_of_cumulative(table)),
            mean=_at_least_one(design_effect_of_mean(table, middles) if edges else 1.0),
        ),
    )


def _categorical(by_block: Mapping[Key, Mapping[str | None, int]], blocks: _Blocks) -> Categorical:
    total: Counter[str | None] = Counter()
    for found in by_block.values():
        total.update(found)
    missing = total.pop(None, 0)
    levels = {str(level): count for level, count in total.items()}
    kept = sorted(leading_levels(levels, MAX_LEVELS))
    place = {level: at for at, level in enumerate(kept)}
    table = np.array([_by_place(found, place) for found in by_block.values()])
    return Categorical(
        rows=int(table.sum()),
        missing=missing,
        levels={level: levels[level] for level in kept},
        other=int(table[:, -2].sum()),
        design=Design(
            days=blocks.days,
            degrees=_degrees(len(table)),
            rows=_block_rows(table.sum(axis=1)),
            shares=_at_least_one(design_effect_of_shares(table[:, :-1])),
            missing=_at_least_one(design_effect_of_shares(_present_and_absent(table))),
        ),
    )


def _segments(
    connection: duckdb.DuckDBPyConnection,
    features: Mapping[str, Column],
    cuts: Mapping[str, Sequence[float]],
    blocks: _Blocks,
    spec: Spec,
) -> dict[str, Segment]:
    found: dict[str, Segment] = {}
    keys = [[segment_sql(key, cuts), blocks.sql] for key in spec.evaluation.slices.columns]
    for groups in count_parts(connection, "train", features, spec.monitoring.bins, keys):
        tables: dict[str, list[dict[str, Counts]]] = {}
        for name, block in sorted(groups, key=str):
            tables.setdefault(str(name), []).append(groups[name, block])
        found |= {name: _segment(of, blocks) for name, of in tables.items()}
    large = [name for name, each in found.items() if each.rows >= spec.evaluation.slices.min_rows]
    largest = sorted(large, key=lambda name: (-found[name].rows, name))[:MAX_SEGMENTS]
    return {name: found[name] for name in sorted(largest)}


def _segment(by_block: Sequence[Mapping[str, Counts]], blocks: _Blocks) -> Segment:
    columns, rows = {}, np.zeros(len(by_block), np.int64)
    for name in by_block[0]:
        table = np.array([parts[name] for parts in by_block])
        rows = table.sum(axis=1)
        columns[name] = Part(
            counts=tuple(table[:, :-1].sum(axis=0).tolist()),
            absent=int(table[:, -1].sum()),
            shares=_at_least_one(design_effect_of_shares(table[:, :-1])),
            missing=_at_least_one(design_effect_of_shares(_present_and_absent(table))),
        )
    return Segment(
        rows=int(rows.sum()),
        days=blocks.days,
        degrees=_degrees(len(by_block)),
        block_rows=_block_rows(rows),
        columns=columns,
    )


def count_parts(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    features: Mapping[str, Column],
    bins: int,
    keys: Sequence[Sequence[str]],
) -> list[dict[Key, dict[str, Counts]]]:
    """Count columns as segments have them: by coarse bin or leading level, missing ones at last.

    Parameters
    ----------
    relation
        As in `count_bins`.
    features
        What is counted, as described of the training rows.
    keys
        SQL of what rows are grouped by: all groups of each key are counted in one pass.

    Returns
    -------
    list of dict
        For each key, counts by group and column. Groups without rows are not there.
    """
    edges = {
        name: np.array(column.coarse_edges(bins))
        for name, column in features.items()
        if isinstance(column, Numeric)
    }
    places = {
        name: {level: at for at, level in enumerate(leading_levels(column.levels, bins - 1))}
        for name, column in features.items()
        if isinstance(column, Categorical)
    }
    asked = [f'"{name}"::double' for name in edges] + [f'"{name}"::varchar' for name in places]
    asked += [sql for key in keys for sql in key]
    counted: list[dict[Key, dict[str, Counts]]] = [{} for _ in keys]
    query = f"select {', '.join(asked)} from {relation}"  # noqa: S608
    for batch in connection.execute(query).to_arrow_reader(_BATCH_ROWS):
        columns = iter(batch.columns)
        cells = {name: _bins_of(next(columns), of) for name, of in edges.items()}
        cells |= {name: _places_of(next(columns), of) for name, of in places.items()}
        for key, found in zip(keys, counted, strict=True):
            groups, numbers = _groups_of([next(columns) for _ in key])
            for name, (width, codes) in cells.items():
                flat = np.bincount(numbers * width + codes, minlength=len(groups) * width)
                for group, counts in zip(groups, flat.reshape(-1, width), strict=True):
                    parts = found.setdefault(group, {})
                    parts[name] = parts[name] + counts if name in parts else counts
    return counted


def _bins_of(column: pa.Array, edges: NDArray[np.float64]) -> tuple[int, Positions]:
    """Return how many cells there are, and that of each number: its bin, or the last one."""
    values = column.to_numpy(zero_copy_only=False)
    absent = len(edges) + 1
    found = np.searchsorted(edges, values, side="left")
    return absent + 1, np.where(np.abs(values) <= LARGEST, found, absent)


def _places_of(column: pa.Array, places: Mapping[str, int]) -> tuple[int, Positions]:
    """Return how many cells there are, and that of each level: a place, all others', or none's."""
    others = len(places)
    levels, codes = _levels_of(column)
    of_level = [others + 1 if name is None else places.get(name, others) for name in levels]
    return others + 2, np.array(of_level, np.intp)[codes]


def _groups_of(columns: Sequence[pa.Array]) -> tuple[list[Key], Positions]:
    """Return the groups that occur in columns of text, and the number of that of each row."""
    names, numbers = zip(*map(_levels_of, columns), strict=True)
    shape = tuple(map(len, names))
    found, codes = np.unique(np.ravel_multi_index(numbers, shape), return_inverse=True)
    places = np.transpose(np.unravel_index(found, shape)).tolist()
    return [tuple(of[at] for of, at in zip(names, place, strict=True)) for place in places], codes


def _levels_of(column: pa.Array) -> tuple[list[str | None], Positions]:
    encoded = column.dictionary_encode("encode")
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.intp)


def _by_place(levels: Mapping[str | None, int], place: Mapping[str, int]) -> Counts:
    """Return rows by a level's place, then those of all other levels, then missing ones."""
    counts = np.zeros(len(place) + 2, np.int64)
    for level, count in levels.items():
        counts[-1 if level is None else place.get(level, len(place))] += count
    return counts


def _finite(column: pd.Series) -> NDArray[np.float64]:
    values = column.to_numpy(np.float64)
    finite: NDArray[np.float64] = values[np.abs(values) <= LARGEST]
    return finite


def _degrees(blocks: int) -> int:
    return max(blocks - 1, 1)


def _block_rows(rows: Counts) -> float:
    """Return the size of equal blocks whose means would vary as these do (analysis of variance)."""
    total = int(rows.sum())
    if len(rows) < 2 or not total:
        return float(max(total, 1))
    return float((total - (rows**2).sum() / total) / (len(rows) - 1))


def _collapse(table: Counts, cells: Positions) -> Counts:
    collapsed: Counts = np.add.reduceat(table, np.flatnonzero(np.diff(cells, prepend=-1)), axis=1)
    return collapsed


def _present_and_absent(table: Counts) -> Counts:
    both: Counts = np.c_[table[:, :-1].sum(axis=1), table[:, -1]]
    return both


def _at_least_one(effect: float) -> float:
    return effect if effect > 1 else 1.0
