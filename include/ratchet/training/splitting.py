"""Which rows a candidate learns from, and which judge it. Time decides, not chance."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import pandas as pd

from ratchet.errors import EvidenceError, TrainingError
from ratchet.problems import problem_of
from ratchet.spec import Spec
from ratchet.window import Window


class Split(NamedTuple):
    """Rows to learn from, rows to be judged on, and the moment between them (aware)."""

    train: pd.DataFrame
    holdout: pd.DataFrame
    cut: datetime


def split(snapshot: pd.DataFrame, spec: Spec, window: Window) -> Split:
    """Split a snapshot at `training.holdout_days` before the window's end.

    Rows decided after the cut are the holdout. Rows are learned from only if their label was
    *known* at the cut: a row that was decided before it and matured after it is in neither part,
    since a model trained at that moment could not have seen it.

    Parameters
    ----------
    snapshot
        Rows whose labels were known by the window's end; moments are naive UTC.

    Raises
    ------
    TrainingError
        If a label is missing or impossible, fewer than `training.min_rows` rows can be learned
        from, or nothing can be from their labels.
    EvidenceError
        If there is no row to be judged on.
    """
    gold, training = spec.gold, spec.training
    _refuse_unreadable(spec, window, snapshot[gold.label])
    cut = window.end - timedelta(days=training.holdout_days)
    end, start = window.end.replace(tzinfo=None), cut.replace(tzinfo=None)
    decided, known = snapshot[gold.decided_at], snapshot[gold.label_known_at]
    train = _known_by(snapshot, spec, window, cut)
    holdout = snapshot[(decided >= start) & (decided < end) & (known <= end)]
    if len(train) < training.min_rows:
        raise TrainingError(
            f"{spec.name} {window}: {len(train):,} labels were known by {start}, "
            f"and training.min_rows is {training.min_rows:,}; wait for more"
        )
    if reason := problem_of(spec).why_untrainable(train[gold.label]):
        raise TrainingError(f"{spec.name} {window}: {reason}; there is nothing to learn")
    if holdout.empty:
        raise EvidenceError(
            f"{spec.name} {window}: the snapshot has no row decided from {start} to {end}; "
            "a candidate can't be judged"
        )
    return Split(train, holdout, cut)


def all_known(snapshot: pd.DataFrame, spec: Spec, window: Window) -> pd.DataFrame:
    """Return all rows that can be learned from at the window's end: the holdout is among them."""
    return _known_by(snapshot, spec, window, window.end)


def is_past(rows: pd.DataFrame, spec: Spec, moment: datetime) -> pd.Series:
    """Return which rows were decided before a moment (aware), with labels known by then.

    A label may be known at once: what is decided at the very moment is no past of it.
    """
    until = moment.replace(tzinfo=None)
    return (rows[spec.gold.label_known_at] <= until) & (rows[spec.gold.decided_at] < until)


def _refuse_unreadable(spec: Spec, window: Window, labels: pd.Series) -> None:
    where = f"{spec.name} {window}: gold.label: {spec.gold.label}"
    if missing := int(labels.isna().sum()):
        raise TrainingError(
            f"{where} is missing in {missing:,} rows of gold.{spec.gold.outcomes_table} that say "
            "when it became known; mend its SQL"
        )
    try:
        problem_of(spec).from_labels(labels)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"{where} can't be read: {error}; mend its SQL, or costs") from error


def _known_by(snapshot: pd.DataFrame, spec: Spec, window: Window, moment: datetime) -> pd.DataFrame:
    learned = is_past(snapshot, spec, moment)
    if earliest := spec.training.earliest_decision(window.end.replace(tzinfo=None)):
        learned &= snapshot[spec.gold.decided_at] >= earliest
    return snapshot[learned]
