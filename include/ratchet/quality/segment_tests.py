"""Is a segment of a table what it was, next to all others? The statistics, on any DuckDB relation.

A *segment* is the rows with one level of a key, like one carrier. Its volume, the missingness of
every column, the mean of every number and the rate of every boolean are series of one value a
period. A test asks whether the window's value continues the series. A fault is what
- moved against the segment's own past, and
- is too far from its parent (all other rows of the period), as its past distance from it goes: so
  a movement that everybody shares is no segment's fault.

Each series is its level plus noise of two kinds: that of few rows, and that between periods, which
real weeks have on top. The second is measured on the past, pooled over the segments of a key, and
then for each segment by itself with the pool as prior; so a segment that always moves is tested
against its own restlessness, by Student's law. Levels of few rows are shrunk to their parent's.
Where counts are small, a binomial or Poisson tail must agree. The window itself is in none of this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

MIN_PERIODS = 4  # three degrees of freedom: with fewer, a past has no variation to speak of
PRIOR_ROWS = 20  # a segment's spread counts as much as its parent's from so many rows on
MIN_VOTES = 3  # of two segments that part, none can tell which one moved
MIN_POOL = 10  # of fewer segments, no law of how much they differ can be learnt
MOVED = 0.01  # p-value against its own past from which a segment has moved by itself
OWN_TAIL = 0.01  # a segment more restless than this share of the pool's law is judged by itself
SMALLEST_SPREAD = 0.01  # of the column's: where a segment is constant, less is no movement
_POOL = (0.5, 0.9)  # quantiles that tell how much segments differ in restlessness
_PRIORS = np.array([1.0, 2, 3, 4, 6, 8, 12, 16, 24, 48, 100, 1e6])  # degrees of freedom
_NORMAL_MEDIAN = 0.6745  # of the distance of chance alone
_TINY = 1e-100  # keeps a quotient of two zeros zero
_SAMPLE = 20_000  # rows that say where a column's plausible values end
_TAILS = (
    0.001,
    0.5,
    0.999,
)  # quantiles of the sample; beyond them by half their distance is absurd


class _Column(NamedTuple):
    """A column to measure: as SQL, what is there where it isn't missing."""

    name: str
    measure: Literal["mean", "rate"] | None
    value: str
    origin: float = 0.0


