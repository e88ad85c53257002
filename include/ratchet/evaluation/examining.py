"""Looking at the best candidate from all sides, once it is known which one that is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ratchet.errors import RatchetError
from ratchet.evaluation.blessing import bless_in_clean_process
from ratchet.evaluation.disturbing import measure_behaviour, measure_robustness
from ratchet.evaluation.evidence import BehaviourTest, Disturbance, Examination
from ratchet.evaluation.folds import walk_forward
from ratchet.evaluation.metrics import days_of
from ratchet.evaluation.slicing import measure_groups, measure_slices
from ratchet.explanations import Explanations, explain
from ratchet.problems import Answers, Problem, problem_of
from ratchet.statistics import Calibration, measure_calibration
from ratchet.training import MODEL_FILE, Candidate, Split, load_model

Losses = NDArray[np.float64]

CALIBRATION_BINS = 10
"""Deciles, as is customary."""
_UNANSWERED = (RatchetError, OSError, ValueError)


def examine(
    problem: Problem,
    parts: Split,
    candidate: Candidate,
    packaged: Path,
    answers: Answers,
    *,
    rival: tuple[str, Losses],
    baseline: Losses,
    kept: Path,
) -> tuple[Examination, Explanations | None]:
    """Measure all that is measured of the best candidate alone, and what its answers rest on.

    Of a model that gives no answers, nothing explains them.

    Parameters
    ----------
    packaged
        Its folder.
    answers
        What it answered to the holdout in training.
    rival
        Name of what it must not be worse than in any slice, and what each row costs under that.
    baseline
        What each row costs under the best baseline.
    kept
        Folder of blessings; see `bless_in_clean_process`.
    """
    spec, rows = problem.spec, parts.holdout
    days = days_of(rows, spec)
    losses = problem.losses(answers, rows)
    as_fitted = problem_of(spec.with_params(candidate.estimator, candidate.params))
    with ThreadPoolExecutor(1) as beside:  # it waits for a process that imports and answers
        blessing = beside.submit(bless_in_clean_process, spec, candidate, packaged, rows, kept)
        robustness, behaviour, explanations = _ask(problem, candidate, packaged, parts)
        examination = Examination(
            calibration=_calibration(problem, answers, parts, days),
            slices=measure_slices(problem, rows, answers, losses - rival[1], days, rival[0]),
            fairness=measure_groups(problem, rows, answers, losses - baseline, days),
            robustness=robustness,
            behaviour=behaviour,
            folds=tuple(walk_forward(as_fitted, parts.train, parts.cut, candidate.estimator)),
            blessing=blessing.result(),
        )
    return examination, explanations


def _calibration(
    problem: Problem, answers: Answers, parts: Split, days: NDArray[np.datetime64]
) -> Calibration | None:
    found = problem.probabilities(answers, parts.holdout[problem.spec.gold.label])
    if found is None:
        return None
    said, occurred = found
    return measure_calibration(said, occurred, days, CALIBRATION_BINS)


def _ask(
    problem: Problem, candidate: Candidate, packaged: Path, parts: Split
) -> tuple[tuple[Disturbance, ...], dict[str, BehaviourTest], Explanations | None]:
    """Ask the stored model; of one that does not answer, there is nothing to tell."""
    features = list(candidate.features)
    try:
        model = load_model((packaged / MODEL_FILE).read_bytes(), candidate.trusted_types)
        robustness = measure_robustness(problem, model, parts.holdout, features)
        behaviour = measure_behaviour(problem, model, parts.holdout, features)
    except _UNANSWERED:
        return (), {}, None
    try:
        return robustness, behaviour, explain(problem, model, parts.train, parts.holdout)
    except _UNANSWERED:
        return robustness, behaviour, None
