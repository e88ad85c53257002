"""What a retraining policy would have cost, before it is switched on: published history, replayed.

Every policy is played through the same windows with the same models: what a window's training
would have given is fitted once and kept, whoever asks for it. Of the gate, the comparisons of costs
are played, with the best baseline and with the champion; of the reasons, those that labels tell.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.errors import EvidenceError, TrainingError
from ratchet.evaluation import compare
from ratchet.monitoring import Observation, Performance
from ratchet.problems import Problem, problem_of
from ratchet.retraining.policy import decide
from ratchet.retraining.record import Alarm, Outcome, Situation, Training
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.statistics import Comparison, compare_by_blocks, compare_by_cluster
from ratchet.storage import atomic_path
from ratchet.training import sample_weights, split
from ratchet.window import Window

Losses = NDArray[np.float64]

POLICIES = ("never", "monthly", "weekly", "declared", "oracle")
"""never: the first model stays. monthly, weekly: by the calendar. declared: what the spec says.
oracle: in each window the model that does best in it, of all trained before; nobody knows it."""

_MONTHLY_DAYS, _WEEKLY_DAYS = 28, 7
_CONFIDENCE = 0.95
_REPLICATES = 2000
_HOUR_S = 3600


@dataclass(frozen=True)
class Fit:
    """What training in one window gives: its best candidate, and what that costs from then on.

    `losses` are of all rows decided from `first` (a position) on. `baseline` and `holdout` are of
    the holdout's rows: costs of the best baseline, and positions.
    """

    window: Window
    estimator: str
    cut: datetime
    first: int
    losses: Losses
    holdout: NDArray[np.int64]
    baseline: Losses
    candidates: int
    seconds: float

    def costs(self, rows: NDArray[np.int64]) -> Losses:
        """Return its costs on rows, by their positions: none was decided before its cut."""
        return self.losses[rows - self.first]


@dataclass
class Played:
    """What became of one policy: costs row by row, and its trainings."""

    name: str
    losses: Losses
    age_days: Losses
    trainings: list[Training] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def promotions(self) -> int:
        """How many candidates passed the gate, or were switched to."""
        return sum(each.outcome == "won" for each in self.trainings)


@dataclass(frozen=True)
class Result:
    """One policy's figures: costs and regret per decision, with intervals of 95 %.

    `regret` is what it costs more than the oracle. `staleness_days` is the mean age of what the
    champion knew when it decided. `weekly` sums up the regret, at the end of each window.
    """

    name: str
    cost: Comparison
    regret: Comparison
    trainings: int
    promotions: int
    cpu_seconds: float
    staleness_days: float
    weekly: tuple[tuple[datetime, float], ...]


class Backtest:
    """A use case's published history, and what was fitted on it.

    Parameters
    ----------
    windows
        The first one trains the first model; costs count from the second one on.
    tell
        Called with what is going on.
    """

    def __init__(
        self,
        spec: Spec,
        windows: list[Window],
        settings: Settings,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        if len(windows) < 3:
            raise EvidenceError(
                f"{spec.name}: a backtest needs three windows or more, not {len(windows)}; widen it"
            )
        self.spec, self.windows, self.settings, self.tell = spec, windows, settings, tell
        self.problem: Problem = problem_of(spec)
        self._fits: dict[Window, Fit | None] = {}

    @cached_property
    def rows(self) -> pd.DataFrame:
        """All decisions of the history whose label is known, by moment and key."""
        from ratchet.warehouse import read_features, read_outcomes

        gold = self.spec.gold
        period = Window(self.windows[0].start, self.windows[-1].end)
        # labels are read as they are today: a late one is used from when it was known
        known = period.end + timedelta(days=self.spec.monitoring.label_wait_days)
        labels = read_outcomes(self.spec, period, known, self.settings)
        found = read_features(self.spec, period, self.settings).merge(
            labels.drop(columns=gold.decided_at), on=gold.key
        )
        if found.empty:
            raise EvidenceError(f"{self.spec.name}: no decision of {period} is published")
        return found

    @cached_property
    def moments(self) -> NDArray[np.datetime64]:
        """When each row was decided."""
        return self.rows[self.spec.gold.decided_at].to_numpy("datetime64[us]")

    @cached_property
    def known(self) -> NDArray[np.datetime64]:
        """When each label became known."""
        return self.rows[self.spec.gold.label_known_at].to_numpy("datetime64[us]")

    def rows_of(self, window: Window) -> NDArray[np.int64]:
        """Return the positions of what was decided in a window."""
        start, end = (np.searchsorted(self.moments, _naive(b)) for b in (window.start, window.end))
        return np.arange(start, end)

    @cached_property
    def counted(self) -> NDArray[np.int64]:
        """Positions of what counts: all but the first window."""
        return self.rows_of(Window(self.windows[1].start, self.windows[-1].end))

    def fit(self, window: Window) -> Fit | None:
        """Return what training at a window's end gives; None if nothing can be trained then."""
        if window not in self._fits:
            path = self._kept / f"{window.key}.npz"
            if not path.exists():
                self.tell(f"training as of {window.end:%Y-%m-%d}")
                trained: dict[str, Any] = self._train(window)
                with atomic_path(path) as draft, draft.open("wb") as file:
                    np.savez_compressed(file, **trained)
            self._fits[window] = _read_fit(path, window)
        return self._fits[window]

    def play(self, name: str) -> Played:
        """Play a policy through all windows."""
        self.tell(f"playing {name}")
        return self._play_oracle() if name == "oracle" else _Player(self, name).play()

    def _play_oracle(self) -> Played:
        fits: list[Fit] = []
        rows = len(self.rows)
        played = Played("oracle", np.zeros(rows), np.zeros(rows))
        champion: Fit | None = None
        for before, window in zip(self.windows, self.windows[1:], strict=False):
            fits += [fit] if (fit := self.fit(before)) else []
            own = self.rows_of(window)
            best = min(fits, key=lambda fit: float(fit.costs(own).sum()), default=None)
            if best is not None and best is not champion:
                played.trainings.append(_training(best.window, "hindsight", "won", best))
            champion = best
            _decide(self, played, champion, own)
        played.seconds = sum(fit.seconds for fit in fits)
        return played

    def results(self) -> list[Result]:
        """Play all policies, and put them beside the oracle."""
        played = {name: self.play(name) for name in POLICIES}
        best = played["oracle"].losses[self.counted]
        return [self._result(each, best) for each in played.values()]

    def _result(self, played: Played, best: Losses) -> Result:
        own = played.losses[self.counted]
        ends = [window.end for window in self.windows[1:]]
        lost = np.concatenate([[0.0], np.cumsum(own - best)])
        decided = self.moments[self.counted]
        return Result(
            name=played.name,
            cost=self._mean(own),
            regret=self._mean(own - best),
            trainings=len(played.trainings),
            promotions=played.promotions,
            cpu_seconds=played.seconds,
            staleness_days=float(played.age_days[self.counted].mean()),
            weekly=tuple((end, float(lost[np.searchsorted(decided, _naive(end))])) for end in ends),
        )

    def _mean(self, losses: Losses) -> Comparison:
        return compare_by_blocks(
            losses,
            self.moments[self.counted].astype("datetime64[D]"),
            margin=0.0,
            confidence=_CONFIDENCE,
            replicates=_REPLICATES,
            seed=self.spec.training.seed,
        )

    @cached_property
    def _kept(self) -> Path:
        """Folder of fits: named by all that they rest on."""
        spec = self.spec
        told = {
            name: getattr(spec, name).model_dump(mode="json")
            for name in ("gold", "costs", "rule", "training")
        }
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
        digest.update(pd.util.hash_pandas_object(self.rows, index=False).to_numpy().tobytes())
        folder = self.settings.lake(spec.name).root / "backtest" / digest.hexdigest()[:12]
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _train(self, window: Window) -> dict[str, Any]:
        from ratchet.warehouse import read_training_rows

        spec, problem = self.spec, self.problem
        snapshot = read_training_rows(spec, window, self.settings)
        try:
            parts = split(snapshot, spec, window)
        except (TrainingError, EvidenceError):
            return {"estimator": ""}
        key = spec.gold.key
        holdout = pd.Index(self.rows[key]).get_indexer(parts.holdout[key])
        parts = parts._replace(holdout=parts.holdout[holdout >= 0])
        holdout = holdout[holdout >= 0]
        first = int(np.searchsorted(self.moments, _naive(parts.cut)))
        later = self.rows.iloc[first:]
        weights = sample_weights(spec, parts.train, parts.cut)
        started = time.process_time()
        judged: dict[str, float] = {}
        models: dict[str, Any] = {}
        for name in spec.training.estimators:
            models[name] = problem.fit(name, parts.train, weights)
            answers = problem.answer(models[name], parts.holdout)
            judged[name] = float(problem.losses(answers, parts.holdout).sum())
        seconds = time.process_time() - started
        best = min(judged, key=judged.__getitem__)
        baselines = [
            problem.losses(answers, parts.holdout)
            for answers in problem.baselines(snapshot, parts.train, parts.holdout).values()
        ]
        return {
            "estimator": best,
            "cut": _naive(parts.cut),
            "first": first,
            "losses": problem.losses(problem.answer(models[best], later), later),
            "holdout": holdout,
            "baseline": min(baselines, key=lambda each: float(each.sum())),
            "candidates": len(models),
            "seconds": seconds,
        }


