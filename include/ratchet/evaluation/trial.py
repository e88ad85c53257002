"""The gate on trial: candidates that are bad in a known way, better by a known amount, or equal.

Everything goes through the same `Holdout` and `judge` as a real candidate. A bad one is refused for
what is wrong with it: where its fault is in the answers, its stored model is taken for good, and
where its fault is elsewhere, it meets a champion that it would beat.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.ensemble import HistGradientBoostingClassifier

from ratchet.errors import EvidenceError
from ratchet.evaluation.bless import probe
from ratchet.evaluation.disturbing import measure_behaviour, measure_robustness
from ratchet.evaluation.evidence import (
    BehaviourTest,
    Blessing,
    Challenger,
    Champion,
    Disturbance,
    Evidence,
    Examination,
    Fold,
)
from ratchet.evaluation.examining import CALIBRATION_BINS
from ratchet.evaluation.folds import walk_forward
from ratchet.evaluation.gate import judge
from ratchet.evaluation.metrics import Quality, compare_metric, compare_on, days_of, measure
from ratchet.evaluation.slicing import measure_groups, measure_slices
from ratchet.problems import Answers, Problem, fitted, problem_of
from ratchet.problems.binary import Binary
from ratchet.spec import Spec
from ratchet.statistics import measure_calibration
from ratchet.training import Split, split
from ratchet.window import Window

Losses = NDArray[np.float64]

_BETWEEN_WEEKS = 0.2
"""Of the scale that costs what is worthwhile: models of two weeks differ as little as that."""
_LEAST = 1e-6
"""Probabilities are held this far from 0 and 1, where the logit has no value."""
_FITTED = 30_000
"""Rows that a bad candidate is fitted to at most: a month; hundreds are fitted."""
_MODEL = "trial"


@dataclass(frozen=True)
class Scene:
    """One window of a binary use case, with an honest model of it and all that was seen of that."""

    problem: Problem
    window: Window
    estimator: str
    train: pd.DataFrame
    rows: pd.DataFrame
    cut: datetime
    baselines: dict[str, tuple[Quality, Losses]]
    model: Any
    answers: Answers
    robustness: tuple[Disturbance, ...]
    behaviour: dict[str, BehaviourTest]
    folds: tuple[Fold, ...]
    blessing: Blessing

    @property
    def spec(self) -> Spec:
        """The use case."""
        return self.problem.spec

    @property
    def features(self) -> list[str]:
        """Columns that models read."""
        return list(self.spec.gold.features)

    @cached_property
    def days(self) -> NDArray[np.datetime64]:
        """UTC day of each row."""
        return days_of(self.rows, self.spec)

    @cached_property
    def best_baseline(self) -> str:
        """The cheapest one."""
        return min(self.baselines, key=lambda name: self.baselines[name][0].cost_per_unit)

    def fit(self, rows: pd.DataFrame, labels: pd.Series | None = None) -> Any:
        """Fit the scene's estimator."""
        target = rows[self.spec.gold.label] if labels is None else labels
        return _fit(self.problem, self.estimator, rows, target)


def stage(snapshot: pd.DataFrame, window: Window, problem: Problem) -> tuple[pd.DataFrame, Split]:
    """Return the rows that are known at a window's end, and their split, as for a training run."""
    label_known_at = snapshot[problem.spec.gold.label_known_at]
    known = snapshot[label_known_at <= window.end.replace(tzinfo=None)]
    return known, split(known, problem.spec, window)


def honest_model(problem: Problem, parts: Split, estimator: str) -> Any:
    """Fit one of the spec's estimators."""
    return _fit(problem, estimator, parts.train, parts.train[problem.spec.gold.label])


def set_scene(
    snapshot: pd.DataFrame,
    window: Window,
    problem: Problem,
    estimator: str,
    model: Any | None = None,
) -> Scene:
    """Split a snapshot as a training run of the window does, and look at an honest model.

    Parameters
    ----------
    estimator
        The only one that the scene's spec declares.
    model
        By default it is fitted.
    """
    problem = problem_of(only(problem.spec, estimator))
    known, parts = stage(snapshot, window, problem)
    rows, features = parts.holdout, list(problem.spec.gold.features)
    model = model or honest_model(problem, parts, estimator)
    answers = problem.answer(model, rows)
    return Scene(
        problem=problem,
        window=window,
        estimator=estimator,
        train=parts.train,
        rows=rows,
        cut=parts.cut,
        baselines={
            name: measure(problem, said, rows, name)
            for name, said in problem.baselines(known, parts.train, rows).items()
        },
        model=model,
        answers=answers,
        robustness=measure_robustness(problem, model, rows, features),
        behaviour=measure_behaviour(problem, model, rows, features),
        folds=tuple(walk_forward(problem, parts.train, parts.cut, estimator)),
        blessing=_bless(problem, model, rows, answers),
    )


