"""How often findings err, by simulation: a year in which nothing happens, and shifts of known size.

Features wobble with the week, and windows are days. What is measured of a day and a feature is its
mean, in standard deviations, drawn from its own law: as exact as drawing all rows, and cheaper. How
good the law of each real measure is, its own part tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from scipy import stats

from ratchet.incidents.finding import judge
from ratchet.monitoring import Signal
from ratchet.spec.alerts import Alerts
from ratchet.statistics import wilson_interval
from ratchet.statistics.multiplicity import benjamini_hochberg
from ratchet.window import Window

_START = datetime(2013, 1, 1, tzinfo=UTC)
_WEEK = 7  # days
_QUANTILE = 0.999  # of the null law: what a finding must be larger than
_CUSTOMARY = 0.05


@dataclass(frozen=True)
class Stream:
    """What is watched: features that wobble by `wobble_sd` with the week, each in its own phase.

    `rows` come each day, `trained` were trained on. A shift counts from `floor_sd` on. All shifts
    are in standard deviations of the feature.
    """

    features: int = 100
    rows: int = 4000
    trained: int = 100_000
    wobble_sd: float = 0.03
    floor_sd: float = 0.1

    @property
    def error(self) -> float:
        """Standard error of a day's mean against training's."""
        return float(np.sqrt(1 / self.rows + 1 / self.trained))

    def days(self, number: int, rng: np.random.Generator, shift_sd: float = 0.0) -> np.ndarray:
        """Draw the means of some days, shape (days, features); the first feature is shifted."""
        phase = rng.uniform(0, 2 * np.pi, self.features)
        day = np.arange(number)[:, np.newaxis]
        means = self.wobble_sd * np.sin(2 * np.pi * day / _WEEK + phase)
        means[:, 0] += shift_sd
        return np.asarray(means + rng.normal(0, self.error, means.shape))

    def p_values(self, means: np.ndarray) -> np.ndarray:
        """Return the chance of means so far from training's, if nothing changed."""
        return np.asarray(2 * stats.norm.sf(np.abs(means) / self.error))

    def signals(self, means: np.ndarray) -> Iterator[list[Signal]]:
        """Yield the signals of each day."""
        limit = float(stats.norm.isf((1 - _QUANTILE) / 2) * self.error)
        for number, (of_day, p_values) in enumerate(zip(means, self.p_values(means), strict=True)):
            start = _START + timedelta(days=number)
            key = Window(start, start + timedelta(days=1)).key
            yield [
                Signal(
                    window=key,
                    family="feature_drift",
                    rule="mean",
                    subject="simulated",
                    column=f"feature_{n}",
                    rows=self.rows,
                    is_enough=True,
                    value=value,
                    expected=0.0,
                    effect=abs(value),
                    floor=self.floor_sd,
                    null_limit=limit,
                    p_value=p_value,
                    unit="standard deviations",
                    reference="training",
                    text="Simulated.",
                )
                for n, (value, p_value) in enumerate(
                    zip(of_day.tolist(), p_values.tolist(), strict=True)
                )
            ]


@dataclass(frozen=True)
class Harmless:
    """How often each rule speaks in some years in which nothing happened."""

    years: int
    tests: int
    plain: int
    corrected: int
    found: int

    @property
    def found_at_most(self) -> float:
        """Upper end of the 95 % interval of findings a year (Wilson)."""
        _, high = wilson_interval(self.found, self.tests, 0.95)
        return float(high) * self.tests / self.years


@dataclass(frozen=True)
class Delay:
    """After how many days a shift of some size was found, in some runs; None if never."""

    shift_sd: float
    days: list[int | None] = field(default_factory=list)

    def found_within(self, days: int) -> int:
        """Return in how many runs it was found within so many days."""
        return sum(found is not None and found <= days for found in self.days)


def harmless(stream: Stream, alerts: Alerts, years: int, seed: int, days: int = 365) -> Harmless:
    """Simulate years in which nothing happens but the week."""
    plain = corrected = found = 0
    for year in range(years):
        means = stream.days(days, np.random.default_rng([seed, year]))
        p_values = stream.p_values(means)
        plain += int((p_values < _CUSTOMARY).sum())
        corrected += sum(int(benjamini_hochberg(row, _CUSTOMARY).sum()) for row in p_values)
        found += sum(_found(stream, means, alerts, day)[1] for day in _candidates(stream, means))
    return Harmless(years, years * days * stream.features, plain, corrected, found)


def delay(stream: Stream, alerts: Alerts, shift_sd: float, runs: int, seed: int) -> Delay:
    """Shift one of the features on a day, and count days until it is found, at most a fortnight."""
    return Delay(
        shift_sd,
        [
            next(
                (
                    day + 1
                    for day in _candidates(stream, means)
                    if _found(stream, means, alerts, day)[0]
                ),
                None,
            )
            for run in range(runs)
            for means in [stream.days(2 * _WEEK, np.random.default_rng([seed, run]), shift_sd)]
        ],
    )


def _candidates(stream: Stream, means: np.ndarray) -> list[int]:
    """Return the days on which anything is above the floor: on others there is no finding."""
    return np.flatnonzero((np.abs(means) >= stream.floor_sd).any(axis=1)).tolist()


def _found(stream: Stream, means: np.ndarray, alerts: Alerts, day: int) -> tuple[bool, int]:
    """Judge a day; say whether the first feature is found, and how many are."""
    looked = alerts.persistence.feature_drift.of
    windows = list(stream.signals(means[max(day - looked + 1, 0) : day + 1]))
    states = [finding.state == "found" for finding in judge(windows, alerts)]
    return states[0], sum(states)