def compare_segments(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    keys: Sequence[tuple[str, ...]],
    min_rows: int,
) -> pd.DataFrame:
    """Test every segment of a relation in its newest period against its past and its parent.

    Memory follows segments × periods × columns, not rows.

    Parameters
    ----------
    connection
        Where the relation is. With one thread the same rows give the same bits.
    relation
        Name or SQL of what is read. Its integer column `period` is 0 for the window and counts
        periods of the same length back from it; all other columns are measured. A value that is
        not finite is missing.
    keys
        Columns whose levels make segments, as tuples: `("carrier",)`, `("carrier", "origin")`.
    min_rows
        A segment with fewer rows, or fewer in its past, is not tested.

    Returns
    -------
    DataFrame
        One row per test: `key`, `segment` (`carrier=UA`), `measure`, `column` (None for volume),
        `rows` of the window, `past_rows`, `observed` and `expected` in the column's unit,
        `p_value` in [0, 1], NaN where no test can be made, and `is_enough`: whether there is
        enough data to notice a loss. Of volume, `change` is "appeared", "disappeared" or None.

    References
    ----------
    Moderated variances: Smyth (2004), *Linear models and empirical Bayes methods*, section 3, with
    quantiles and outliers as in Phipson et al. (2016). Limited shrinkage: Efron and Morris (1972).
    Both tests must reject: Berger (1982).

    Examples
    --------
    >>> connection = duckdb.connect()
    >>> weeks = "(select i % 9 as period, 'a' as shop, i % 5 as price from range(900) t(i))"
    >>> tests = compare_segments(connection, weeks, [("shop",)], min_rows=10)
    >>> tests[["segment", "measure", "rows"]].values.tolist()[0]
    ['shop=a', 'volume', 100]
    """
    columns = _columns(connection, relation)
    cells_of_keys = _read_cells(connection, relation, keys, columns)
    frames = [
        _tests_of_key(key, segments, cells, columns, min_rows)
        for key, (segments, cells) in zip(keys, cells_of_keys, strict=True)
    ]
    return pd.concat(frames, ignore_index=True)


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> list[_Column]:
    """Return what is measured, numbers bounded by what is plausible and counted from the median."""
    description = connection.execute(f"describe select * from {relation}").fetchall()  # noqa: S608
    types = {row[0]: row[1] for row in description if row[0] != "period"}
    numbers = [name for name, type_ in types.items() if is_number(type_)]
    limits: dict[str, Sequence[float] | None] = {}
    if numbers:
        sample = f"(from {relation} using sample reservoir({_SAMPLE}) repeatable (0))"
        tails = ", ".join(
            f"quantile_cont({_name(name)}::double, {list(_TAILS)}) filter ({_is_finite(name)})"
            for name in numbers
        )
        found = connection.execute(f"select {tails} from {sample}").fetchone()  # noqa: S608
        limits = dict(zip(numbers, found or (), strict=True))
    columns = []
    for name, type_ in types.items():
        if name in numbers:
            low, middle, high = limits[name] or (0.0, 0.0, 0.0)
            reach = (high - low) / 2 or max(abs(middle), 1.0)
            # of whole numbers and decimals, sums of squares would be decimals, which overflow
            value = f"{_name(name)}::double"
            value = f"least(greatest({value}, {low - reach!r}), {high + reach!r})"
            value = f"case when {_is_finite(name)} then {value} - {middle!r} end"
            columns.append(_Column(name, "mean", value, middle))
        elif type_ == "BOOLEAN":
            columns.append(_Column(name, "rate", f"{_name(name)}::int"))
        else:
            columns.append(_Column(name, None, _name(name)))
    return columns


def is_number(type_: str) -> bool:
    """Return whether a DuckDB type holds numbers."""
    return re.match("U?(TINY|SMALL|BIG|HUGE)?INT|FLOAT|DOUBLE|DECIMAL", type_) is not None


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _is_finite(name: str) -> str:
    return f"isfinite({_name(name)}::double)"


def _read_cells(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    keys: Sequence[tuple[str, ...]],
    columns: Sequence[_Column],
) -> Iterator[tuple[npt.NDArray[np.object_], dict[str, Floats]]]:
    """Yield each key's segments, and each aggregate as segments × periods, window first.

    The rows are read and bounded once for all keys.
    """
    values, aggregates = [], []
    for at, column in enumerate(columns):
        values.append(f"{column.value} as v{at}")
        aggregates.append(f"count(v{at}) as n{at}")
        if column.measure:
            aggregates.append(f"sum(v{at})::double as sum{at}")
        if column.measure == "mean":
            aggregates += [f"sum(v{at} * v{at}) as sq{at}", f"min(v{at}) as lo{at}"]
            aggregates.append(f"max(v{at}) as hi{at}")
    names = list(dict.fromkeys(name for key in keys for name in key))
    levels = ", ".join(f"{_name(name)} as k{at}" for at, name in enumerate(names))
    held = [[names.index(name) for name in key] for key in keys]
    sets = ", ".join(f"({', '.join(f'k{at}' for at in some)}, period)" for some in held)
    # grouping() has a bit for each name that is not in a row's key, the first name's highest
    bits = [sum(1 << len(names) - 1 - at for at in range(len(names)) if at not in s) for s in held]
    label = " ".join(
        f"when {bit} then "
        + " || ', ' || ".join(
            f"{_text(f'{names[at]}=')} || coalesce(k{at}::varchar, '(missing)')" for at in some
        )
        for bit, some in zip(bits, held, strict=True)
    )
    every = ", ".join(f"k{at}" for at in range(len(names)))
    found = connection.execute(f"""
        select
            grouping({every}) as key,
            case grouping({every}) {label} end as segment,
            period,
            {", ".join(["count(*) as rows", *aggregates])}
        from (select {", ".join([levels, "period", *values])} from {relation})
        group by grouping sets ({sets})
        """).fetchnumpy()  # noqa: S608
    of_key, labels = found.pop("key"), np.asarray(found.pop("segment"), dtype=object)
    every_period = np.r_[0, found.pop("period")]
    for bit in bits:
        here = np.flatnonzero(of_key == bit)
        at_segment, segments = pd.factorize(labels[here], sort=True)
        periods, at_period = np.unique(every_period[np.r_[0, here + 1]], return_inverse=True)
        arrays = {}
        for name, flat in found.items():
            arrays[name] = np.zeros((len(segments), periods.size))
            arrays[name][at_segment, at_period[1:]] = np.ma.filled(flat[here].astype(float), 0.0)
        yield segments, arrays


