"""How answering went: time, gaps, volume, stale features, and how often the model did not decide.

Each measure is held against the spec's `monitoring.service`, where a limit is a limit, and against
its own past, where a change may be chance. Times are those of the machine, so two runs of the same
windows differ in them, and in nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import special

from ratchet.monitoring.signal import Signal
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.statistics import robust_spread, t_limit
from ratchet.window import Window

SUBJECT = "scoring"
PAST_WINDOWS = 12  # a quarter of weeks: more tell of other machines and other models
MIN_PAST_WINDOWS = 4  # a median that one odd window can't move
NULL_P = 1e-3  # one of a thousand windows in which nothing changed
_BUSY = 0.3  # of a logarithm: what a machine that others use as well does to a time, at least
_SEASON = 0.05  # of a logarithm: what a calendar does to a window's rows, at least
_MEDIAN_VARIANCE = np.pi / 2  # of a median of n normal values, in variances over n
_ANY = 1e-9  # a hard limit is a limit: there is no distance beyond it that nobody acts on


@dataclass(frozen=True)
class Scored:
    """How one window was scored; see the table `mon_service`."""

    window: Window
    version: str | None
    rows: int
    row_ms: float
    stale_share: float
    fallback_share: float

    @property
    def rows_per_day(self) -> float:
        """Rows over days: windows differ in length."""
        return self.rows / self.window.days


def watch_service(spec: Spec, window: Window, settings: Settings) -> list[Signal]:
    """Measure how a window was scored.

    Rules `latency`, `errors`, `staleness` and `fallback` hold it against hard limits; `errors` are
    decisions that were due by the published features and have no answer. Rules `latency_change`,
    `staleness_change`, `fallback_change` and `volume` hold it against the last windows before in
    which the same decided: a champion, or the rule.

    Returns
    -------
    list
        One signal per rule; empty if the window was scored before such records were kept.
    """
    folder = settings.lake(spec.name).monitoring / "service"
    windows = sorted(Window.parse(path.stem) for path in folder.glob("*.parquet"))
    if window not in windows:
        return []
    now = _read(folder, window)
    earlier = (_read(folder, each) for each in reversed(windows) if each.end <= window.start)
    alike = (scored for scored in earlier if (scored.version is None) == (now.version is None))
    past = [*islice(alike, PAST_WINDOWS)]
    return [*_limits(now, _missing_share(spec, now, settings), spec), *_changes(now, past, spec)]


def _read(folder: Path, window: Window) -> Scored:
    (row,) = pq.read_table(folder / f"{window.key}.parquet", partitioning=None).to_pylist()
    return Scored(
        window=window,
        version=row["version"],
        rows=row["rows"],
        row_ms=row["row_ms"],
        stale_share=row["stale_rows"] / row["rows"],
        fallback_share=(row["fallback_rows"] + row["refused_rows"]) / row["rows"],
    )


def _missing_share(spec: Spec, now: Scored, settings: Settings) -> float:
    """Return the share of decisions that were due, and that nobody answered for."""
    from ratchet.warehouse import read_features

    due = set(read_features(spec, now.window, settings)[spec.gold.key])
    path = settings.lake(spec.name).predictions / f"{now.window.key}.parquet"
    answered = pq.read_table(path, columns=[spec.gold.key], filters=[("is_decision", "==", True)])
    missing = due - set(answered[spec.gold.key].to_pylist())
    return len(missing) / max(len(due), 1)


def _signal(now: Scored, rule: str, **measured: Any) -> Signal:
    return Signal(
        window=now.window.key,
        family="service",
        rule=rule,
        subject=SUBJECT,
        rows=now.rows,
        **measured,
    )


def _limits(now: Scored, missing_share: float, spec: Spec) -> Iterator[Signal]:
    limits = spec.monitoring.service
    for rule, field, value, limit, unit, remedy in (
        ("latency", "max_row_ms", now.row_ms, limits.max_row_ms, "ms per row", _SLOW),
        ("errors", "max_missing_share", missing_share, limits.max_missing_share, _SHARE, _MISSING),
        ("staleness", "max_stale_share", now.stale_share, limits.max_stale_share, _SHARE, _STALE),
        (
            "fallback",
            "max_fallback_share",
            now.fallback_share,
            limits.max_fallback_share,
            _SHARE,
            _STALE,
        ),
    ):
        beyond = max(value - limit, 0.0)
        what = f"{rule} of {now.window} is {value:.4g} {unit}, {limit:.4g} are allowed"
        yield _signal(
            now,
            rule,
            is_enough=True,
            value=value,
            expected=limit,
            effect=beyond,
            floor=_ANY,
            null_limit=0.0,  # no chance takes a value beyond a limit without its being beyond
            p_value=0.0 if beyond else 1.0,
            direction="up" if beyond else None,
            unit=unit,
            reference=f"monitoring.service.{field}",
            text=f"{what}; {remedy if beyond else 'nothing to do.'}",
        )


_SHARE = "of decisions"
_SLOW = "see what else runs on the machine, then what changed in the model or its explanations."
_MISSING = "score the window again, and ask why decisions came after it was scored."
_STALE = "see in mon_freshness which feed is silent, and ask its producer."
_VOLUME = "see in mon_landing which feed sent more or less, and ask its producer."


def _changes(now: Scored, past: Sequence[Scored], spec: Spec) -> Iterator[Signal]:
    limits = spec.monitoring.service

    def factor(rule: str, name: str, floor: float, least: float, unit: str, remedy: str) -> Signal:
        value, before = getattr(now, name), np.array([getattr(each, name) for each in past])
        if len(past) < MIN_PAST_WINDOWS:
            return _unknown(rule, now, len(past), floor, unit)
        expected = float(np.median(before))
        error = float(np.log(value / expected))
        spread = _spread(np.log(before), least)
        limit = t_limit(NULL_P, len(past) - 1) * spread
        is_up = error > 0
        return _changed(
            rule,
            now,
            value,
            expected,
            effect=abs(float(np.expm1(error))),
            floor=floor if is_up else floor / (1 + floor),
            null_limit=abs(float(np.expm1(limit if is_up else -limit))),
            p_value=float(2 * special.stdtr(len(past) - 1, -abs(error) / spread)),
            unit=unit,
            remedy=remedy,
        )

    def share(rule: str, name: str) -> Signal:
        value, before = getattr(now, name), np.array([getattr(each, name) for each in past])
        if len(past) < MIN_PAST_WINDOWS:
            return _unknown(rule, now, len(past), limits.share_change, _SHARE)
        expected = float(np.median(before))
        usual = min(max(expected, 1 / now.rows), 1 - 1 / now.rows) if now.rows > 1 else 0.5
        spread = _spread(before, (usual * (1 - usual) / now.rows) ** 0.5)
        return _changed(
            rule,
            now,
            value,
            expected,
            effect=max(value - expected, 0.0),  # fewer are never worse
            floor=limits.share_change,
            null_limit=float(-special.stdtrit(len(past) - 1, NULL_P)) * spread,
            p_value=float(special.stdtr(len(past) - 1, -(value - expected) / spread)),
            unit=_SHARE,
            remedy=_STALE,
        )

    slower = limits.slowdown - 1
    yield factor("latency_change", "row_ms", slower, _BUSY, "ms per row", _SLOW)
    yield factor(
        "volume", "rows_per_day", limits.volume_change, _SEASON, "decisions a day", _VOLUME
    )
    yield share("staleness_change", "stale_share")
    yield share("fallback_change", "fallback_share")


def _spread(before: NDArray[np.float64], least: float) -> float:
    """Return the standard deviation of a window about the median of those before."""
    own = max(robust_spread(before), least)
    return float(own * (1 + _MEDIAN_VARIANCE / before.size) ** 0.5)


def _unknown(rule: str, now: Scored, windows: int, floor: float, unit: str) -> Signal:
    text = f"{windows} windows are known before {now.window}, and {MIN_PAST_WINDOWS} are needed"
    return _signal(
        now,
        rule,
        is_enough=False,
        floor=floor,
        unit=unit,
        reference="the windows before",
        text=f"{text} to tell a change of {rule.partition('_')[0]}; nothing to do but wait.",
    )


def _changed(
    rule: str,
    now: Scored,
    value: float,
    expected: float,
    *,
    effect: float,
    floor: float,
    null_limit: float,
    p_value: float,
    unit: str,
    remedy: str,
) -> Signal:
    is_large = effect >= max(floor, null_limit)
    text = (
        f"{rule.partition('_')[0]} of {now.window} is {value:.4g} {unit}, where {expected:.4g} "
        f"were usual in the windows before; {remedy if is_large else 'nothing to do.'}"
    )
    return _signal(
        now,
        rule,
        is_enough=True,
        value=value,
        expected=expected,
        effect=effect,
        floor=floor,
        null_limit=null_limit,
        p_value=p_value,
        direction=None if value == expected else "up" if value > expected else "down",
        unit=unit,
        reference="the median of the windows before",
        text=text,
    )
