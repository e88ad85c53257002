"""Does a feature know what it can't know? Checks on the training data alone.

A strong feature is no leak. What is taken for one is implausible: a single column that separates
the label better than `quality.max_separation` allows, a value that nearly settles the
label, a signal that is strong where the labels are old and gone where they are new.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binom, norm

from ratchet.problems import problem_of
from ratchet.quality.finding import Finding
from ratchet.quality.separation import (
    Array,
    Coded,
    Codes,
    cell_starts,
    code,
    concordance,
    count,
    cross_fitted_auc,
    halves,
    min_rarer,
    one_segment,
    p_value,
    roc_auc,
)
from ratchet.spec import Spec
from ratchet.statistics import benjamini_hochberg
from ratchet.window import Window

REMEDY = "find out how it knows, mend or remove it, or accept the finding in quality.accepted"

_UNORDERED_CELLS = 64  # of numbers, to find values that tell the label in no order
_SEGMENT_ROWS = 100_000  # a numeric column's cells are looked at in about so many rows
_SETTLED = 0.05  # a value settles the label if it leaves a twentieth of the other one, or less
_MIN_DAYS = 10  # what holds on fewer days may be their weather
_STRONG = 0.6  # ROC-AUC within days from which a signal is missed when it is gone
_LEFT = 0.25  # share of its strength that a signal keeps at most when it is gone
_GONE = 0.5  # share of the values that must be gone, of those that the worst day had


@dataclass(frozen=True)
class Labelled:
    """Rows of a snapshot, sorted by moment, with what the checks need of them, made once."""

    spec: Spec
    window: Window
    rows: pd.DataFrame

    @cached_property
    def label(self) -> npt.NDArray[np.bool_]:
        """The label of each row as a yes or no; see `Problem.is_event`."""
        return problem_of(self.spec).is_event(self._comparable)

    @cached_property
    def kinds(self) -> Codes:
        """Half and label of each row."""
        return halves(self.label)

    @cached_property
    def days(self) -> Coded:
        """The UTC day of each decision."""
        moments = self.rows[self.spec.gold.decided_at].to_numpy("datetime64[D]")
        days = (moments - moments.min()).astype(np.int32)
        return Coded(days, tuple(map(str, range(days.max() + 1))), is_ordered=True)

    @cached_property
    def features(self) -> dict[str, Coded]:
        """The spec's features as small numbers."""
        return {name: code(self._comparable[name]) for name in self.spec.gold.features}

    @cached_property
    def _comparable(self) -> pd.DataFrame:
        return problem_of(self.spec).comparable(self.rows)

    @property
    def holdout_start(self) -> pd.Timestamp:
        """The moment from which rows judge a candidate."""
        cut = self.window.end - timedelta(days=self.spec.training.holdout_days)
        return pd.Timestamp(cut.replace(tzinfo=None))


@dataclass(frozen=True)
class _Test:
    """How well one column separates the label in one segment, either by value or by missing."""

    check: str
    feature: str
    segment: str | None
    area: float
    p: float
    rows: int


def check_leakage(data: Labelled) -> Iterator[Finding]:
    """Look for features that know the label, each alone.

    Yields
    ------
    Finding
        Each fault, and of each check that found none, one that says at what it looked.
    """
    yield from _separations(data)
    yield from _settling_values(data)
    yield from _gone_signals(data)


def _separations(data: Labelled) -> Iterator[Finding]:
    """Find columns that separate the label implausibly well, overall or within a segment.

    The family of tests overall and the one within segments are each controlled by themselves. A
    column that was found overall is not looked for in segments again.
    """
    limit, q = data.spec.max_separation, data.spec.quality.false_discovery_rate
    overall = list(_tests(data, None, one_segment(len(data.rows)), step=1))
    found = _found(overall, q)
    known = {(test.check, test.feature) for test in found}
    within = [t for t in _within_segments(data) if (t.check, t.feature) not in known]
    found += _found(within, q)
    tests = overall + within
    for name in ("separates_label", "missingness_separates_label"):
        faults = [test for test in found if test.check == name]
        yield from (_separation(data, test) for test in faults)
        if not faults:
            own = [test for test in tests if test.check == name]
            yield _looked(data, name, own, limit)