def _tests_of_key(
    key: tuple[str, ...],
    segments: npt.NDArray[np.object_],
    cells: dict[str, Floats],
    columns: Sequence[_Column],
    min_rows: int,
) -> pd.DataFrame:
    rows = cells["rows"]
    tests: list[tuple[str, str | None, _Tested]] = [("volume", None, _volume(rows, min_rows))]
    for at, column in enumerate(columns):
        if column.name in key:
            continue
        present = cells[f"n{at}"]
        tests.append(("missing", column.name, _rate(rows - present, rows, min_rows)))
        if column.measure == "rate":
            tests.append(("rate", column.name, _rate(cells[f"sum{at}"], present, min_rows)))
        if column.measure == "mean":
            total, squares, lowest, highest = (cells[f"{n}{at}"] for n in ("sum", "sq", "lo", "hi"))
            tested = _mean(present, total, squares, lowest, highest, min_rows)
            tests.append(("mean", column.name, tested.moved(column.origin)))
    measures, names, results = zip(*tests, strict=True)
    observed, expected, p_value = (np.concatenate(parts) for parts in zip(*results, strict=True))
    is_large = (expected >= min_rows) | (np.arange(p_value.size) >= len(segments))
    return pd.DataFrame(
        {
            "key": ",".join(key),
            "segment": np.tile(segments, len(tests)),
            "measure": np.repeat(np.array(measures, dtype=object), len(segments)),
            "column": pd.Series(np.repeat(names, len(segments)), dtype=object),
            "rows": np.tile(rows[:, 0].astype(int), len(tests)),
            "past_rows": np.tile(rows[:, 1:].sum(axis=1).astype(int), len(tests)),
            "observed": observed,
            "expected": expected,
            "p_value": p_value,
            "is_enough": ~np.isnan(p_value) & is_large,
            "change": np.r_[_changed(rows), np.full(p_value.size - len(segments), None)],
        }
    )


class _Tested(NamedTuple):
    """One measure of all segments, each array of shape (n_segments,); p is NaN if not tested."""

    observed: Floats
    expected: Floats
    p_value: Floats

    def moved(self, origin: float) -> _Tested:
        return self._replace(observed=self.observed + origin, expected=self.expected + origin)


class _Past(NamedTuple):
    """What the past says of the window's values, in units of their rows' spread.

    Each array has shape (n_segments,): the `level`, the variance of it and of a period around it
    (`unsure`), how many times more the segment varies than that (`restless`), and the degrees of
    `freedom` of this number.
    """

    level: Floats
    unsure: Floats
    restless: Floats
    freedom: Floats

    def p_value(self, now: Floats, rows: Floats) -> Floats:
        """Return how likely a window lies as far off; NaN where the past is silent."""
        return self.tail(np.abs(now - self.level) * np.sqrt(self.effective(rows)))

    def tail(self, distance: Floats) -> Floats:
        """Return how likely so many standard errors are, by Student's law."""
        return np.asarray(2 * special.stdtr(self.freedom, -distance))

    def effective(self, rows: Floats) -> Floats:
        """Return how many rows would have the same noise, if there were no other."""
        return 1 / (self.restless * (1 / rows + self.unsure))