class _Player:
    """One policy on its way through the windows."""

    def __init__(self, backtest: Backtest, name: str) -> None:
        self.test, self.spec, self.name = backtest, backtest.spec, name
        rows = len(backtest.rows)
        self.played = Played(name, np.zeros(rows), np.zeros(rows))
        self.champion: Fit | None = None
        self.last: Window | None = None

    def play(self) -> Played:
        """Decide each window with the champion of its beginning, then do what the policy asks."""
        for number, window in enumerate(self.test.windows):
            if number:
                _decide(self.test, self.played, self.champion, self.test.rows_of(window))
            is_last = window == self.test.windows[-1]
            if not is_last and (reason := self._asks(window)):
                self._train(window, reason)
        return self.played

    def _asks(self, window: Window) -> str | None:
        if self.champion is None:
            return "first_model"
        if self.name == "declared":
            decision = decide(self._situation(window), self.spec)
            return str(decision.evidence["reason"]) if decision.verdict == "requested" else None
        every = {"monthly": _MONTHLY_DAYS, "weekly": _WEEKLY_DAYS}.get(self.name)
        if every is None or self.last is None:
            return None
        return "schedule" if window.end - self.last.end >= timedelta(days=every) else None

    def _train(self, window: Window, reason: str) -> None:
        self.last = window
        fit = self.test.fit(window)
        if fit is None:
            self.played.trainings.append(_training(window, reason, "untrained", None))
            return
        passed = _passes(fit, self.champion, self.test)
        self.played.trainings.append(_training(window, reason, "won" if passed else "lost", fit))
        self.played.seconds += fit.seconds
        if passed:
            self.champion = fit

    def _situation(self, window: Window) -> Situation:
        gold, known, by = self.spec.gold, self.test.known, _naive(window.end)
        matured = known <= by
        new = matured if self.last is None else matured & (known > _naive(self.last.end))
        labels = self.test.rows[gold.label].to_numpy()[matured]
        is_class = self.spec.costs.label_type != "double"
        realised, alarms = self._realised(window)
        champion = self.champion
        assert champion is not None
        return Situation(
            observation=Observation(
                use_case=self.spec.name,
                window=window.key,
                champion=champion.window.key,
                expected_cost_per_unit=_expected(champion),
                realised=realised,
                last_training=self.last.key if self.last else None,
                new_labels=int(new.sum()),
            ),
            alarms=alarms,
            matured_labels=len(labels),
            rare_labels=int(pd.Series(labels).value_counts().min()) if is_class else None,
            past=tuple(self.played.trainings),
        )

    def _realised(self, window: Window) -> tuple[Performance | None, tuple[Alarm, ...]]:
        """Measure the newest window whose labels are in, if the champion decided all of it."""
        spec, champion = self.spec, self.champion
        assert champion is not None
        wait = timedelta(days=spec.monitoring.label_wait_days)
        mature = [
            each
            for each in self.test.windows[1:]
            if each.end + wait <= window.end and each.start >= champion.window.end
        ]
        if not mature:
            return None, ()
        cohort = max(mature)
        rows = self.test.rows_of(cohort)
        losses, expected = champion.costs(rows), _expected(champion)
        mean, limit = float(losses.mean()), spec.retraining.max_cost_increase_per_unit
        realised = Performance(
            window=cohort.key,
            policy="decision",
            version=champion.window.key,
            total=len(rows),
            labelled=len(rows),
            total_cost=float(losses.sum()),
            cost_per_unit=mean,
            metrics={},
        )
        days = self.test.moments[rows].astype("datetime64[D]")
        found = compare_by_cluster(expected - losses, days, margin=0.0, confidence=_CONFIDENCE)
        is_found = found.p_value <= spec.alerts.false_discovery_rate and mean - expected >= limit
        if not is_found:
            return realised, ()
        alarm = Alarm(
            reason="realised_performance",
            name="performance.cost",
            effect=mean - expected,
            floor=limit,
            unit=spec.costs.unit,
            text=f"It costs {mean - expected:.2f} more than at its gate.",
        )
        return realised, (alarm,)