def _within_segments(data: Labelled) -> Iterator[_Test]:
    every = max(1, len(data.rows) // _SEGMENT_ROWS)
    for name, column in data.features.items():
        if column.is_ordered:
            cells = column.cells(data.spec.monitoring.bins)
            yield from _tests(data, name, cells.every(every), every)
        else:
            yield from _tests(data, name, column, 1)


def _tests(data: Labelled, by: str | None, segments: Coded, step: int) -> Iterator[_Test]:
    kinds = data.kinds[::step]
    enough = min_rarer(data.spec.max_separation, data.spec.quality.false_discovery_rate)
    rarer = np.stack(
        [
            np.bincount(segments.codes[kinds % 2 == k], minlength=len(segments.levels))
            for k in (0, 1)
        ]
    ).min(axis=0)
    if not (rarer >= enough).any():
        return
    for name, column in data.features.items():
        if name == by:
            continue
        counts = count(segments, column.every(step), kinds)
        for check, area, p in _areas(counts, column, data.spec.max_separation):
            for number in np.flatnonzero((rarer >= enough) & ~np.isnan(p)):
                segment = f"{by}={segments.levels[number]}" if by else None
                rows = int(counts[number].sum())
                yield _Test(check, name, segment, float(area[number]), float(p[number]), rows)


def _areas(counts: Array, column: Coded, limit: float) -> Iterator[tuple[str, Array, Array]]:
    """Yield the areas of a column's values, and of their being missing, with p-values."""
    if column.is_ordered:
        known = counts[:, :-1]
        rarer = known.sum(axis=(1, 2)).min(axis=1)
        starts = cell_starts(counts.sum(axis=(0, 2, 3)).astype(np.int64), _UNORDERED_CELLS)
        cells = np.add.reduceat(known, starts[:-1], axis=1)
        areas = np.stack([roc_auc(known.sum(axis=2)), cross_fitted_auc(cells)])
        distance = np.nan_to_num(np.abs(areas - 0.5), nan=-1.0)
        area = np.take_along_axis(areas, distance.argmax(axis=0)[None], axis=0)[0]
        # two ways of looking at one column
        yield "separates_label", area, np.minimum(1, 2 * p_value(area, rarer, limit))
    else:
        area, rarer = cross_fitted_auc(counts), counts.sum(axis=(1, 2)).min(axis=1)
        yield "separates_label", area, p_value(area, rarer, limit)
    if counts[:, -1].any():
        parts = np.stack([counts[:, :-1].sum(axis=(1, 2)), counts[:, -1].sum(axis=1)], axis=1)
        area = roc_auc(parts)
        yield (
            "missingness_separates_label",
            area,
            p_value(area, parts.sum(axis=1).min(axis=1), limit),
        )


def _found(tests: list[_Test], q: float) -> list[_Test]:
    is_found = benjamini_hochberg([test.p for test in tests], q)
    return [test for test, found in zip(tests, is_found, strict=True) if found]


def _separation(data: Labelled, test: _Test) -> Finding:
    gold, limit = data.spec.gold, data.spec.max_separation
    what = test.feature if test.check == "separates_label" else f"that {test.feature} is missing"
    where = f" where {test.segment}" if test.segment else ""
    area = max(test.area, 1 - test.area)
    return Finding(
        check=test.check,
        subject=gold.features_table,
        column=test.feature,
        segment=test.segment,
        state="found",
        rows=test.rows,
        observed=area,
        expected=limit,
        p_value=test.p,
        text=f"{what} alone separates {gold.label} with a ROC-AUC of {area:.3f}{where} "
        f"({test.rows:,} rows), and over {limit:g} is taken for a leak; {REMEDY}",
    )


def _looked(data: Labelled, check: str, tests: list[_Test], limit: float) -> Finding:
    best = max(tests, key=lambda test: abs(test.area - 0.5), default=None)
    area = max(best.area, 1 - best.area) if best else None
    text = (
        f"{len(tests):,} separations looked at; the best is {best.feature}"
        f"{f' where {best.segment}' if best.segment else ''} with a ROC-AUC of {area:.3f}; "
        "nothing to do"
        if best
        else "no separation to look at; nothing to do"
    )
    # without a column that has missing values there is nothing to say of them
    enough = bool(tests) or check == "missingness_separates_label"
    return Finding(
        check=check,
        subject=data.spec.gold.features_table,
        state="ok" if enough else "not_enough_data",
        rows=len(data.rows),
        observed=area,
        expected=limit,
        text=text if enough else "too few rows of the rarer label to tell; wait for more",
    )


def _settling_values(data: Labelled) -> Iterator[Finding]:
    """Find values, and missing ones, with which the label is nearly always the same."""
    gold = data.spec.gold
    base = float(data.label.mean())
    everything = one_segment(len(data.rows))
    names, counts = [], []
    for name, column in data.features.items():
        on_days = (count(data.days, column, data.kinds).sum(axis=(2, 3)) > 0).sum(axis=0)
        often = np.flatnonzero(on_days >= _MIN_DAYS)
        names += [(name, column.levels[level]) for level in often]
        counts.append(count(everything, column, data.kinds)[0].sum(axis=1)[often])
    negatives, positives = np.concatenate(counts).T
    total = negatives + positives
    p_values = 2 * np.minimum(
        binom.cdf(negatives, total, _SETTLED * (1 - base)),
        binom.cdf(positives, total, _SETTLED * base),
    )
    found = benjamini_hochberg(np.minimum(p_values, 1), data.spec.quality.false_discovery_rate)
    for i in np.flatnonzero(found):
        (name, level), rows, share = names[i], int(total[i]), float(positives[i] / total[i])
        yield Finding(
            check="value_settles_label",
            subject=gold.features_table,
            column=name,
            segment=level,
            state="found",
            rows=rows,
            observed=share,
            expected=base,
            p_value=float(p_values[i]),
            text=f"where {name} is {level}, {gold.label} holds for {share:.1%} of {rows:,} rows, "
            f"and for {base:.1%} of all; {REMEDY}",
        )
    if not found.any():
        yield _nothing(data, "value_settles_label", f"{len(names):,} values looked at")


def _gone_signals(data: Labelled) -> Iterator[Finding]:
    """Find signals that were strong within the days of training, and are gone in the holdout.

    Pairs of rows of one day are compared, so that calm days after stormy ones are no fault. A day
    is one observation of the error.
    """
    start = data.holdout_start
    is_holdout = (data.rows[data.spec.gold.decided_at] >= start).to_numpy()
    first_day = int(data.days.codes[is_holdout].min()) if is_holdout.any() else None
    signals = [
        (name, part, ordered, pairs)
        for name, column in data.features.items()
        for part, ordered, pairs in _signals_by_day(data, column)
    ]
    tested: list[tuple[str, str, float, float, float]] = []
    for name, part, ordered, pairs in signals if first_day else []:
        train, train_error = _pooled(ordered[:first_day], pairs[:first_day])
        after, after_error = _pooled(ordered[first_day:], pairs[first_day:])
        side = 1.0 if train >= 0.5 else -1.0
        strength, left = side * (train - 0.5), side * (after - 0.5)
        q = data.spec.quality.false_discovery_rate
        if strength - norm.isf(q) * train_error <= _STRONG - 0.5:
            continue
        error = np.hypot(after_error, _LEFT * train_error)
        p = float(norm.cdf((left - _LEFT * strength) / error)) if error > 0 else float(left > 0)
        tested.append((name, part, 0.5 + strength, 0.5 + left, p))
    found = benjamini_hochberg(
        [test[-1] for test in tested], data.spec.quality.false_discovery_rate
    )
    for (name, part, train, after, p), is_found in zip(tested, found, strict=True):
        if is_found:
            what = name if part == "value" else f"that {name} is missing"
            yield Finding(
                check="signal_gone",
                subject=data.spec.gold.features_table,
                column=name,
                segment=None if part == "value" else part,
                state="disappeared",
                rows=len(data.rows),
                observed=after,
                expected=train,
                p_value=p,
                text=f"{what} tells {data.spec.gold.label} with a ROC-AUC of {train:.3f} within "
                f"the days before {start:%Y-%m-%d}, and of {after:.3f} since; {REMEDY}",
            )
    if not found.any():
        yield _nothing(data, "signal_gone", f"{len(tested)} of {len(signals)} signals are strong")


def _signals_by_day(data: Labelled, column: Coded) -> Iterator[tuple[str, Array, Array]]:
    """Yield pairs in order and all pairs, by day, of a column's values and of their absence."""
    counts = count(data.days, column, data.kinds).sum(axis=2)
    known = counts[:, :-1]
    if not column.is_ordered:
        total = known.sum(axis=0)
        share = total[:, 1] / np.maximum(total.sum(axis=1), 1)
        known = known[:, np.argsort(share, kind="stable")]
    yield "value", *concordance(known)
    if counts[:, -1].any():
        yield "missing", *concordance(np.stack([known.sum(axis=1), counts[:, -1]], axis=1))


def _pooled(ordered: Array, pairs: Array) -> tuple[float, float]:
    """Return the share of pairs in order over some days, and its standard error; .5 of none."""
    total = float(pairs.sum())
    if not total:
        return 0.5, 0.0
    share = float(ordered.sum()) / total
    return share, float(np.sqrt(((ordered - share * pairs) ** 2).sum()) / total)


def check_unlabelled(data: Labelled, published: pd.DataFrame) -> Iterator[Finding]:
    """Find features that are missing until the label is known.

    Rows of the last day whose label was not known are compared with rows of the same hours on
    every earlier day: values that all those days had, and these rows lack, were filled in with
    the outcome or after it.

    Parameters
    ----------
    published
        Features of what was decided on the window's last day.
    """
    gold = data.spec.gold
    recent = data.rows[data.rows[gold.decided_at] >= published[gold.decided_at].min()]
    unlabelled = ~published[gold.key].isin(set(recent[gold.key]))
    hours = published[gold.decided_at].dt.hour
    by_hour = unlabelled.groupby(hours).mean()
    open_hours = by_hour.index[by_hour > 1 - _SETTLED]
    now = published[unlabelled & hours.isin(open_hours)]
    then = data.rows[data.rows[gold.decided_at].dt.hour.isin(open_hours)]
    days = then[gold.decided_at].dt.floor("D")
    enough = min_rarer(data.spec.max_separation, data.spec.quality.false_discovery_rate)
    if len(now) < enough or days.nunique() < _MIN_DAYS:
        yield _nothing(
            data, "missing_until_labelled", f"{len(now)} rows without label", enough=False
        )
        return
    names = list(gold.features)
    worst = then[names].isna().groupby(days.to_numpy()).mean().max()
    share = now[names].isna().mean()
    found = [name for name in names if 1 - share[name] < _GONE * (1 - worst[name])]
    for name in found:
        yield Finding(
            check="missing_until_labelled",
            subject=gold.features_table,
            column=name,
            state="found",
            rows=len(now),
            broken=int(now[name].isna().sum()),
            observed=float(share[name]),
            expected=float(worst[name]),
            text=f"{name} is missing in {share[name]:.0%} of the {len(now):,} newest rows, whose "
            f"label is not known, and was in {worst[name]:.0%} at most on {days.nunique()} days "
            f"of which it is; {REMEDY}",
        )
    if not found:
        what = f"{len(now):,} rows without label looked at"
        yield _nothing(data, "missing_until_labelled", what)


def _nothing(data: Labelled, check: str, what: str, *, enough: bool = True) -> Finding:
    return Finding(
        check=check,
        subject=data.spec.gold.features_table,
        state="ok" if enough else "not_enough_data",
        rows=len(data.rows),
        text=f"{what}; {'nothing to do' if enough else 'too few to tell'}",
    )