def only(spec: Spec, estimator: str) -> Spec:
    """Return the spec as if it declared no other estimator."""
    estimators = {estimator: spec.training.estimators[estimator]}
    training = spec.training.model_copy(update={"estimators": estimators})
    return spec.model_copy(update={"training": training})


def _fit(problem: Problem, estimator: str, rows: pd.DataFrame, labels: pd.Series) -> Any:
    features = rows[list(problem.spec.gold.features)]
    return fitted(problem.estimator(estimator), features, problem.target(labels), None, estimator)


def _bless(problem: Problem, model: Any, rows: pd.DataFrame, answers: Answers) -> Blessing:
    """Bless a model in this process, whose memory says nothing of the model."""
    features = list(problem.spec.gold.features)
    try:
        found = probe(problem, model, rows, features, answers)
    except (EvidenceError, ValueError) as error:
        return Blessing(model_sha256=_MODEL, model_bytes=0, failure=str(error), other_versions={})
    found["peak_memory_mb"] = 0.0
    return Blessing(model_sha256=_MODEL, model_bytes=0, failure=None, other_versions={}, **found)


@dataclass(frozen=True)
class Outcome:
    """What the gate said to one candidate: promoted, or the clauses (or error) that refused it."""

    kind: str
    is_promoted: bool
    reasons: tuple[str, ...]


def blurred(
    answers: Answers, scene: Scene, scale: float, generator: np.random.Generator
) -> Answers:
    """Return answers with noise on their logits, half of it shared by all rows of a day."""
    days, day = np.unique(scene.days, return_inverse=True)
    shared = generator.normal(size=len(days))[day]
    noise = scale * (shared + generator.normal(size=len(answers))) / np.sqrt(2)
    return np.asarray(expit(logit(np.clip(answers, _LEAST, 1 - _LEAST)) + noise), np.float64)


def loss_by_blur(scenes: list[Scene], scale: float, draws: int, seed: int) -> float:
    """Return what noise of a scale costs per unit, on average over scenes and draws."""
    generator = np.random.default_rng(seed)
    found = []
    for scene in scenes:
        rows = scene.rows
        honest = scene.problem.losses(scene.answers, rows).mean()
        found += [
            scene.problem.losses(blurred(scene.answers, scene, scale, generator), rows).mean()
            - honest
            for _ in range(draws)
        ]
    return float(np.mean(found))


def scale_that_costs(scenes: list[Scene], cost: float, draws: int, seed: int) -> float:
    """Return the scale of noise that costs so much per unit, by bisection."""
    low, high = 0.0, 8.0
    for _ in range(12):
        middle = (low + high) / 2
        is_less = loss_by_blur(scenes, middle, draws, seed) < cost
        low, high = (middle, high) if is_less else (low, middle)
    return (low + high) / 2


def try_better(scene: Scene, scale: float, generator: np.random.Generator) -> Outcome:
    """Try an honest candidate against a champion that noise of a scale has made worse."""
    champion = blurred(scene.answers, scene, scale, generator)
    return _outcome("better", scene, lambda: _evidence(scene, champion, scene.answers))


def try_equal(scene: Scene, scale: float, generator: np.random.Generator) -> Outcome:
    """Try a candidate and a champion that differ by noise of the same law alone."""
    candidate, champion = (
        blurred(scene.answers, scene, _BETWEEN_WEEKS * scale, generator) for _ in range(2)
    )
    return _outcome("equal", scene, lambda: _evidence(scene, champion, candidate))


def try_bad(kind: str, scene: Scene, scale: float, generator: np.random.Generator) -> Outcome:
    """Try a candidate of one of the `BAD` kinds; `scale` is of the noise of a beaten champion."""
    return _outcome(kind, scene, lambda: BAD[kind](scene, scale, generator))


Trial = Callable[[Scene, float, np.random.Generator], Evidence]


