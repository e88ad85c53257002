"""What one window shows about the champion: realised performance, and new labels."""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, FiniteFloat

from ratchet.errors import EvidenceError
from ratchet.ledger import Ledger
from ratchet.monitoring.performance import Performance, realised, ripe_windows
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import atomic_path, write_atomic
from ratchet.window import Window

_COHORTS = pa.schema(
    {
        "observed_window": pa.string(),
        "cohort": pa.string(),
        "age_days": pa.float64(),
        "policy": pa.string(),
        "version": pa.string(),
        "labelled": pa.int64(),
        "total": pa.int64(),
        "matured_share": pa.float64(),
        "is_mature": pa.bool_(),
        "total_cost": pa.float64(),
        "cost_per_unit": pa.float64(),
    }
)


class Observation(BaseModel):
    """What was observed at a window's end.

    `champion` is the version that answered in the window, None before the first one.
    `realised` is its newest mature cohort: all decisions are at least `monitoring.label_wait_days`
    old, and of each the label counts if it was known at that age. `new_labels` counts those that
    became known after `last_training`, a window's key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    use_case: str
    window: str
    champion: str | None
    expected_cost_per_unit: FiniteFloat | None
    realised: Performance | None
    last_training: str | None
    new_labels: int


def observe(spec: Spec, window: Window, settings: Settings) -> Observation:
    """Observe a window; write `cohorts` and what is returned to the lake's monitoring folder.

    A cohort of predictions is observed once at each of the spec's `monitoring.maturities`, in the
    window in which its last decision reaches that age, so a window costs the same in the first week
    and in the last. Depends on nothing that became known, or was promoted, later than the window:
    running it again writes the same.

    Raises
    ------
    EvidenceError
        If there is a champion, and the window is not scored; or if predictions are not usable.
    """
    from ratchet.registry import champion_at

    champion = champion_at(spec, window.start, settings)
    predictions = settings.lake(spec.name).predictions / f"{window.key}.parquet"
    if champion and not predictions.exists():
        raise EvidenceError(f"no predictions: {predictions}; score the window first")
    cohorts = _cohorts(spec, window, settings)
    last_training = _last_training(spec, window, settings)
    _write(
        settings.lake(spec.name).monitoring / "cohorts" / f"{window.key}.parquet",
        _cohorts_schema(spec),
        [
            {
                **cohort.model_dump(exclude={"window", "metrics"}),
                **cohort.metrics,
                "observed_window": window.key,
                "cohort": cohort.window,
                "age_days": age,
                "matured_share": cohort.labelled / cohort.total,
                "is_mature": age == spec.monitoring.label_wait_days,
            }
            for age, found in cohorts.items()
            for cohort in found
        ],
    )
    version = champion.version if champion else None
    mature = [
        cohort
        for cohort in cohorts[spec.monitoring.label_wait_days]
        if (cohort.policy, cohort.version) == ("decision", version)
    ]
    observation = Observation(
        use_case=spec.name,
        window=window.key,
        champion=version,
        expected_cost_per_unit=champion.expected_cost_per_unit if champion else None,
        realised=max(mature, key=lambda c: c.window or "", default=None) if champion else None,
        last_training=last_training.key if last_training else None,
        new_labels=_new_labels(spec, window, last_training, settings),
    )
    path = _stored(spec, window, settings)
    write_atomic(path, observation.model_dump_json(indent=2).encode())
    return observation


def known_observation(spec: Spec, window: Window, settings: Settings) -> Observation:
    """Return what `observe` said of a window last; ask it where it has said nothing yet."""
    path = _stored(spec, window, settings)
    if not path.exists():
        return observe(spec, window, settings)
    return Observation.model_validate_json(path.read_bytes())


def _stored(spec: Spec, window: Window, settings: Settings) -> Path:
    return settings.lake(spec.name).monitoring / "observations" / f"{window.key}.json"


def _cohorts(spec: Spec, window: Window, settings: Settings) -> dict[float, list[Performance]]:
    """Return what is known of the cohorts that reach an age in the window, by age in days."""
    found: dict[float, list[Performance]] = {}
    for days in spec.monitoring.maturities:
        age = timedelta(days=days)
        ripe = ripe_windows(spec, window, age, settings)
        measured = realised(spec, ripe, window.end, settings, age) if ripe else None
        found[days] = measured.measure("window", "policy") if measured else []
    return found


def _cohorts_schema(spec: Spec) -> pa.Schema:
    metrics = [pa.field(name, pa.float64()) for name in spec.costs.realised_metrics]
    return pa.schema([*_COHORTS, *metrics])


def _last_training(spec: Spec, window: Window, settings: Settings) -> Window | None:
    judged = Ledger(settings.lake(spec.name).ledger).windows("release")
    windows = map(Window.parse, judged)
    return max((w for w in windows if w.end <= window.start), key=lambda w: w.end, default=None)


def _new_labels(
    spec: Spec, window: Window, last_training: Window | None, settings: Settings
) -> int:
    from ratchet.warehouse import read_outcomes

    since = last_training.end if last_training else spec.schedule.history_start
    wait = timedelta(days=spec.monitoring.label_wait_days)
    decided = Window(since - wait, window.end)
    known_at = read_outcomes(spec, decided, window.end, settings)[spec.gold.label_known_at]
    return int((known_at > since.astimezone(UTC).replace(tzinfo=None)).sum())


def _write(path: Path, schema: pa.Schema, rows: list[dict[str, object]]) -> None:
    with atomic_path(path) as draft:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), draft)
