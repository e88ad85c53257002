"""What a release decision rests on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, Literal, Self, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from ratchet.errors import EvidenceError
from ratchet.evaluation.metrics import Quality
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.spec.types import Behaviour, Canary, Direction
from ratchet.statistics import Calibration, Comparison, SliceDifference, SliceMean
from ratchet.window import Window

EVIDENCE_FILE = "evidence.json"
SHOWN = 10
"""Slices that are kept of those that were searched, worst first."""

How = Literal["permuted", "missing", "out_of_range"]
Outcome = Literal["answered", "refused", "impossible"]
DISTURBANCES: tuple[How, ...] = get_args(How)


class Record(BaseModel):
    """Base of all parts of the evidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Refusals(Record):
    """Which requests the packaged model refused, of those that it must refuse.

    None has a meaning of its own: a model that answers them would answer from what it was never
    given. An unknown column beside the features is no fault, and must be ignored.
    """

    missing_column: bool
    wrong_type: bool
    no_rows: bool

    @property
    def answered(self) -> tuple[str, ...]:
        """Names of the requests that it answered all the same."""
        return tuple(name for name, refused in self if not refused)


class Blessing(Record):
    """What the packaged model did in a clean process, as a deployed one would.

    Where the process failed, `failure` says how, and the rest is as bad as can be: nothing was
    answered. `other_versions` maps each library that is not of the version that the model was made
    with to what is installed. `max_difference` is the largest between a number of an answer in
    training and there (segments: the share that differ). `is_repeatable` says whether it answered
    the same bits twice, and but for rounding the same to a row alone and to rows in another order;
    `ignores_unknown` says whether an unknown column changed nothing. Latencies in
    milliseconds are of one row, and of `batch_rows` rows at once; `peak_memory_mb` is that of the
    whole process.

    Latency and memory are measured once per model and installation, so that a window that is
    evaluated again has the same evidence.
    """

    model_sha256: str
    model_bytes: int = Field(ge=0)
    failure: str | None
    other_versions: dict[str, str]
    max_difference: FiniteFloat | None = None
    is_repeatable: bool = False
    ignores_unknown: bool = False
    refuses: Refusals = Refusals(missing_column=False, wrong_type=False, no_rows=False)
    row_p50_ms: FiniteFloat | None = None
    row_p95_ms: FiniteFloat | None = None
    batch_rows: int = 0
    batch_p50_ms: FiniteFloat | None = None
    batch_p95_ms: FiniteFloat | None = None
    peak_memory_mb: FiniteFloat | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        measured = (self.max_difference, self.row_p95_ms, self.batch_p95_ms, self.peak_memory_mb)
        if self.failure is None and any(number is None for number in measured):
            raise ValueError("the blessing did not fail, and lacks a number")
        return self


class Slices(Record):
    """Where the candidate costs more than `rival`: the champion, or else the best baseline.

    `declared` are the slices of `evaluation.slices`, `found` the worst of all others: of each
    feature's levels or bins, and of each pair of features of which one is categorical. Worst first,
    both; errors are controlled in each of the two families by itself. `searched` counts the
    second. `metrics` is the candidate's leading metric on each of the declared slices by itself,
    worst first; there are none where it is no mean over rows.
    """

    rival: str
    declared: tuple[SliceDifference, ...]
    found: tuple[SliceDifference, ...]
    searched: int = Field(ge=0)
    metrics: tuple[SliceMean, ...] = ()

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if len(self.found) < min(self.searched, SHOWN):
            raise ValueError(
                f"the worst of {self.searched:,} slices that were searched are missing"
            )
        return self


class Rate(Record):
    """What a group's decisions are like on average, and how far that is from all others'.

    `low` and `high` bound the difference with a confidence of 95 %, days being independent.
    """

    value: FiniteFloat
    difference: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat


class Group(Record):
    """One of the groups that `evaluation.fairness` declares.

    `rates` are what the kind of problem tells of a decision, by name, with the cost per unit; there
    are none where the holdout has no other group.
    `against_baseline` compares what the group costs with what it would under the best baseline.
    """

    rates: dict[str, Rate]
    against_baseline: SliceDifference


class Disturbance(Record):
    """What answers cost more, per decision, where one feature is not what it should be.

    Of models that refuse such rows, or give an impossible answer, there is no cost.
    """

    feature: str
    how: How
    outcome: Outcome
    cost_increase: FiniteFloat | None