def _outcome(kind: str, scene: Scene, plant: Callable[[], Evidence]) -> Outcome:
    try:
        decision = judge(plant(), scene.spec)
    except EvidenceError as error:
        return Outcome(kind, False, (f"no evidence: {error}",))
    reasons = tuple(clause.name for clause in decision.clauses if not clause.passed)
    return Outcome(kind, decision.verdict == "accepted", reasons)


def _judged(
    scene: Scene, champion: Answers, answers: Answers, model: Any, end: datetime | None = None
) -> Evidence:
    """Return the evidence of a candidate whose model does the behavioural tests as well."""
    behaviour = measure_behaviour(scene.problem, model, scene.rows, scene.features)
    return _evidence(replace(scene, behaviour=behaviour), champion, answers, end)


def _evidence(
    scene: Scene, champion: Answers, answers: Answers, end: datetime | None = None
) -> Evidence:
    """Return the evidence of answers against a champion of the week before."""
    before = scene.cut - timedelta(days=7)
    return evidence_of(scene, {scene.estimator: answers}, Rival("1", champion, before), end)


class Rival(NamedTuple):
    """A champion: its version, its answers to the scene's rows, and the end of its training."""

    version: str
    answers: Answers
    train_end: datetime


def evidence_of(
    scene: Scene,
    answered: Mapping[str, Answers],
    champion: Rival | None,
    end: datetime | None = None,
) -> Evidence:
    """Return the evidence of candidates, with what was seen of the scene's model beside it.

    Parameters
    ----------
    answered
        Answers by candidate; the scene's estimator is among them, and is taken for the best.
    end
        Of what the candidates have learned from; by default the scene's cut.

    Raises
    ------
    EvidenceError
        If there can be none.
    """
    problem, spec, rows = scene.problem, scene.spec, scene.rows
    labels = rows[spec.gold.label].to_numpy(bool)
    _, baseline = scene.baselines[scene.best_baseline]
    rival, champion_quality = baseline, None
    if champion:
        champion_quality, rival = measure(problem, champion.answers, rows, "the champion")
    gate, challengers = spec.gate, {}
    for name, answers in answered.items():
        quality, losses = measure(problem, answers, rows, "the candidate")
        challengers[name] = Challenger(
            model_sha256=_MODEL,
            quality=quality,
            train_metrics={},
            train_end=end or scene.cut,
            against_champion=compare_on(rows, losses, rival, spec, gate.max_regret_per_unit)
            if champion
            else None,
            against_baseline=compare_on(rows, losses, baseline, spec, -gate.min_saving_per_unit),
            metric_against_champion=compare_metric(problem, answers, champion.answers, rows)
            if champion
            else None,
        )
    answers = answered[scene.estimator]
    losses = problem.losses(answers, rows)
    whose = f"champion {champion.version}" if champion else scene.best_baseline
    examination = Examination(
        calibration=measure_calibration(answers, labels, scene.days, CALIBRATION_BINS),
        slices=measure_slices(problem, rows, answers, losses - rival, scene.days, whose),
        fairness=measure_groups(problem, rows, answers, losses - baseline, scene.days),
        robustness=scene.robustness,
        behaviour=scene.behaviour,
        folds=scene.folds,
        blessing=scene.blessing,
    )
    try:
        return Evidence(
            use_case=spec.name,
            window=scene.window.key,
            snapshot_id=_MODEL,
            holdout_start=scene.cut,
            holdout_rows=len(rows),
            holdout_days=len(np.unique(scene.days)),
            labels={},
            candidates=challengers,
            baselines={name: quality for name, (quality, _) in scene.baselines.items()},
            champion=Champion(
                version=champion.version, train_end=champion.train_end, quality=champion_quality
            )
            if champion and champion_quality
            else None,
            best=scene.estimator,
            best_baseline=scene.best_baseline,
            examination=examination,
        )
    except ValueError as error:
        raise EvidenceError(str(error)) from error


def _leaky(scene: Scene, scale: float, generator: np.random.Generator) -> Evidence:
    """Let the strongest number know the label as well as the delay at departure does."""
    gold = scene.spec.gold
    name = next(n for n, feature in gold.features.items() if feature.kind == "numeric")
    strength = generator.uniform(1.8, 4.0)  # a ROC-AUC from .90 by itself

    def leak(rows: pd.DataFrame) -> pd.DataFrame:
        noise = generator.normal(size=len(rows))
        return rows.assign(**{name: strength * rows[gold.label].to_numpy(np.float64) + noise})

    rows = leak(scene.rows)
    model = scene.fit(leak(_some(scene.train, generator)))
    champion = blurred(scene.answers, scene, scale, generator)
    leaking = replace(scene, rows=rows)
    return _judged(leaking, champion, scene.problem.answer(model, rows), model)