def _learn(values: Floats, rows: Floats, parent: Floats | None = None) -> _Past:
    """Learn each segment's level and variation, and those of all segments together.

    Parameters
    ----------
    values : array, shape (n_segments, n_periods)
        In units of the rows' spread: noise alone has the variance `1 / rows`.
    rows : array, shape (n_segments, n_periods)
        0 where a segment had none, whatever its value there.
    parent : array, shape (n_segments,), optional
        The level that small segments are shrunk to.
    """
    seen = rows > 0
    values = np.where(seen, values, 0.0)
    freedom: Floats = seen.sum(axis=1, dtype=np.float64) - 1
    usable = freedom >= MIN_PERIODS - 1
    _, misfit = _weighted(values, rows)
    total = rows.sum(axis=1)
    reach = total - (rows**2).sum(axis=1) / np.maximum(total, _TINY)
    between = _between(misfit[usable], freedom[usable], reach[usable])
    weights = np.where(seen, 1 / (1 / np.where(seen, rows, 1.0) + between), 0.0)
    level, misfit = _weighted(values, weights)
    restless, freedom = _moderated(misfit, freedom, usable)
    variance = 1 / np.maximum(weights.sum(axis=1), _TINY)
    if parent is not None:
        level, variance = _shrunk(level, variance * restless, parent, usable)
        variance = variance / restless
    restless = np.where(usable, restless, np.nan)
    return _Past(level, between + variance, restless, freedom)


def _between(misfit: Floats, freedom: Floats, reach: Floats) -> float:
    """Return the typical variance between periods, which a few restless segments do not move.

    It is DerSimonian and Laird's estimate for each segment, with medians for means.
    """
    reach = np.maximum(reach, _TINY)
    distinct, at = np.unique(np.maximum(freedom, 1), return_inverse=True)
    usual = special.chdtri(distinct, 0.5)[at]
    excess = (misfit - usual) / (reach * usual / np.maximum(freedom, 1))
    order = np.argsort(excess)
    weight = np.cumsum(reach[order])
    if not weight.size:
        return 0.0
    return max(float(excess[order][np.searchsorted(weight, weight[-1] / 2)]), 0.0)


