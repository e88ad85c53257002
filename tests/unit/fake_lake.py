"""A small lake whose every number a test can work out by hand."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pandas as pd

from ratchet.problems import Expectations, Problem, problem_of
from ratchet.settings import Lake, Settings
from ratchet.spec import Spec
from ratchet.window import Window

WEEKS = [
    Window.parse(f"{start}T0000--{end}T0000")
    for start, end in [
        ("2013-03-01", "2013-03-08"),
        ("2013-03-08", "2013-03-15"),
        ("2013-03-15", "2013-03-22"),
    ]
]


@dataclass
class FakeChampion:
    """What monitoring reads of a release."""

    version: str
    expected_cost_per_unit: float
    expectations: Expectations | None = None
    problem: Problem | None = None


@dataclass
class FakeLake:
    """Writes predictions; stands in for the warehouse's readers and the registry's champion."""

    spec: Spec
    settings: Settings
    outcomes: list[dict[str, object]] = field(default_factory=list)
    features: dict[str, pd.DataFrame] = field(default_factory=dict)
    champion: FakeChampion | None = None
    minutes_apart: float = 1.0

    @property
    def lake(self) -> Lake:
        return self.settings.lake(self.spec.name)

    def score(self, window: Window, answers: dict[str, list[float]], champion: str | None) -> None:
        """Write predictions: probabilities by role, in the order of the flights."""
        gold, costs = self.spec.gold, self.spec.costs
        decider = "champion" if champion else "rule"
        versions = {"champion": champion, "first": "1", "rule": "rule"}
        rows = []
        for role, probabilities in answers.items():
            for number, probability in enumerate(probabilities):
                acts = probability >= costs.threshold
                rows.append(
                    {
                        gold.key: self.key(window, number),
                        gold.decided_at: self.moment(window, number),
                        "window": window.key,
                        "role": role,
                        "version": versions[role],
                        "probability": probability,
                        "threshold": costs.threshold,
                        "is_acted": acts,
                        "is_decision": role == decider,
                        "cost_if_positive": costs.positive_acted_on
                        if acts
                        else costs.positive_left_alone,
                        "cost_if_negative": costs.negative_acted_on
                        if acts
                        else costs.negative_left_alone,
                    }
                )
        frame = pd.DataFrame(rows).sort_values([gold.key, "role"])
        self.lake.predictions.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(self.lake.predictions / f"{window.key}.parquet", index=False)

    def happen(
        self, window: Window, labels: list[bool], known_after: timedelta = timedelta()
    ) -> None:
        """Let the labels of a window's flights become known so long after its start."""
        gold = self.spec.gold
        for number, label in enumerate(labels):
            self.outcomes.append(
                {
                    gold.key: self.key(window, number),
                    gold.decided_at: self.moment(window, number),
                    gold.label: label,
                    gold.label_known_at: window.start.replace(tzinfo=None) + known_after,
                }
            )

    def happen_each(self, window: Window, labels: list[bool], known_after: timedelta) -> None:
        """Let each label become known so long after its own flight was decided on."""
        first = len(self.outcomes)
        self.happen(window, labels)
        for outcome in self.outcomes[first:]:
            decided_at = outcome[self.spec.gold.decided_at]
            assert isinstance(decided_at, datetime)
            outcome[self.spec.gold.label_known_at] = decided_at + known_after

    def key(self, window: Window, number: int) -> str:
        return f"{window.start:%m%d}-{number:05d}"

    def moment(self, window: Window, number: int) -> datetime:
        return window.start.replace(tzinfo=None) + timedelta(minutes=number * self.minutes_apart)

    def read_outcomes(
        self, spec: Spec, decided: Window, known_by: datetime, settings: Settings
    ) -> pd.DataFrame:
        gold = spec.gold
        columns = [gold.key, gold.decided_at, gold.label, gold.label_known_at]
        frame = pd.DataFrame(self.outcomes, columns=columns)
        frame[gold.label] = frame[gold.label].astype(bool)
        for moment in (gold.decided_at, gold.label_known_at):
            frame[moment] = pd.to_datetime(frame[moment])
        start, end, known = (
            bound.replace(tzinfo=None) for bound in (decided.start, decided.end, known_by)
        )
        decided_at, known_at = frame[gold.decided_at], frame[gold.label_known_at]
        return frame[(decided_at >= start) & (decided_at < end) & (known_at <= known)]

    def read_features(self, spec: Spec, window: Window, settings: Settings) -> pd.DataFrame:
        return self.features[window.key]

    def load_release(self, spec: Spec, version: str, settings: Settings) -> FakeChampion:
        assert self.champion
        assert self.champion.version == version
        return replace(self.champion, problem=problem_of(self.spec))

    def champion_at(self, spec: Spec, moment: datetime, settings: Settings) -> FakeChampion | None:
        return self.champion