def _shuffled(scene: Scene, scale: float, generator: np.random.Generator) -> Evidence:
    """Fit to labels in any order."""
    rows = _some(scene.train, generator)
    labels = rows[scene.spec.gold.label]
    model = scene.fit(rows, labels.sample(frac=1, random_state=generator).set_axis(labels.index))
    champion = blurred(scene.answers, scene, scale, generator)
    return _judged(scene, champion, scene.problem.answer(model, scene.rows), model)


def _future(scene: Scene, scale: float, generator: np.random.Generator) -> Evidence:
    """Fit to labels of the holdout as well."""
    rows = pd.concat([_some(scene.train, generator), scene.rows])
    model = scene.fit(rows)
    champion = blurred(scene.answers, scene, scale, generator)
    answers = scene.problem.answer(model, scene.rows)
    return _judged(scene, champion, answers, model, scene.window.end)


def _stale(scene: Scene, scale: float, generator: np.random.Generator) -> Evidence:
    """Fit to labels that are at least as much older than the champion's as a holdout is long."""
    gold, days = scene.spec.gold, scene.spec.training.holdout_days
    end = scene.cut - timedelta(days=7 + days)
    old = scene.train[scene.train[gold.label_known_at] <= end.replace(tzinfo=None)]
    model = scene.fit(_some(old, generator))
    champion = blurred(scene.answers, scene, scale, generator)
    return _judged(scene, champion, scene.problem.answer(model, scene.rows), model, end)


def _broken_slice(scene: Scene, scale: float, generator: np.random.Generator) -> Evidence:
    """Answer nothing, or what concerns others, in one large level of a categorical key slice."""
    rows, features = scene.rows, scene.spec.gold.features
    names = [name for (name, *_) in scene.spec.evaluation.slices.columns]
    column = str(generator.choice([n for n in names if features[n].kind == "categorical"]))
    share = rows[column].value_counts(normalize=True)
    level = generator.choice(share.index[share >= 0.1].to_numpy())
    answers, inside = scene.answers.copy(), (rows[column] == level).to_numpy()
    anybodys = generator.permutation(answers[inside])
    answers[inside] = answers.min() if generator.random() < 0.5 else anybodys
    return _evidence(scene, blurred(scene.answers, scene, scale, generator), answers)


def _overfitted(scene: Scene, scale: float, generator: np.random.Generator) -> Evidence:
    """Let trees learn few rows by heart."""
    rows = _some(scene.train, generator, at_most=10_000)
    trees = HistGradientBoostingClassifier(
        max_leaf_nodes=255, min_samples_leaf=2, learning_rate=0.5, max_iter=40, random_state=1
    )
    numbers = [n for n, f in scene.spec.gold.features.items() if f.kind == "numeric"]
    model = trees.fit(rows[numbers], rows[scene.spec.gold.label])
    answers = model.predict_proba(scene.rows[numbers])[:, 1]
    return _evidence(scene, blurred(scene.answers, scene, scale, generator), answers)


def _miscalibrated(scene: Scene, scale: float, generator: np.random.Generator) -> Evidence:
    """Be two to four times as sure, though right on the same side of the threshold."""
    sure = generator.uniform(2.0, 4.0)
    assert isinstance(scene.problem, Binary)
    middle = logit(scene.problem.costs.threshold)
    x = logit(np.clip(scene.answers, _LEAST, 1 - _LEAST))
    answers = np.asarray(expit(middle + sure * (x - middle)), np.float64)
    return _evidence(scene, blurred(scene.answers, scene, scale, generator), answers)


def _gaps(scene: Scene, scale: float, generator: np.random.Generator) -> Evidence:
    """Answer NaN to one row in a thousand."""
    gone = generator.random(len(scene.answers)) < 0.001
    gone[generator.integers(len(gone))] = True
    answers = np.where(gone, np.nan, scene.answers)
    return _evidence(scene, blurred(scene.answers, scene, scale, generator), answers)


