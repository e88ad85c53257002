"""Performance before labels are known, and what labels say of it when they are.

Cohorts are compared at one age only, `monitoring.label_wait_days`: with each other, and with the
holdout that the champion was judged on, of which labels count at the same age.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ratchet.monitoring.performance import realised, ripe_windows
from ratchet.monitoring.signal import Family, Signal
from ratchet.problems import COST, Expectations, Problem
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.statistics import (
    Dispersion,
    Expected,
    Gap,
    Level,
    compare_levels,
    design_effect,
    error_of,
    measure_gap,
    measure_level,
    reach_of,
)
from ratchet.storage import atomic_path
from ratchet.window import Window

ESTIMATES = pa.schema(
    {
        "observed_window": pa.string(),
        "cohort": pa.string(),
        "day": pa.date32(),
        "version": pa.string(),
        "measure": pa.string(),
        "age_days": pa.float64(),
        "rows": pa.int64(),
        "missing": pa.int64(),
        "estimated": pa.float64(),
        "sampling_error": pa.float64(),
        "low": pa.float64(),
        "high": pa.float64(),
        "realised": pa.float64(),
        "p_value": pa.float64(),
    }
)
_STRANGE = 0.02
"""Chance below which a day is named among those that stand out."""


Measured = dict[str, tuple[Expected, Gap | None]]
"""By measure: what was expected, and what labels said of it if there are any."""

Weeks = dict[str, list[tuple[float, int]]]
"""By measure: design effect and degrees of freedom of each past week that tells of it."""


@dataclass(frozen=True)
class Cohort:
    """What one version decided in one window.

    `rows` are its decisions, with a `label` where it was known at `age_days`. Without an age,
    labels do not count: they would be of several maturities.
    """

    window: Window
    version: str
    problem: Problem
    expectations: Expectations
    dispersions: dict[str, Dispersion]
    rows: pd.DataFrame
    age_days: float | None

    @cached_property
    def counted(self) -> pd.DataFrame:
        """The rows that measures are of: those with a label, if labels count."""
        return self.rows if self.age_days is None else self.rows[self.rows["label"].notna()]

    @property
    def missing(self) -> int:
        """Rows whose label was not known at the age."""
        return len(self.rows) - len(self.counted)

    @cached_property
    def days(self) -> NDArray[np.datetime64]:
        """UTC day of each row that counts."""
        return self.counted["decided_at"].to_numpy("datetime64[D]")

    @cached_property
    def measured(self) -> Measured:
        """What is measured of all rows that count."""
        return self._measure(self.counted) if len(self.counted) else {}

    @cached_property
    def by_day(self) -> dict[date, Measured]:
        """What is measured of each day."""
        found = np.unique(self.days)
        return {day.item(): self._measure(self.counted[self.days == day]) for day in found}

    def _measure(self, rows: pd.DataFrame) -> Measured:
        learned, dispersions = self.expectations.learned, self.dispersions
        expected = self.problem.expect(rows, learned)
        surprises = {} if self.age_days is None else self.problem.surprises(rows, learned)
        return {
            name: (
                each,
                measure_gap(surprises[name], each, dispersions[name])
                if name in surprises
                else None,
            )
            for name, each in expected.items()
            if name in dispersions
        }


def watch_estimates(spec: Spec, window: Window, settings: Settings) -> list[Signal]:
    """Estimate what the champion's decisions of a window cost, and judge the estimates of before.

    Writes `estimates` to the lake's monitoring folder: of the window by itself, and of the cohorts
    whose last decision reached the age of `monitoring.label_wait_days` in it, with what was
    realised; by measure, of all of a cohort and of each of its days.

    Returns
    -------
    list
        `estimate.expected_cost`: what the window is estimated to cost, against the gate's holdout.
        Of each cohort that matured, `performance.realised_cost`: what it cost, against the same;
        and `estimate.gap`: what it cost, against what was estimated. None of versions whose
        answers tell nothing of their errors.
    """
    days = spec.monitoring.label_wait_days
    ripe = ripe_windows(spec, window, timedelta(days=days), settings)
    has_scored = (settings.lake(spec.name).predictions / f"{window.key}.parquet").exists()
    asked = [(old, days) for old in ripe] + ([(window, None)] if has_scored else [])
    past = _past_weeks(spec, window, settings)
    cohorts = [
        cohort
        for scored, age_days in asked
        for cohort in _cohorts(spec, scored, window, settings, age_days, past)
    ]
    path = settings.lake(spec.name).monitoring / "estimates" / f"{window.key}.parquet"
    rows = [row for cohort in cohorts for row in _table(cohort, window)]
    with atomic_path(path) as draft:
        pq.write_table(pa.Table.from_pylist(rows, schema=ESTIMATES), draft)
    return [
        signal
        for cohort in cohorts
        for signal in (
            (_expected_cost(cohort, spec, window),)
            if cohort.age_days is None
            else (_realised_cost(cohort, spec, window), _gap(cohort, spec, window))
        )
    ]


def _cohorts(
    spec: Spec,
    scored: Window,
    observed: Window,
    settings: Settings,
    age_days: float | None,
    past: Weeks,
) -> Iterator[Cohort]:
    """Yield what each version decided in a window, if its answers tell of their errors."""
    from ratchet.registry import load_release

    age = None if age_days is None else timedelta(days=age_days)
    found = realised(spec, [scored], observed.end, settings, age).scored
    found = found[(found["role"] == "champion") & found["is_decision"]]
    for version, rows in found.groupby("version", sort=True, observed=True):
        release = load_release(spec, str(version), settings)
        if expectations := release.expectations:
            dispersions = {
                name: dispersion.pooled(past.get(name, []))
                for name, dispersion in expectations.dispersions.items()
            }
            yield Cohort(
                scored, str(version), release.problem, expectations, dispersions, rows, age_days
            )


def _past_weeks(spec: Spec, observed: Window, settings: Settings) -> Weeks:
    """Return the weeks of cohorts that had matured before a window, counted back from its start."""
    since = observed.start - timedelta(days=spec.monitoring.estimate.history_days)
    folder = settings.lake(spec.name).monitoring / "estimates"
    tables = [
        pq.read_table(path, schema=ESTIMATES)
        for path in sorted(folder.glob("*.parquet"))
        if path.stem < observed.key and Window.parse(path.stem).end > since
    ]
    rows: pd.DataFrame = pa.concat_tables([ESTIMATES.empty_table(), *tables]).to_pandas()
    rows = rows[rows["day"].notna() & rows["realised"].notna()]
    start = observed.start.date()
    week = np.array([(start - day - timedelta(days=1)).days // 7 for day in rows["day"]])
    gaps = (rows["realised"] - rows["estimated"]).to_numpy()
    errors, counts = rows["sampling_error"].to_numpy(), rows["rows"].to_numpy()
    found: Weeks = {}
    for measure, own in rows.groupby("measure").indices.items():
        by_week = (own[week[own] == each] for each in np.unique(week[own]))
        found[str(measure)] = [
            (design_effect(gaps[days], errors[days], counts[days]), len(days) - 1)
            for days in by_week
            if len(days) > 1
        ]
    return found


def _table(cohort: Cohort, observed: Window) -> Iterator[dict[str, object]]:
    """Yield one row for each measure, of all of a cohort and of each of its days."""
    parts: list[tuple[date | None, Measured]] = [(None, cohort.measured), *cohort.by_day.items()]
    for day, measured in parts:
        for name, (expected, gap) in measured.items():
            reach = reach_of(expected, cohort.dispersions[name], confidence=0.95)
            yield {
                "observed_window": observed.key,
                "cohort": cohort.window.key,
                "day": day,
                "version": cohort.version,
                "measure": name,
                "age_days": cohort.age_days,
                "rows": len(expected.rows),
                "missing": cohort.missing if gap and day is None else None,
                "estimated": expected.value,
                "sampling_error": expected.sampling_error,
                "low": expected.value - reach,
                "high": expected.value + reach,
                "realised": expected.value + gap.estimate if gap else None,
                "p_value": gap.p_value if gap else None,
            }


class _Judged(NamedTuple):
    """A cost, what it is compared with, how far it is from that, and both in words."""

    value: float
    base: float
    effect: float
    gap: Gap
    text: str


def _expected_cost(cohort: Cohort, spec: Spec, window: Window) -> Signal:
    level = None
    if COST in cohort.measured:
        expected = cohort.measured[COST][0]
        level = measure_level(expected.rows, cohort.days)
    if level:
        # days differ in what is expected of them, and labels from what is expected
        error = error_of(expected, cohort.dispersions[COST])
        error = math.hypot(level.standard_error, error)
        level = level.model_copy(update={"standard_error": error})
    judged = _against_holdout(cohort, spec, level, "is estimated to have cost")
    return _signal(cohort, spec, window, ("estimate", "expected_cost"), judged)


def _realised_cost(cohort: Cohort, spec: Spec, window: Window) -> Signal:
    level = None
    if COST in cohort.measured:
        losses = cohort.problem.losses_of(cohort.counted, cohort.counted["label"])
        level = measure_level(losses, cohort.days)
    judged = _against_holdout(cohort, spec, level, "cost")
    return _signal(cohort, spec, window, ("performance", "realised_cost"), judged)


def _against_holdout(cohort: Cohort, spec: Spec, level: Level | None, verb: str) -> _Judged | None:
    if level is None:
        return None
    base = cohort.expectations.levels[COST]
    rise = compare_levels(level, base)
    return _Judged(
        value=level.value,
        base=base.value,
        effect=max(rise.estimate, 0.0),
        gap=rise,
        text=f"{verb} {level.value:.2f} {_unit(spec)}, and {base.value:.2f} at its gate; chance "
        f"makes {rise.limit:.2f} in 999 of 1,000 windows. If it lasts, train again, or roll back "
        "to a version that costs less on these days.",
    )


def _gap(cohort: Cohort, spec: Spec, window: Window) -> Signal:
    expected, gap = cohort.measured.get(COST, (None, None))
    judged = None
    if expected and gap:
        strange = ", ".join(_strange_days(cohort))
        judged = _Judged(
            value=expected.value + gap.estimate,
            base=expected.value,
            effect=abs(gap.estimate),
            gap=gap,
            text=f"cost {expected.value + gap.estimate:.2f} {_unit(spec)}, where "
            f"{expected.value:.2f} follow from its own answers; chance makes {gap.limit:.2f} in "
            f"999 of 1,000 windows. {f'Days that stand out: {strange}. ' if strange else ''}"
            "If it is more, the same features have come to mean something else, or labels have: "
            "look at these days, and leave them out of training if they will not come again.",
        )
    return _signal(cohort, spec, window, ("estimate", "gap"), judged)


def _signal(
    cohort: Cohort,
    spec: Spec,
    window: Window,
    name: tuple[Family, str],
    judged: _Judged | None,
) -> Signal:
    monitoring, rows = spec.monitoring, len(cohort.counted)
    # labels that are late are not like those that are known
    share = monitoring.estimate.max_missing_share
    enough = rows >= monitoring.min_rows and cohort.missing <= share * len(cohort.rows)
    told = judged if enough else None
    thin = (
        f"decided too little to tell: {rows:,} decisions count, and {cohort.missing:,} labels are "
        f"missing; {monitoring.min_rows:,} on two days are needed, and {1 - share:.0%} of labels. "
        "If there are usually more, look at what became of the feeds."
    )
    floor = spec.retraining.max_cost_increase_per_unit
    if name == ("estimate", "gap"):
        floor = monitoring.estimate.max_gap_per_unit or floor
    return Signal(
        window=window.key,
        family=name[0],
        rule=name[1],
        subject="champion",
        rows=rows,
        is_enough=told is not None,
        value=told.value if told else None,
        expected=told.base if told else None,
        effect=told.effect if told else None,
        floor=floor,
        null_limit=told.gap.limit if told else None,
        p_value=told.gap.p_value if told else None,
        direction=("up" if told.gap.estimate > 0 else "down") if told else None,
        unit=_unit(spec),
        reference=f"version {cohort.version} on its holdout, by labels known at "
        f"{cohort.expectations.age_days:g} days",
        text=f"From {cohort.window}, version {cohort.version} {told.text if told else thin}",
    )


def _strange_days(cohort: Cohort) -> list[str]:
    """Return the days whose gap chance alone would hardly make."""
    gaps = {day: measured[COST][1] for day, measured in cohort.by_day.items() if COST in measured}
    return [f"{day:%-d %B}" for day, gap in gaps.items() if gap and gap.p_value < _STRANGE]


def _unit(spec: Spec) -> str:
    return f"{spec.costs.unit} per {spec.gold.unit}"
