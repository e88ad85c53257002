"""Measuring candidates, baselines and the champion on the same later rows."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.errors import EvidenceError
from ratchet.evaluation.evidence import EVIDENCE_FILE, Challenger, Champion, Evidence
from ratchet.evaluation.examining import examine
from ratchet.evaluation.metrics import Quality, compare_metric, compare_on, days_of, measure
from ratchet.explanations import EXPLANATIONS_FILE
from ratchet.problems import Answers, Problem, problem_of
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import write_atomic
from ratchet.training import (
    HOLDOUT_FILE,
    MODEL_FILE,
    candidate_folder,
    load_candidate,
    split,
)
from ratchet.window import Window


def evaluate(spec: Spec, window: Window, snapshot_id: str, settings: Settings) -> Evidence:
    """Measure all candidates of a window, and write `evidence.json` to its work folder.

    What the best one's answers rest on is written to its own folder, and so goes into a release.

    All are measured on the rows decided in the last `training.holdout_days`: the candidates by
    their answers in training, the baselines (a constant, persistence and the rule), and the
    champion that decided in this window, by the model that the gate judged of it: one that was
    fitted again since has learned from rows of this holdout. A later promotion changes nothing, so
    running it again writes the same.

    Raises
    ------
    EvidenceError
        If a candidate is missing or was made of other data, the champion has seen labels of the
        holdout, or a number is missing or not finite.
    """
    from ratchet.registry import champion_at
    from ratchet.warehouse import load_snapshot

    problem = problem_of(spec)
    snapshot = load_snapshot(spec, snapshot_id, settings)
    parts = split(snapshot, spec, window)
    rows = parts.holdout
    candidates = {
        name: load_candidate(spec, window, name, snapshot_id, settings)
        for name in spec.training.estimators
    }
    baselines: dict[str, Quality] = {}
    losses: dict[str, NDArray[np.float64]] = {}
    for name, answers in problem.baselines(snapshot, parts.train, rows).items():
        baselines[name], losses[name] = measure(problem, answers, rows, name)
    best_baseline = min(baselines, key=lambda name: baselines[name].cost_per_unit)
    release = champion_at(spec, window.start, settings)
    champion, champion_answers, champion_losses = None, None, None
    if release:
        whose = f"champion {release.version}"
        champion_answers = release.judged_answers(rows)
        quality, champion_losses = measure(problem, champion_answers, rows, whose)
        champion = Champion(
            version=release.version, train_end=release.judged_train_end, quality=quality
        )
    challengers, answered = {}, {}
    for name, candidate in candidates.items():
        folder = candidate_folder(spec, window, name, settings)
        answered[name] = _answers_in_training(problem, rows, folder)
        quality, costs = measure(problem, answered[name], rows, f"candidate {name}")
        challengers[name] = Challenger(
            model_sha256=hashlib.sha256((folder / MODEL_FILE).read_bytes()).hexdigest(),
            quality=quality,
            train_metrics=candidate.train_metrics,
            train_end=candidate.train_end,
            against_champion=None
            if champion_losses is None
            else compare_on(rows, costs, champion_losses, spec, spec.gate.max_regret_per_unit),
            against_baseline=compare_on(
                rows, costs, losses[best_baseline], spec, -spec.gate.min_saving_per_unit
            ),
            metric_against_champion=None
            if champion_answers is None
            else compare_metric(problem, answered[name], champion_answers, rows),
        )
    best = min(challengers, key=lambda name: _rank(challengers[name].quality, spec))
    rival = (best_baseline, losses[best_baseline])
    if release and champion_losses is not None:
        rival = (f"champion {release.version}", champion_losses)
    packaged = candidate_folder(spec, window, best, settings)
    examination, explanations = examine(
        problem,
        parts,
        candidates[best],
        packaged,
        answered[best],
        rival=rival,
        baseline=losses[best_baseline],
        kept=settings.lake(spec.name).work(window) / "blessings",
    )
    try:
        evidence = Evidence(
            use_case=spec.name,
            window=window.key,
            snapshot_id=snapshot_id,
            holdout_start=parts.cut,
            holdout_rows=len(rows),
            holdout_days=len(np.unique(days_of(rows, spec))),
            labels=problem.describe(rows[spec.gold.label]),
            candidates=challengers,
            baselines=baselines,
            champion=champion,
            best=best,
            best_baseline=best_baseline,
            examination=examination,
        )
    except ValueError as error:
        raise EvidenceError(f"{spec.name} {window}: {error}") from error
    if explanations:
        content = explanations.model_dump_json(indent=1).encode()
        write_atomic(packaged / EXPLANATIONS_FILE, content)
    path = settings.lake(spec.name).work(window) / EVIDENCE_FILE
    write_atomic(path, evidence.model_dump_json(indent=1).encode())
    return evidence


def _answers_in_training(problem: Problem, rows: pd.DataFrame, folder: Path) -> Answers:
    """Read what a candidate answered when it was trained."""
    stored = pd.read_parquet(folder / HOLDOUT_FILE)
    key = problem.spec.gold.key
    if stored[key].tolist() != rows[key].tolist():
        raise EvidenceError(f"{folder / HOLDOUT_FILE} answers other rows; train it again")
    return problem.answers_in(stored)


def _rank(quality: Quality, spec: Spec) -> tuple[float, float]:
    name, metric = spec.costs.leading
    leading = quality.metrics[name]
    return quality.cost_per_unit, -leading if metric.is_higher_better else leading
