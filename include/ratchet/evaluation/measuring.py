"""Measuring candidates, baselines and the champion on the same later rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.errors import EvidenceError, RatchetError
from ratchet.evaluation.evidence import EVIDENCE_FILE, Challenger, Champion, Evidence, LoadCheck
from ratchet.evaluation.metrics import Difference, Quality, costs_of, difference, measure
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import write_atomic
from ratchet.training import (
    HOLDOUT_FILE,
    MODEL_FILE,
    answer,
    candidate_folder,
    load_candidate,
    load_model,
    split,
)
from ratchet.window import Window

Answers = NDArray[np.float64]


@dataclass(frozen=True)
class Holdout:
    """The rows that everything is measured on."""

    spec: Spec
    rows: pd.DataFrame

    def quality(self, answers: Answers, whose: str) -> Quality:
        """Measure answers to all rows."""
        return measure(answers, self.rows[self.spec.gold.label], self.spec.costs, whose)

    def difference(self, answers: Answers, other: Answers) -> Difference:
        """Compare the costs of two sets of answers."""
        gold = self.spec.gold
        costs, other_costs = (
            costs_of(each, self.rows[gold.label], self.spec.costs) for each in (answers, other)
        )
        return difference(costs, other_costs, self.rows[gold.decided_at])

    def rule(self) -> Answers:
        """Return the rule's answers; `quality` refuses them if one is missing."""
        column = self.spec.rule.column
        if column not in self.rows:
            raise EvidenceError(f"the snapshot has no column {column}, the rule's answers")
        return self.rows[column].to_numpy(np.float64)

    def answers_in_training(self, folder: Path) -> Answers:
        """Read what a candidate answered when it was trained."""
        stored = pd.read_parquet(folder / HOLDOUT_FILE)
        key = self.spec.gold.key
        if stored[key].tolist() != self.rows[key].tolist():
            raise EvidenceError(f"{folder / HOLDOUT_FILE} answers other rows; train it again")
        return stored["probability"].to_numpy(np.float64)

    def check_loaded(self, path: Path, answers: Answers) -> LoadCheck:
        """Read a model from disk and compare its answers with those in training."""
        features = list(self.spec.gold.features)
        try:
            model = load_model(path.read_bytes())
            loaded = answer(model, self.rows, features)
        except (RatchetError, OSError, ValueError):
            return LoadCheck(answers=False, refuses_missing_column=False, max_difference=None)
        return LoadCheck(
            answers=True,
            refuses_missing_column=_refuses(model, self.rows[features[1:]]),
            max_difference=float(np.abs(loaded - answers).max()),
        )


def _refuses(model: object, frame: pd.DataFrame) -> bool:
    try:
        model.predict_proba(frame)  # type: ignore[attr-defined]
    except ValueError:
        return True
    return False


def evaluate(spec: Spec, window: Window, snapshot_id: str, settings: Settings) -> Evidence:
    """Measure all candidates of a window, and write `evidence.json` to its work folder.

    All are measured on the rows decided in the last `training.holdout_days`: the candidates by
    their answers in training, two baselines (a constant and the rule), and the champion that
    decided in this window. A later promotion changes nothing, so running it again writes the same.

    Raises
    ------
    EvidenceError
        If a candidate is missing or was made of other data, the champion has seen labels of the
        holdout, or a number is missing or not finite.
    """
    from ratchet.registry import champion_at
    from ratchet.warehouse import load_snapshot

    parts = split(load_snapshot(spec, snapshot_id, settings), spec, window)
    holdout = Holdout(spec, parts.holdout)
    candidates = {
        name: load_candidate(spec, window, name, snapshot_id, settings)
        for name in spec.training.estimators
    }
    prior = float(parts.train[spec.gold.label].mean())
    baselines = {"constant": np.full(len(parts.holdout), prior), "rule": holdout.rule()}
    baseline_qualities = {name: holdout.quality(a, name) for name, a in baselines.items()}
    best_baseline = min(baselines, key=lambda name: baseline_qualities[name].cost_per_unit)
    release = champion_at(spec, window.start, settings)
    champion = release.answers(parts.holdout) if release else None
    challengers = {}
    for name, candidate in candidates.items():
        folder = candidate_folder(spec, window, name, settings)
        answers = holdout.answers_in_training(folder)
        challengers[name] = Challenger(
            model_sha256=hashlib.sha256((folder / MODEL_FILE).read_bytes()).hexdigest(),
            quality=holdout.quality(answers, f"candidate {name}"),
            train_end=candidate.train_end,
            against_champion=None if champion is None else holdout.difference(answers, champion),
            against_baseline=holdout.difference(answers, baselines[best_baseline]),
            when_loaded=holdout.check_loaded(folder / MODEL_FILE, answers),
        )
    try:
        evidence = Evidence(
            use_case=spec.name,
            window=window.key,
            snapshot_id=snapshot_id,
            holdout_start=parts.cut,
            holdout_rows=len(parts.holdout),
            positive_share=float(parts.holdout[spec.gold.label].mean()),
            candidates=challengers,
            baselines=baseline_qualities,
            champion=None
            if release is None or champion is None
            else Champion(
                version=release.version,
                train_end=release.candidate.train_end,
                quality=holdout.quality(champion, f"champion {release.version}"),
            ),
            best=min(challengers, key=lambda name: _rank(challengers[name].quality)),
            best_baseline=best_baseline,
        )
    except ValueError as error:
        raise EvidenceError(f"{spec.name} {window}: {error}") from error
    path = settings.lake(spec.name).work(window) / EVIDENCE_FILE
    write_atomic(path, evidence.model_dump_json(indent=1).encode())
    return evidence


def _rank(quality: Quality) -> tuple[float, float]:
    return quality.cost_per_unit, -quality.roc_auc
