"""Batch scoring."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ratchet.errors import EvidenceError
from ratchet.registry import champion_at, first_champion
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import atomic_path
from ratchet.window import Window


@dataclass(frozen=True)
class ScoreReport:
    """What was scored: decisions of the window, how many act, and which version decided."""

    window: str
    rows: int
    acted: int
    champion: str | None
    first: str | None
    path: Path


@dataclass(frozen=True)
class _Policy:
    role: str
    version: str
    probabilities: NDArray[np.float64]


def score(spec: Spec, window: Window, settings: Settings) -> ScoreReport:
    """Write the window's predictions: one row per decision and role, sorted by both.

    Roles are `champion`, the champion at the window's start; `first`, the first champion, frozen;
    and `rule`, which decides while there is no champion. Nothing in the file depends on when it
    is written.

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
    champion = champion_at(spec, window.start, settings)
    first = first_champion(spec, settings) if champion else None
    policies = [_Policy("rule", "rule", _rule(frame, spec))]
    if champion and first:
        answers = champion.answers(frame)
        frozen = answers if first.version == champion.version else first.answers(frame)
        policies += [
            _Policy("champion", champion.version, answers),
            _Policy("first", first.version, frozen),
        ]
    decider = policies[1 if champion else 0]
    predictions = pa.concat_tables(
        _table(policy, policy is decider, frame, spec, window) for policy in policies
    ).sort_by([(spec.gold.key, "ascending"), ("role", "ascending")])
    path = settings.lake(spec.name).predictions / f"{window.key}.parquet"
    with atomic_path(path) as draft:
        pq.write_table(predictions, draft)
    return ScoreReport(
        window=window.key,
        rows=len(frame),
        acted=int((decider.probabilities >= spec.costs.threshold).sum()),
        champion=champion.version if champion else None,
        first=first.version if first else None,
        path=path,
    )


def _rule(frame: pd.DataFrame, spec: Spec) -> NDArray[np.float64]:
    column = spec.rule.column
    if column not in frame:
        raise EvidenceError(f"{spec.gold.features_table} has no column {column}, the rule's answer")
    answers = frame[column].to_numpy(np.float64)
    if not np.isfinite(answers).all():
        raise EvidenceError(f"{spec.gold.features_table}.{column}: the rule's answer is missing")
    return answers


def _table(
    policy: _Policy, is_decision: bool, frame: pd.DataFrame, spec: Spec, window: Window
) -> pa.Table:
    rows, costs = len(frame), spec.costs
    acted = policy.probabilities >= costs.threshold
    moments = frame[spec.gold.decided_at].to_numpy("datetime64[us]")
    return pa.table(
        {
            spec.gold.key: pa.array(frame[spec.gold.key], pa.string()),
            spec.gold.decided_at: pa.array(moments, pa.timestamp("us")),
            "window": pa.array([window.key] * rows, pa.string()),
            "role": pa.array([policy.role] * rows, pa.string()),
            "version": pa.array([policy.version] * rows, pa.string()),
            "probability": policy.probabilities,
            "threshold": np.full(rows, costs.threshold),
            "is_acted": acted,
            "is_decision": np.full(rows, is_decision),
            "cost_if_positive": np.where(acted, costs.positive_acted_on, costs.positive_left_alone),
            "cost_if_negative": np.where(acted, costs.negative_acted_on, costs.negative_left_alone),
        }
    )