class BehaviourTest(Record):
    """What a test of `evaluation.behaviour` observed on so many rows, and what it requires.

    A number must be from `least` to `most`, both included; a text must be one of `among`.
    `observed` is None if the model refused.
    """

    rows: int = Field(gt=0)
    observed: FiniteFloat | str | None
    least: FiniteFloat | None = None
    most: FiniteFloat | None = None
    among: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the requirement is met."""
        if isinstance(self.observed, str):
            return self.observed in self.among
        if self.observed is None or self.least is None or self.most is None:
            return False
        return self.least <= self.observed <= self.most


def required_of(declared: Behaviour) -> dict[str, Any]:
    """Return the fields of a `BehaviourTest` that say what a declared one requires."""
    if isinstance(declared, Canary):
        return {"least": declared.least, "most": declared.most, "among": declared.among or ()}
    if isinstance(declared, Direction):
        return {"least": declared.least, "most": declared.most, "among": ()}
    return {"least": 0.0, "most": declared.max_change, "among": ()}


class Fold(Record):
    """An earlier time: the best candidate's estimator, fitted on what was known then.

    Measured on the rows decided from `start` to `end`, on which the holdout's models were fitted.
    `saving` is the mean cost per decision below that of the best baseline.
    """

    start: AwareDatetime
    end: AwareDatetime
    train_rows: int = Field(gt=0)
    quality: Quality
    saving: FiniteFloat


class Examination(Record):
    """All that is measured of the best candidate alone.

    `calibration` is None where the kind of problem has no probabilities. `fairness` has groups by
    column and level, as `column=level`.
    """

    calibration: Calibration | None
    slices: Slices
    fairness: dict[str, Group]
    robustness: tuple[Disturbance, ...]
    behaviour: dict[str, BehaviourTest]
    folds: tuple[Fold, ...]
    blessing: Blessing


class Challenger(Record):
    """A candidate on the holdout; comparisons are of its cost less the other's.

    `train_metrics` were measured on the last of the rows that it was fitted on. The third
    comparison is of the leading metric, and below 0 as well where the candidate is better; None
    without a champion, and where the metric is no mean over rows.
    """

    model_sha256: str
    quality: Quality
    train_metrics: dict[str, FiniteFloat]
    train_end: AwareDatetime
    against_champion: Comparison | None
    against_baseline: Comparison
    metric_against_champion: Comparison | None = None


class Champion(Record):
    """The champion of the moment, on the same rows as the candidates."""

    version: str
    train_end: AwareDatetime
    quality: Quality


class Evidence(Record):
    """Everything measured about the candidates of one training run, on the same later rows.

    `best` names the candidate that is cheapest on the holdout (of equals, the one with the better
    leading metric of its kind of problem), `best_baseline` the cheapest baseline; `examination` is
    of `best`. `labels` sums up those of the holdout.
    """

    use_case: str
    window: str
    snapshot_id: str
    holdout_start: AwareDatetime
    holdout_rows: int = Field(gt=0)
    holdout_days: int = Field(gt=0)
    labels: dict[str, FiniteFloat]
    candidates: dict[str, Challenger] = Field(min_length=1)
    baselines: dict[str, Quality] = Field(min_length=1)
    champion: Champion | None
    best: str
    best_baseline: str
    examination: Examination

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.best not in self.candidates or self.best_baseline not in self.baselines:
            raise ValueError("best and best_baseline must name what was measured")
        measured = [c.quality for c in self.candidates.values()] + list(self.baselines.values())
        measured += [self.champion.quality] if self.champion else []
        if any(quality.rows != self.holdout_rows for quality in measured):
            raise ValueError("not everything was measured on the same rows")
        compared = {c.against_champion is not None for c in self.candidates.values()}
        if compared != {self.champion is not None}:
            raise ValueError("each candidate is compared with the champion, if there is one")
        trained = [c.train_end for c in self.candidates.values()]
        trained += [self.champion.train_end] if self.champion else []
        if any(end > self.holdout_start for end in trained):
            raise ValueError("a model has seen labels of the holdout: its training ended later")
        if self.examination.blessing.model_sha256 != self.candidates[self.best].model_sha256:
            raise ValueError("another model than the best candidate's was examined")
        return self

    def holes(self, spec: Spec) -> tuple[str, ...]:
        """Name what the spec declares and nobody measured, as fields of the spec."""
        metric, bounds = spec.leading_bounds
        holes = [
            f"training.estimators.{name}"
            for name in spec.training.estimators
            if name not in self.candidates  # the fewer are counted, the less is asked of the best
        ]
        holes += _holes(self.examination, spec)
        against = self.candidates[self.best].metric_against_champion
        if self.champion and bounds and bounds.max_regret is not None and against is None:
            holes.append(f"{metric} against the champion")
        return tuple(holes)


def _holes(found: Examination, spec: Spec) -> Iterator[str]:
    declared = spec.evaluation
    if spec.costs.has_probabilities and found.calibration is None:
        yield "calibration"
    for part, guard, measured in (
        ("slices", declared.slices, found.slices.declared),
        (
            "fairness",
            declared.fairness,
            [each.against_baseline for each in found.fairness.values()],
        ),
    ):
        names = map(column_name, guard.columns if guard else ())
        columns = {each.column for each in measured}
        yield from (f"evaluation.{part}: {name}" for name in names if name not in columns)
    if spec.worst_in_slice is not None:
        measured_on = {each.column for each in found.slices.metrics}
        names = map(column_name, declared.slices.columns)
        yield from (
            f"evaluation.slices: {name} by {spec.costs.leading[0]}"
            for name in names
            if name not in measured_on
        )
    disturbed = {(each.feature, each.how) for each in found.robustness}
    for feature, how in product(spec.gold.features, DISTURBANCES):
        if (feature, how) not in disturbed:
            yield f"{feature} {how.replace('_', ' ')}"
    for name in declared.behaviour.keys() - found.behaviour.keys():
        yield f"evaluation.behaviour.{name}"
    if len(found.folds) < declared.folds:
        yield f"{declared.folds - len(found.folds)} of evaluation.folds"


def column_name(columns: tuple[str, ...]) -> str:
    """Return the name of a key of slices: its columns."""
    return " and ".join(columns)


def load_evidence(spec: Spec, window: Window, settings: Settings) -> Evidence:
    """Read what `evaluate` wrote for a window.

    Raises
    ------
    EvidenceError
        If it is missing, incomplete, or contradicts itself.
    """
    path = settings.lake(spec.name).work(window) / EVIDENCE_FILE
    try:
        return Evidence.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValueError) as error:
        raise EvidenceError(f"{path} is no evidence: {error}; evaluate the window again") from error
