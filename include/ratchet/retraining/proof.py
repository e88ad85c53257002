"""Whether a retraining would have helped: a model fitted now against the champion."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd

from ratchet.errors import EvidenceError, TrainingError
from ratchet.evaluation import compare
from ratchet.monitoring import Observation
from ratchet.problems import problem_of
from ratchet.retraining.record import Proof
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window


def prove(spec: Spec, window: Window, observation: Observation, settings: Settings) -> Proof | None:
    """Fit the champion's estimator on what was known before the newest mature cohort; compare them.

    It is quick, as it learns from the last `evaluation.fold_rows` rows only, as the gate's folds
    do: where even that beats the champion, a whole training would.

    Returns
    -------
    Proof, or None where nothing can be said: no cohort of the champion is mature, or there is too
    little to fit.
    """
    from ratchet.registry import champion_at
    from ratchet.warehouse import read_features, read_outcomes

    champion = champion_at(spec, window.start, settings)
    cohort = observation.realised.window if observation.realised else None
    if champion is None or cohort is None:
        return None
    gold, problem, judged = spec.gold, problem_of(spec), Window.parse(cohort)
    estimator = champion.candidate.estimator
    if estimator not in spec.training.estimators:
        return None

    def rows_of(decided: Window, known_by: Window) -> pd.DataFrame:
        labels = read_outcomes(spec, decided, known_by.end, settings)
        features = read_features(spec, decided, settings)
        return features.merge(labels.drop(columns=gold.decided_at), on=gold.key)

    days = _days_of(spec.evaluation.fold_rows, observation, judged)
    since = max(judged.start - timedelta(days=days), spec.schedule.history_start)
    before = Window(since, judged.start)
    train = rows_of(before, before).tail(spec.evaluation.fold_rows)
    rows = rows_of(judged, window)
    if problem.why_untrainable(train[gold.label]) or rows.empty:
        return None
    try:
        model = problem.fit(estimator, train, None)
        found = compare(
            problem.losses(problem.answer(model, rows), rows),
            champion.problem.losses(champion.answers(rows), rows),
            rows[gold.decided_at],
            spec,
            0.0,
        )
    except (EvidenceError, TrainingError):
        return None
    return Proof(cohort=cohort, estimator=estimator, train_rows=len(train), comparison=found)


def _days_of(rows: int, observation: Observation, cohort: Window) -> int:
    """Return in how many days so many rows come in, with some to spare."""
    assert observation.realised is not None
    return int(1.5 * rows / max(observation.realised.total / cohort.days, 1)) + 1