def _passes(fit: Fit, champion: Fit | None, test: Backtest) -> bool:
    """Whether a candidate is proven better than the best baseline and the champion."""
    gate = test.spec.gate
    moments = pd.Series(test.moments[fit.holdout])
    costs = fit.costs(fit.holdout)
    rivals = [(fit.baseline, -gate.min_saving_per_unit)]
    if champion is not None:
        rivals.append((champion.costs(fit.holdout), gate.max_regret_per_unit))
    return all(
        compare(costs, rival, moments, test.spec, margin).p_value * fit.candidates
        <= gate.comparison.level
        for rival, margin in rivals
    )


def _decide(test: Backtest, played: Played, champion: Fit | None, rows: NDArray[np.int64]) -> None:
    """Let the champion decide rows, or the rule while there is none."""
    if champion is None:
        frame = test.rows.iloc[rows]
        played.losses[rows] = test.problem.losses(test.problem.rule(frame), frame)
        return
    played.losses[rows] = champion.costs(rows)
    ages = test.moments[rows] - _naive(champion.cut)
    played.age_days[rows] = ages / np.timedelta64(1, "D")


def _expected(fit: Fit) -> float:
    return float(fit.costs(fit.holdout).mean())


def _training(window: Window, reason: str, outcome: Outcome, fit: Fit | None) -> Training:
    return Training(
        request=window.key,
        window=window.key,
        reason=reason,
        trained=window.key,
        outcome=outcome,
        cpu_h=fit.seconds / _HOUR_S if fit else 0.0,
    )


