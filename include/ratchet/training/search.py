"""Trying parameters, before the fit that counts: seeded, within a budget, and never on the holdout.

Whatever is tried is judged by what its decisions cost on earlier folds of the training rows. Each
trial is laid down when it is finished. So a search that was killed goes on where it was, with what
is left of its budget, and one that is done is not done again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat

from ratchet.errors import EvidenceError, TrainingError
from ratchet.problems import Problem, problem_of
from ratchet.spec import Spec
from ratchet.spec.types import Search, Span, Value
from ratchet.storage import write_atomic
from ratchet.training.folds import Fold, earlier_folds
from ratchet.training.weights import sample_weights

_LOG = logging.getLogger(__name__)
_DIGITS = 6  # of a number that is drawn: more only make it hard to read
_clock = time.perf_counter


class Trial(BaseModel):
    """Parameters that were tried, and what their decisions cost per unit; lower is better.

    Of what could not be fitted there is no cost, but `failure` says why.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    params: dict[str, Value]
    cost_per_unit: FiniteFloat | None = None
    failure: str | None = None


class Searched(BaseModel):
    """What came of a search.

    `trials` are in the order in which they were tried, the first one with the spec's own
    parameters; `best` is the position of the cheapest, of equals the first. Each was judged on
    `rows` rows of the folds that begin at `folds`. `ended_by` says which part of the budget ended
    it: if it was `seconds`, a faster machine would have tried more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trials: tuple[Trial, ...] = Field(min_length=1)
    best: int = Field(ge=0)
    folds: tuple[AwareDatetime, ...] = Field(min_length=1)
    rows: int = Field(gt=0)
    ended_by: Literal["trials", "seconds"]

    @property
    def params(self) -> dict[str, Value]:
        """The parameters that are fitted with."""
        return self.trials[self.best].params


def search(
    problem: Problem, estimator: str, train: pd.DataFrame, cut: datetime, key: str, kept: Path
) -> tuple[Searched, list[float]]:
    """Try an estimator's parameters as its `search` declares; return what came of it.

    Parameters
    ----------
    train
        The rows that the candidate is fitted on.
    cut
        Where they end (aware).
    key
        Names the rows. Trials of others, of another spec or of other libraries are not taken up.
    kept
        Folder of finished trials.

    Returns
    -------
    Searched, list of float
        And the seconds that each trial took, on whatever machine it was tried.

    Raises
    ------
    TrainingError
        If no fold can be made of the rows, or nothing that was drawn can be fitted.
    """
    spec = problem.spec
    where = f"{spec.name}: training.estimators.{estimator}"
    declared = spec.training.estimators[estimator].search
    assert declared is not None
    folds = list(earlier_folds(problem, train, cut, declared.folds, declared.fold_rows))
    if not folds:
        raise TrainingError(
            f"{where}: no fold of {spec.training.holdout_days} days can be made of the training "
            "rows to judge parameters on; give search.folds fewer, or wait for more rows"
        )
    folder = kept / _digest(spec, estimator, key)
    trials: list[Trial] = []
    seconds: list[float] = []
    wanted = list(candidates(spec, estimator))
    for number, params in enumerate(wanted):
        path = folder / f"{number:04d}.json"
        if (found := _stored(path, params)) is None:
            if sum(seconds) >= declared.seconds:
                break
            started = _clock()
            trial = _try(spec, estimator, params, folds)
            found = trial, round(_clock() - started, 3)
            content = {"trial": trial.model_dump(), "seconds": found[1]}
            write_atomic(path, json.dumps(content, indent=1).encode())
        trials.append(found[0])
        seconds.append(found[1])
        _tell(where, spec, trials, seconds, len(wanted), declared)
    searched = Searched(
        trials=tuple(trials),
        best=_best(trials, where),
        folds=tuple(fold.start for fold in folds),
        rows=sum(len(fold.rows) for fold in folds),
        ended_by="trials" if len(trials) == len(wanted) else "seconds",
    )
    return searched, seconds


def candidates(spec: Spec, estimator: str) -> Iterator[dict[str, Value]]:
    """Yield what is tried: the spec's own parameters first, then as many as are drawn.

    A space of lists alone is drawn from without repetition, and gives no more than it holds.
    """
    from sklearn.model_selection import ParameterSampler

    declared = spec.training.estimators[estimator]
    assert declared.search is not None
    yield dict(declared.params)
    space = {name: _distribution(each) for name, each in declared.search.space.items()}
    sampler = ParameterSampler(space, declared.search.trials - 1, random_state=spec.training.seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The total space of parameters", UserWarning)
        drawn = list(sampler)
    for values in drawn:
        chosen = {name: _value(each, values[name]) for name, each in declared.search.space.items()}
        yield {**declared.params, **chosen}


def _distribution(values: Span | Sequence[Value]) -> Any:
    from scipy.stats import loguniform, randint, uniform

    if not isinstance(values, Span):
        return list(values)
    if values.log:
        # a whole number has the room up to the next one
        return loguniform(values.low, values.high + 1 if values.is_whole else values.high)
    if values.is_whole:
        return randint(values.low, values.high + 1)
    return uniform(values.low, values.high - values.low)


def _value(values: Span | Sequence[Value], drawn: Any) -> Value:
    if not isinstance(values, Span):
        return drawn  # type: ignore[no-any-return]
    if values.is_whole:
        return min(int(drawn), int(values.high))
    return min(max(float(f"{drawn:.{_DIGITS}g}"), values.low), values.high)


def _try(spec: Spec, estimator: str, params: Mapping[str, Value], folds: Sequence[Fold]) -> Trial:
    problem = problem_of(spec.with_params(estimator, params))
    losses = []
    try:
        for fold in folds:
            weights = sample_weights(spec, fold.past, fold.start)
            note = f", at {fold.start:%Y-%m-%d}"
            model = problem.fit(estimator, fold.past, weights, note)
            losses.append(problem.losses(problem.answer(model, fold.rows), fold.rows))
    except (TrainingError, EvidenceError) as error:
        return Trial(params=dict(params), failure=str(error))
    return Trial(params=dict(params), cost_per_unit=float(np.concatenate(losses).mean()))


def _best(trials: Sequence[Trial], where: str) -> int:
    costs = [np.inf if each.cost_per_unit is None else each.cost_per_unit for each in trials]
    drawn = costs[1:]
    if not np.isfinite(costs).any() or (drawn and not np.isfinite(drawn).any()):
        failure = next(each.failure for each in reversed(trials) if each.failure)
        raise TrainingError(f"{where}: nothing of search.space can be fitted: {failure}")
    return int(np.argmin(costs))


def _digest(spec: Spec, estimator: str, key: str) -> str:
    told = json.dumps([spec.model_dump(mode="json"), estimator, key], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _stored(path: Path, params: Mapping[str, Value]) -> tuple[Trial, float] | None:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    trial = Trial.model_validate(found["trial"])
    return (trial, float(found["seconds"])) if trial.params == params else None


def _tell(
    where: str,
    spec: Spec,
    trials: Sequence[Trial],
    seconds: Sequence[float],
    wanted: int,
    declared: Search,
) -> None:
    last = trials[-1]
    known = [each.cost_per_unit for each in trials if each.cost_per_unit is not None]
    _LOG.info(
        "%s: trial %d of %d, %s: %s; best %s; %.1f of %g s",
        where,
        len(trials),
        wanted,
        ", ".join(f"{name} {value}" for name, value in last.params.items()),
        last.failure or f"{last.cost_per_unit:.4f} {spec.costs.unit} per {spec.gold.unit}",
        f"{min(known):.4f}" if known else "none yet",
        sum(seconds),
        declared.seconds,
    )
