"""Which of a window's signals are findings: a pure function of them and of those before."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field

from ratchet.monitoring import Signal, read_signals
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.spec.alerts import Alerts
from ratchet.statistics.multiplicity import benjamini_hochberg
from ratchet.storage import atomic_path
from ratchet.window import Window

State = Literal["ok", "insufficient_data", "watching", "found"]


class Finding(Signal):
    """A signal that was judged.

    `found` says that it is significant among all of its family, large enough to act on, larger than
    what chance alone brings, and has lasted; `watching` that it has not lasted yet; `ok` that it
    was looked at and is none of this. `insufficient_data` says that nobody can tell. `seen` is in
    how many of the last windows it was as large and significant, of the `looked` that the spec
    names and that there are.
    """

    state: State
    seen: int = Field(ge=0)
    looked: int = Field(ge=1)

    @property
    def source(self) -> str:
        """The rule that it comes from, across all that the rule measures: `family.rule`."""
        return f"{self.family}.{self.rule}"


def judge(windows: Sequence[Sequence[Signal]], alerts: Alerts) -> list[Finding]:
    """Judge the signals of the last of some windows.

    A signal without a p-value, an effect or its limit can't be judged: it is never `ok`.

    Parameters
    ----------
    windows
        All signals of each window, oldest first, at least one window. As many as the longest of
        the spec's `alerts.persistence` looks at are enough.

    Returns
    -------
    list
        One finding for each signal of the last window, in the same order.

    References
    ----------
    Benjamini and Hochberg (1995), within each family and window.
    """
    hits = [_hits(signals, alerts.false_discovery_rate) for signals in windows]
    before = [
        {signal.name for signal, is_hit in zip(signals, found, strict=True) if is_hit}
        for signals, found in zip(windows[:-1], hits[:-1], strict=True)
    ]
    return [
        _judge(signal, is_hit, before, alerts)
        for signal, is_hit in zip(windows[-1], hits[-1], strict=True)
    ]


def _judge(signal: Signal, is_hit: bool, before: list[set[str]], alerts: Alerts) -> Finding:
    needed = getattr(alerts.persistence, signal.family)
    earlier = before[max(len(before) - needed.of + 1, 0) :]
    seen = is_hit + sum(signal.name in names for names in earlier)
    state: State = "ok"
    if not _can_be_judged(signal):
        state = "insufficient_data"
    elif is_hit:
        state = "found" if seen >= needed.windows else "watching"
    return Finding(**signal.model_dump(), state=state, seen=seen, looked=len(earlier) + 1)


def _can_be_judged(signal: Signal) -> bool:
    numbers = (signal.effect, signal.null_limit, signal.p_value)
    return signal.is_enough and None not in numbers


def _hits(signals: Sequence[Signal], false_discovery_rate: float) -> list[bool]:
    """Say of each signal whether it is significant within its family, and large enough."""
    is_significant: dict[int, bool] = {}
    for family in {signal.family for signal in signals}:
        tested = [n for n, signal in enumerate(signals) if signal.family == family]
        p_values = [
            signals[n].p_value if _can_be_judged(signals[n]) else math.nan  # makes none stricter
            for n in tested
        ]
        found = benjamini_hochberg(p_values, false_discovery_rate)  # type: ignore[arg-type]
        is_significant |= dict(zip(tested, found.tolist(), strict=True))
    return [is_significant[n] and _is_large(signal) for n, signal in enumerate(signals)]


def _is_large(signal: Signal) -> bool:
    assert signal.effect is not None
    assert signal.null_limit is not None
    return signal.effect >= signal.floor and signal.effect > signal.null_limit


_TYPES = {
    **dict.fromkeys(("rows", "seen", "looked"), pa.int64()),
    "is_enough": pa.bool_(),
    **dict.fromkeys(
        ("value", "expected", "effect", "floor", "null_limit", "p_value"), pa.float64()
    ),
}
FINDINGS = pa.schema([(name, _TYPES.get(name, pa.string())) for name in Finding.model_fields])


def judge_window(spec: Spec, window: Window, settings: Settings) -> list[Finding]:
    """Judge what was measured of a window, and keep the findings; what was there is replaced.

    It depends on the window and on those before it that were measured, and on nothing later.
    """
    persistence = spec.alerts.persistence
    longest = max(getattr(persistence, family).of for family in type(persistence).model_fields)
    measured = settings.lake(spec.name).monitoring / "signals"
    keys = sorted({path.stem for path in measured.glob("*/*.parquet") if path.stem < window.key})
    before = [Window.parse(key) for key in keys[max(len(keys) - longest + 1, 0) :]]
    signals = [read_signals(spec, [looked], settings) for looked in (*before, window)]
    findings = judge(signals, spec.alerts)
    with atomic_path(_path(spec, window, settings)) as draft:
        rows = [finding.model_dump() for finding in findings]
        pq.write_table(pa.Table.from_pylist(rows, schema=FINDINGS), draft)
    return findings


def read_judged(
    spec: Spec, window: Window, settings: Settings, columns: Collection[str | None] | None = None
) -> list[Finding]:
    """Return what was judged of a window, or of some columns in it; nothing if it was not measured.

    None among the columns stands for what is of no column.
    """
    path = _path(spec, window, settings)
    if not path.exists():
        return []
    table = pq.read_table(path, partitioning=None)
    if columns is not None:
        is_wanted = pc.is_in(table["column"], pa.array([*columns], pa.string()))
        table = table.filter(is_wanted)
    return [Finding(**row) for row in table.to_pylist()]


def _path(spec: Spec, window: Window, settings: Settings) -> Path:
    return settings.lake(spec.name).incidents / "findings" / f"{window.key}.parquet"