def _read_fit(path: Path, window: Window) -> Fit | None:
    with np.load(path) as kept:
        if not str(kept["estimator"]):
            return None
        return Fit(
            window=window,
            estimator=str(kept["estimator"]),
            cut=kept["cut"].item().replace(tzinfo=UTC),
            first=int(kept["first"]),
            losses=kept["losses"],
            holdout=kept["holdout"],
            baseline=kept["baseline"],
            candidates=int(kept["candidates"]),
            seconds=float(kept["seconds"]),
        )


def published_until(spec: Spec, settings: Settings) -> datetime:
    """Return the moment up to which labels are published (aware).

    Raises
    ------
    BuildError
        If nothing is published.
    EvidenceError
        If no label is.
    """
    from ratchet.warehouse import read_published

    gold = spec.gold
    query = f"select max({gold.label_known_at}) as moment from gold.{gold.outcomes_table}"  # noqa: S608
    (moment,) = read_published(spec, settings, query, [])["moment"]
    if pd.isna(moment):
        raise EvidenceError(f"{spec.name}: no label is published; build and publish windows first")
    return datetime.fromisoformat(moment.isoformat()).replace(tzinfo=UTC)


def windows_between(
    windows: Iterable[Window], start: datetime | None, end: datetime
) -> list[Window]:
    """Return the windows of a backtest, without those that begin at `end` or later.

    Those that end at `start` or before are one, the first.

    Parameters
    ----------
    windows
        A use case's, in order.
    start, end
        Aware; without a start, the first window stays what it is.
    """
    found: list[Window] = []
    for window in windows:
        if window.start >= end:
            break
        if found and start is not None and window.end <= start:
            found = [Window(found[0].start, window.end)]
        else:
            found.append(window)
    return found


def _naive(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.replace(tzinfo=None).isoformat(), "us")