def _wrong_schema(scene: Scene, scale: float, generator: np.random.Generator) -> Evidence:
    """Store a model that was fitted to a column which nobody sends."""
    renamed = str(generator.choice(scene.features))
    numbers = scene.train[scene.features].select_dtypes("number")
    model = HistGradientBoostingClassifier(max_iter=5, random_state=1)
    model.fit(numbers.assign(**{f"{renamed}_v2": 0.0}), scene.train[scene.spec.gold.label])
    champion = blurred(scene.answers, scene, scale, generator)
    blessing = _bless(scene.problem, model, scene.rows, scene.answers)
    return _evidence(replace(scene, blessing=blessing), champion, scene.answers)


class _Slow:
    """A model that takes longer than allowed for one single row in ten."""

    def __init__(self, model: Any, seconds: float) -> None:
        self.model, self.seconds, self.asked = model, seconds, 0

    def predict_proba(self, frame: pd.DataFrame) -> Answers:
        self.asked += len(frame) == 1
        if len(frame) == 1 and self.asked % 10 == 0:
            time.sleep(self.seconds)
        return np.asarray(self.model.predict_proba(frame))


class _Nondeterministic:
    """A model that answers a little differently each time."""

    def __init__(self, model: Any, generator: np.random.Generator) -> None:
        self.model, self.generator = model, generator

    def predict_proba(self, frame: pd.DataFrame) -> Answers:
        found = np.asarray(self.model.predict_proba(frame))
        return np.clip(found + self.generator.uniform(-1e-9, 1e-9, found.shape), 0, 1)


def _slow(scene: Scene, scale: float, generator: np.random.Generator) -> Evidence:
    model = _Slow(scene.model, 1.1 * scene.spec.evaluation.serving.max_row_ms / 1000)
    champion = blurred(scene.answers, scene, scale, generator)
    blessing = _bless(scene.problem, model, scene.rows, scene.answers)
    return _evidence(replace(scene, blessing=blessing), champion, scene.answers)


def _nondeterministic(scene: Scene, scale: float, generator: np.random.Generator) -> Evidence:
    model = _Nondeterministic(scene.model, generator)
    champion = blurred(scene.answers, scene, scale, generator)
    blessing = _bless(scene.problem, model, scene.rows, scene.answers)
    return _evidence(replace(scene, blessing=blessing), champion, scene.answers)


def _constant(scene: Scene, scale: float, generator: np.random.Generator) -> Evidence:
    """Answer the share of the training rows, or something near it."""
    share = scene.train[scene.spec.gold.label].mean() * generator.uniform(0.8, 1.2)
    answers = np.full(len(scene.answers), share)
    return _evidence(scene, blurred(scene.answers, scene, scale, generator), answers)


def _some(
    rows: pd.DataFrame, generator: np.random.Generator, at_most: int = _FITTED
) -> pd.DataFrame:
    """Return four fifths of the rows or fewer, so that no two seeds fit the same model."""
    number = min(int(0.8 * len(rows)), at_most)
    chosen: NDArray[np.intp] = np.sort(generator.choice(len(rows), number, replace=False))
    return rows.iloc[chosen]


BAD: dict[str, Trial] = {
    "leaky": _leaky,
    "shuffled labels": _shuffled,
    "trained on the future": _future,
    "stale": _stale,
    "broken in one slice": _broken_slice,
    "overfitted": _overfitted,
    "miscalibrated": _miscalibrated,
    "NaN for some rows": _gaps,
    "wrong schema": _wrong_schema,
    "slow": _slow,
    "nondeterministic": _nondeterministic,
    "constant": _constant,
}
"""What a bad candidate can be, by name."""


def run_trial(
    scenes: list[Scene], scale: float, seeds: int, better: int, seed: int
) -> Iterator[Outcome]:
    """Try `seeds` candidates of every bad kind, and `better` each of better and equal ones.

    Parameters
    ----------
    scenes
        Seeds draw one of them each.
    scale
        Of the noise that makes a champion worse by the spec's worthwhile improvement; see
        `scale_that_costs`.
    """
    generator = np.random.default_rng(seed)

    def scene() -> Scene:
        return scenes[generator.integers(len(scenes))]

    for kind in BAD:
        for _ in range(seeds):
            yield try_bad(kind, scene(), scale, generator)
    for _ in range(better):
        yield try_better(scene(), scale, generator)
        yield try_equal(scene(), scale, generator)