def _weighted(values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the weighted mean and sum of squares of each row of values."""
    mean = (weights * values).sum(axis=1) / np.maximum(weights.sum(axis=1), _TINY)
    return mean, (weights * (values - mean[:, None]) ** 2).sum(axis=1)


def _moderated(misfit: Floats, freedom: Floats, usable: Booleans) -> tuple[Floats, Floats]:
    """Return each segment's variation, with the pool's as prior, and its degrees of freedom.

    The prior's law is Fisher's F, by two quantiles of the pool that a tenth of restless segments
    does not move; these are judged by themselves. Rows alone give 1, and nothing has less.
    """
    own = misfit / np.maximum(freedom, 1)
    if usable.sum() < MIN_POOL:
        return np.maximum(own, 1), freedom
    typical = np.median(freedom[usable])
    middle, upper = np.quantile(own[usable], _POOL)
    laws = special.fdtri(typical, _PRIORS, np.array(_POOL)[:, None])
    spread = upper / max(middle, 1.0)
    # the law whose quantiles lie as far apart, from the widest to the narrowest
    prior = float(np.interp(-spread, -laws[1] / laws[0], _PRIORS))
    common = max(middle / special.fdtri(typical, prior, _POOL[0]), 1.0)
    is_own = np.zeros(own.shape, dtype=bool)
    high = own > common
    tail = special.fdtrc(np.maximum(freedom[high], 1), prior, own[high] / common)
    is_own[high] = tail < OWN_TAIL
    moderated = (prior * common + freedom * own) / (prior + freedom)
    restless = np.where(is_own, own, moderated)
    return np.maximum(restless, 1), np.where(is_own, freedom, prior + freedom)


def _shrunk(
    level: Floats, variance: Floats, parent: Floats, usable: Booleans
) -> tuple[Floats, Floats]:
    """Shrink levels to their parent's, at most by one standard error; return their variances."""
    if not usable.any():
        return level, variance
    differ = max(((level - parent) ** 2 - variance)[usable].mean(), 0.0)
    to_parent = variance / (variance + differ + _TINY) * (parent - level)
    error = np.sqrt(variance)
    is_kept = np.abs(to_parent) <= error
    shrunk = level + np.clip(to_parent, -error, error)
    return shrunk, np.where(is_kept, variance * differ / (variance + differ + _TINY), variance)


def _p_beside(past: _Past, now: Floats, rows: Floats, scale: Floats, is_large: Booleans) -> Floats:
    """Return how likely a segment's distance from the rest is, next to what the others' did.

    Where a large segment moves, the rest of all others does: so all are seen from the median. In
    a storm all move, each in its own way, and none is broken: so distances count in units of the
    typical one, where that is more than chance (Efron's empirical null, 2004).
    """
    moved = (now - past.level) * scale
    typical = moved[is_large & np.isfinite(moved)]
    if typical.size >= MIN_VOTES:
        moved = moved - np.median(typical)
    distance = np.abs(moved) / scale * np.sqrt(past.effective(rows))
    typical = distance[is_large & np.isfinite(distance)]
    if typical.size >= MIN_POOL:
        distance = distance / max(np.median(typical) / _NORMAL_MEDIAN, 1.0)
    return past.tail(distance)


def _against_both(
    values: Floats,
    rows: Floats,
    parent: Floats,
    rest: Floats,
    rest_rows: Floats,
    scale: Floats,
    noise: Floats | float = 1.0,
    freedom: Floats | float = np.inf,
) -> tuple[_Past, Floats]:
    """Test the window, which is column 0, against each segment's past, and next to the rest.

    The spread of one row is `scale`, and `noise` is how many times that variance a row of the
    window has if it is like the rest; `freedom` is how well the window's own spread is known.
    """
    unit = scale[:, None]
    own = _learn(values[:, 1:] / unit, rows[:, 1:], parent / scale)
    own = own._replace(freedom=np.minimum(own.freedom, freedom))
    with np.errstate(divide="ignore", invalid="ignore"):
        both = 1 / (1 / rows + 1 / rest_rows)
        apart = (values - rest) / unit
        beside = _learn(apart[:, 1:], both[:, 1:], np.zeros(len(values)))
        beside = beside._replace(freedom=np.minimum(beside.freedom, freedom))
        p = own.p_value(values[:, 0] / scale, rows[:, 0])
        p_beside = _p_beside(beside, apart[:, 0], both[:, 0] / noise, scale, rows[:, 0] > 0)
    return own, np.where(np.isnan(p), np.nan, _both(p, p_beside))


def _both(p_own: Floats, p_beside: Floats) -> Floats:
    """Return the p-value of both tests: that next to the others, once the segment itself moved.

    Seasons move a segment's own past, and leave its distance from others still: that is sharper.
    But where one large segment moves, the distance of every other one does, and is no fault of it.
    """
    joint = np.where(p_own <= MOVED, p_beside, np.fmax(p_own, p_beside))
    return np.where(np.isnan(p_beside), p_own, joint)


def _volume(rows: Floats, min_rows: int) -> _Tested:
    """Test how many rows each segment has, and which part of its parent's rows they are.

    A window without rows is no segment's fault.
    """
    usual = rows[:, 1:].mean(axis=1) if rows.shape[1] > 1 else np.zeros(len(rows))
    if rows.shape[1] <= MIN_PERIODS or not rows[:, 0].any():
        return _Tested(rows[:, 0], usual, np.full(len(rows), np.nan))
    rest = rows.sum(axis=0) - rows
    # the variance of a count's square root is a quarter, however large it is (Anscombe, 1948)
    noise = np.repeat(4 * usual[:, None] + 1.5, rows.shape[1], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.sqrt((rows + 0.375) / (usual[:, None] + 0.375))
        part = np.where(rest > 0, (rows + 0.375) / rest, np.nan)
        part = np.sqrt(part / part[:, 1:].mean(axis=1)[:, None])
        past, beside = _learn(own[:, 1:], noise[:, 1:]), _learn(part[:, 1:], noise[:, 1:])
        p = past.p_value(own[:, 0], noise[:, 0])
        effective = past.effective(noise[:, 0]) / 4
        one = np.ones(len(rows))
        p_beside = _p_beside(beside, part[:, 0], noise[:, 0], one, usual >= min_rows)
    counted = rows[:, 0] / np.maximum(usual, _TINY) * effective
    p = np.maximum(p, _poisson(np.where(usual > 0, counted, 0.0), effective))
    p = np.where(usual > 0, _both(p, p_beside), _of_nothing(rows))
    rises_from_few = (usual < min_rows) & (rows[:, 0] > usual)
    p = np.where(rises_from_few & _is_custom(rows, min_rows), 1.0, p)
    return _Tested(rows[:, 0], usual, p)


def _of_nothing(rows: Floats) -> Floats:
    """Return how likely a segment has so many rows that never had one."""
    periods = rows.shape[1] - 1
    # Jeffreys' prior on a rate of which nothing was seen
    return np.asarray(stats.nbinom.sf(rows[:, 0] - 1, 0.5, periods / (periods + 1)))


def _is_custom(rows: Floats, min_rows: int) -> Booleans:
    """Return where segments that had been small rise half as high once a period or more often.

    So a key whose levels come and go, like tail numbers, finds nothing in what they always do.
    """
    newer, older = np.array_split(rows[:, 1:], 2, axis=1)
    counts = np.sort(newer[older.mean(axis=1) < min_rows].ravel())
    as_high = counts.size - np.searchsorted(counts, np.maximum(rows[:, 0] / 2, 1))
    return np.asarray(as_high >= newer.shape[1])


def _changed(rows: Floats) -> npt.NDArray[np.object_]:
    """Return "appeared" where a segment never was, "disappeared" where it always was, or None.

    Where that happens once a period or more often, it is what the key's levels do, and no change.
    """
    changes = np.full(len(rows), None, dtype=object)
    if rows.shape[1] <= MIN_PERIODS or not rows[:, 0].any():
        return changes
    is_there = rows > 0
    newer, older = np.array_split(is_there[:, 1:], 2, axis=1)
    for state, before, after in (
        ("appeared", ~is_there[:, 1:].any(axis=1), newer[~older.any(axis=1)].any(axis=1)),
        ("disappeared", is_there[:, 1:].all(axis=1), ~newer[older.all(axis=1)].all(axis=1)),
    ):
        if after.sum() < newer.shape[1]:
            changes[before & (is_there[:, 0] == (state == "appeared"))] = state
    return changes


def _rate(hits: Floats, trials: Floats, min_rows: int) -> _Tested:
    """Test which share of each segment's rows is hit; one row alone makes no finding."""
    x, n = hits[:, 1:].sum(axis=1), np.maximum(trials[:, 1:].sum(axis=1), 1)
    now = np.maximum(trials[:, 0], 1)
    parent = (x.sum() - x + 0.5) / (n.sum() - n + 1)
    smallest = 0.5 / n.sum()
    is_tested = (n >= min_rows) & (now >= min_rows)
    usual, _ = _shrunk(x / n, parent * (1 - parent) / n, parent, n >= min_rows)
    usual = np.clip(usual, smallest, 1 - smallest)
    scale = np.sqrt(usual * (1 - usual))
    rest_trials = trials.sum(axis=0) - trials
    rest = (hits.sum(axis=0) - hits) / np.maximum(rest_trials, 1)
    shares = hits / np.maximum(trials, 1)
    observed = shares[:, 0].copy()
    less_one = np.maximum(np.abs(observed - usual) - 1 / now, 0)
    shares[:, 0] = usual + np.sign(observed - usual) * less_one
    noise = np.maximum(rest[:, 0] * (1 - rest[:, 0]) / scale**2, 1)
    past, p = _against_both(shares, trials, parent, rest, rest_trials, scale, noise)
    expected = np.clip(past.level * scale, smallest, 1 - smallest)
    effective = past.effective(now)
    p = np.maximum(p, _binomial(shares[:, 0] * effective, effective, expected))
    return _Tested(observed, expected, np.where(is_tested, p, np.nan))


def _mean(
    present: Floats, sums: Floats, squares: Floats, lowest: Floats, highest: Floats, min_rows: int
) -> _Tested:
    """Test each segment's means, without the lowest and the highest row of each period."""
    n = np.where(present > 2, present, 0.0)
    means = (sums - lowest - highest) / np.maximum(n - 2, 1)
    scatter = np.maximum(squares - sums**2 / np.maximum(present, 1), 0)[:, 1:].sum(axis=1)
    freedom = np.maximum(present - 1, 0)[:, 1:].sum(axis=1)
    pooled = scatter.sum() / max(freedom.sum(), 1)
    variance = (PRIOR_ROWS * pooled + scatter) / (PRIOR_ROWS + freedom)
    total = max(present.sum(), 1)
    overall = max(squares.sum() / total - (sums.sum() / total) ** 2, 0)
    scale = np.sqrt(variance + SMALLEST_SPREAD**2 * overall + _TINY)
    rest_rows = present.sum(axis=0) - present
    rest = (sums.sum(axis=0) - sums) / np.maximum(rest_rows, 1)
    before = present[:, 1:].sum(axis=1)
    parent = (sums[:, 1:].sum() - sums[:, 1:].sum(axis=1)) / np.maximum(before.sum() - before, 1)
    # few rows of a skewed column scatter as widely as their mean lies off, and say so themselves
    kept = np.maximum(n[:, 0] - 2, 1)
    inner = squares[:, 0] - lowest[:, 0] ** 2 - highest[:, 0] ** 2 - kept * means[:, 0] ** 2
    freedom_now = PRIOR_ROWS + kept - 1
    wider = (PRIOR_ROWS * variance + np.maximum(inner, 0)) / freedom_now
    n[:, 0] /= np.maximum(wider / scale**2, 1)
    past, p = _against_both(means, n, parent, rest, rest_rows, scale, freedom=freedom_now)
    is_tested = (present[:, 0] >= min_rows) & (before >= min_rows)
    return _Tested(means[:, 0], past.level * scale, np.where(is_tested, p, np.nan))


def _poisson(count: Floats, expected: Floats) -> Floats:
    """Return the two-sided tail of a count, which need not be whole."""
    upper = special.gammainc(np.maximum(count, _TINY), expected)
    lower = special.gammaincc(count + 1, expected)
    return np.asarray(np.minimum(2 * np.minimum(upper, lower), 1))


def _binomial(hits: Floats, trials: Floats, rate: Floats) -> Floats:
    """Return the two-sided tail of a binomial count, which need not be whole."""
    upper = special.betainc(np.maximum(hits, _TINY), trials - hits + 1, rate)
    lower = special.betainc(np.maximum(trials - hits, _TINY), hits + 1, 1 - rate)
    return np.asarray(np.minimum(2 * np.minimum(upper, lower), 1))
