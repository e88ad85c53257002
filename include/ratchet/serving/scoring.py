"""Batch scoring."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ratchet.errors import EvidenceError
from ratchet.problems import Answers, Problem, problem_of
from ratchet.registry import champion_at, first_champion
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import atomic_path
from ratchet.window import Window

SERVICE = pa.schema(
    {
        "window": pa.string(),
        "version": pa.string(),
        "rows": pa.int64(),
        "duration_s": pa.float64(),
        "row_ms": pa.float64(),
        "stale_rows": pa.int64(),
        "fallback_rows": pa.int64(),
        "refused_rows": pa.int64(),
    }
)


@dataclass(frozen=True)
class ScoreReport:
    """What was scored: decisions of the window, and which version decided."""

    window: str
    rows: int
    champion: str | None
    first: str | None
    path: Path


@dataclass(frozen=True)
class _Policy:
    role: str
    version: str
    problem: Problem
    rows: pd.DataFrame
    answers: Answers
    decides: NDArray[np.bool_]
    is_refused: NDArray[np.bool_]
    reasons: list[str] | None = None


def score(spec: Spec, window: Window, settings: Settings) -> ScoreReport:
    """Write the window's predictions: one row per decision and role, sorted by both.

    Roles are `champion`, the champion at the window's start; `first`, the first champion, frozen;
    and `rule`, which decides while there is no champion. A release decides by the costs and
    thresholds that it was released with. Where features are stale, the use case says who decides.
    Where it asks for reasons, the champion's answers have them. Nothing in the file depends on when
    it is written. How long answering took, and how often the champion did not decide, is kept
    apart from it, in the monitoring folder's `service`.

    Raises
    ------
    EvidenceError
        If the window has no decisions, a feature's column is missing, or an answer is none.
    ReleaseError
        If the champion's release is not what was promoted.
    """
    from ratchet.warehouse import read_features

    frame = read_features(spec, window, settings)
    if frame.empty:
        raise EvidenceError(
            f"{spec.name} {window}: {spec.gold.features_table} has no rows; "
            "land and build the window first"
        )
    started = time.perf_counter()
    champion = champion_at(spec, window.start, settings)
    first = first_champion(spec, settings) if champion else None
    stale, no_rows = _stale_features(frame, spec), np.zeros(len(frame), bool)
    is_stale = np.array([names is not None for names in stale])
    on_stale = spec.gold.staleness.on_stale if champion and spec.gold.staleness else "go_on"
    falls_back = is_stale & (on_stale == "baseline")
    refused = is_stale & (on_stale == "refuse")
    by_rule = falls_back if champion else ~no_rows
    problem = problem_of(spec)
    policies = [_Policy("rule", "rule", problem, frame, problem.rule(frame), by_rule, no_rows)]
    if champion and first:
        rows, first_rows = (
            frame
            if release.spec.gold == spec.gold
            else read_features(release.spec, window, settings)
            for release in (champion, first)
        )
        answers = champion.answers(rows)
        frozen = answers if first.version == champion.version else first.answers(first_rows)
        asked = spec.explanations.per_row if spec.explanations else 0
        why = champion.reasons(rows, asked) if asked else None
        policies += [
            _Policy(
                "champion",
                champion.version,
                champion.problem,
                rows,
                answers,
                ~falls_back,
                refused,
                why,
            ),
            _Policy("first", first.version, first.problem, first_rows, frozen, no_rows, refused),
        ]
    fallback = {"baseline": "baseline", "refuse": "refused"}.get(on_stale)
    told = {
        "stale_features": pa.array(stale, pa.string()),
        "fallback": pa.array([fallback if names else None for names in stale], pa.string()),
    }
    predictions = pa.concat_tables(
        _table(policy, spec, window, told) for policy in policies
    ).sort_by([(spec.gold.key, "ascending"), ("role", "ascending")])
    duration_s = time.perf_counter() - started
    lake = settings.lake(spec.name)
    path = lake.predictions / f"{window.key}.parquet"
    with atomic_path(path) as draft:
        pq.write_table(predictions, draft)
    service = {
        "window": window.key,
        "version": champion.version if champion else None,
        "rows": len(frame),
        "duration_s": duration_s,
        "row_ms": 1000 * duration_s / len(frame),
        "stale_rows": int(is_stale.sum()),
        "fallback_rows": int(falls_back.sum()),
        "refused_rows": int(refused.sum()),
    }
    with atomic_path(lake.monitoring / "service" / f"{window.key}.parquet") as draft:
        pq.write_table(pa.Table.from_pylist([service], schema=SERVICE), draft)
    return ScoreReport(
        window=window.key,
        rows=len(frame),
        champion=champion.version if champion else None,
        first=first.version if first else None,
        path=path,
    )


def _stale_features(frame: pd.DataFrame, spec: Spec) -> list[str | None]:
    """Return for each row the names of features that are too old; None if none is.

    An age that is missing is too old: nothing is known then.
    """
    names = [""] * len(frame)
    for limit in spec.gold.staleness.max_age.values() if spec.gold.staleness else ():
        fresh = frame[limit.age].to_numpy(np.float64) <= limit.minutes
        for row in np.flatnonzero(~fresh):
            names[row] = ", ".join(filter(None, [names[row], *limit.features]))
    return [name or None for name in names]


def _table(
    policy: _Policy,
    spec: Spec,
    window: Window,
    told: dict[str, pa.Array],
) -> pa.Table:
    frame, problem = policy.rows, policy.problem
    rows = len(frame)
    decisions = problem.decide(policy.answers, frame)
    if policy.is_refused.any():
        decisions = problem.leave_alone(decisions, policy.is_refused)
    moments = frame[spec.gold.decided_at].to_numpy("datetime64[us]")
    if spec.explanations:
        why = (
            pa.array(policy.reasons, pa.string()) if policy.reasons else pa.nulls(rows, pa.string())
        )
        told = {**told, "reasons": why}
    return pa.table(
        {
            spec.gold.key: pa.array(frame[spec.gold.key], pa.string()),
            spec.gold.decided_at: pa.array(moments, pa.timestamp("us")),
            "window": pa.array([window.key] * rows, pa.string()),
            "role": pa.array([policy.role] * rows, pa.string()),
            "version": pa.array([policy.version] * rows, pa.string()),
            **{name: pa.array(decisions[name]) for name in spec.costs.columns},
            "is_decision": policy.decides,
            **told,
        }
    )
