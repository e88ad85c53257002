"""The types of a use case's spec. Nothing else describes a use case but its SQL.

Every model is frozen and refuses unknown keys. Field descriptions become the published JSON
Schema (`ratchet schema`), so they are written for the person who writes a spec; a field that is
a part of its own is described by that part's docstring. Validators say what one part may hold;
what several parts must agree on stands in `checks`. All their messages end with a remedy, after
a semicolon.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from ratchet.spec.alerts import Alerts
from ratchet.spec.costs import Costs, Model, Name, Share
from ratchet.spec.owner import Owner

Type = Literal["text", "integer", "number", "boolean", "date", "timestamp"]


def _cron_has_five_fields(value: str) -> str:
    if len(value.split()) != 5:
        raise ValueError(f"{value!r} is not a cron expression; write five fields, like '0 0 * * 5'")
    return value


class Schedule(Model):
    """When windows begin and end. All times are UTC."""

    cron: Annotated[str, AfterValidator(_cron_has_five_fields)] = Field(
        description="Windows run from one tick of this cron expression to the next."
    )
    history_start: AwareDatetime = Field(
        description="The first window reaches back to here, so that there is data to train on."
    )
    start: AwareDatetime = Field(description="The first window ends, and regular windows begin.")
    end: AwareDatetime | None = Field(
        default=None, description="No window ends later. Leave out for a use case that goes on."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.history_start < self.start or (self.end and self.end <= self.start):
            raise ValueError(
                "times are not in order; let history_start, start and end follow each other"
            )
        return self


class Column(Model):
    """What a feed's column may hold."""

    type: Type = Field(description="What a value is read as; timestamps are UTC.")
    nullable: bool = Field(default=False, description="May be missing (empty or NA).")
    min: float | None = Field(default=None, description="Smallest value, for numbers.")
    max: float | None = Field(default=None, description="Largest value, for numbers.")
    values: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="The only allowed values, for text."
    )
    aliases: tuple[str, ...] = Field(
        default=(), description="What a header may call it instead, since a producer renamed it."
    )
    tags: tuple[Literal["pii", "restricted"], ...] = Field(
        default=(),
        description="pii: tells of a person. restricted: no feature may be computed from it.",
    )
    description: str = Field(min_length=1, description="Meaning, with the unit.")

    @model_validator(mode="after")
    def _limits_fit_type(self) -> Self:
        limits = [limit for limit in (self.min, self.max) if limit is not None]
        if limits and self.type not in ("integer", "number"):
            raise ValueError(f"min and max limit numbers, not {self.type}; remove them")
        if limits != sorted(limits):
            raise ValueError("min is above max, so no value fits; swap them")
        if self.values is not None and self.type != "text":
            raise ValueError(f"values lists texts, not {self.type}; remove it")
        return self


class Active(Model):
    """For which days files are expected, [start, end)."""

    start: date = Field(description="First day with a file.")
    end: date | None = Field(
        default=None, description="First day without one. Leave out for a feed that goes on."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end and self.end <= self.start:
            raise ValueError("end is not after start, so no file is ever expected; move it")
        return self


class Sla(Model):
    """When a day of a feed must be there. A day is one of `event_time`, in UTC."""

    complete_by: str = Field(
        pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
        description="UTC time of the next day by which all of a day must have come, like '06:00'.",
    )
    min_share: Share = Field(
        default=1.0,
        description="Share of the day's rows that must be there by then. Less than all where the "
        "last ones of a day always come with the next file.",
    )
    max_silence_h: float = Field(
        gt=0,
        description="Hours before the day's end of which there may be no row; 24 where event_time "
        "is a date.",
    )

    @property
    def within(self) -> timedelta:
        """How long after a day's beginning it must be there."""
        hour, minute = self.complete_by.split(":")
        return timedelta(days=1, hours=int(hour), minutes=int(minute))

    def deadline(self, day: date) -> datetime:
        """Return when a day must be there."""
        return datetime.combine(day, time(), UTC) + self.within


class Feed(Model):
    """One kind of raw file from one producer."""

    producer: str = Field(min_length=1, description="Who sends it.")
    owner: Owner | None = Field(
        default=None, description="Who answers for its contract. By default the use case's owner."
    )
    event_time: Name | None = Field(
        default=None,
        description="Date or timestamp column with the row's own time. Leave out for reference "
        "data: without it, nothing is compared with its past.",
    )
    description: str = Field(min_length=1, description="What a row is, and when it is sent.")
    files: Literal["daily", "once"] = Field(
        description="One file a day, or one file in all, stamped <feed>_YYYYMMDD.<ending>."
    )
    active: Active
    region: Name | None = Field(
        default=None,
        description="Region that the rows must stay in; the use case must be of the same.",
    )
    sla: Sla | None = Field(
        default=None, description="Needs event_time. Leave out for reference data."
    )
    control_file: Literal["required", "optional"] = Field(
        default="optional",
        description="Whether <file name>.manifest.json must lie beside a file. If it does, the "
        "file must have the sha256, bytes and rows that it says.",
    )
    max_file_mb: int = Field(
        default=100,
        gt=0,
        description="Largest file in MB, packed and unpacked; a larger one is refused unread. "
        "Reading takes up to twenty times as much memory, and no file can make it take more.",
    )
    contract_version: int = Field(
        default=1,
        ge=1,
        description="Of columns and key. Raise it to change them so that files, rows or readers "
        "of before no longer fit.",
    )
    columns: dict[Name, Column] = Field(
        min_length=1, description="Contract by column; a row that breaks it goes to quarantine."
    )
    key: tuple[Name, ...] = Field(min_length=1, description="Columns that tell rows apart.")
    max_quarantined_share: Share = Field(
        description="More quarantined rows than this in a window, and the window is blocked."
    )

    @model_validator(mode="after")
    def _key_tells_rows_apart(self) -> Self:
        if unknown := [name for name in self.key if name not in self.columns]:
            raise ValueError(f"key names unknown columns {unknown}; name columns of this feed")
        if empty := [name for name in self.key if self.columns[name].nullable]:
            raise ValueError(f"key columns {empty} may be missing; remove nullable from them")
        if len(set(self.key)) < len(self.key):
            raise ValueError("key names a column twice; name each once")
        names = [
            *self.columns,
            *(name for column in self.columns.values() for name in column.aliases),
        ]
        if len(set(names)) < len(names):
            raise ValueError("two columns share a name or an alias; let each stand for one column")
        time = self.event_time and self.columns.get(self.event_time)
        if self.event_time and not (time and time.type in ("date", "timestamp")):
            raise ValueError(
                f"event_time {self.event_time!r} is no date or timestamp of this feed; name one"
            )
        if self.sla and not self.event_time:
            raise ValueError("sla needs the rows' own time; give event_time")
        return self


class Feature(Model):
    """A gold column that models may read."""

    kind: Literal["numeric", "categorical"] = Field(
        description="numeric: its size matters. categorical: a label, whatever its type."
    )
    known_at: Name = Field(
        description="Column of the features table with the moment from which the value was known."
    )


class MaxAge(Model):
    """How old may be what one source says, when a decision is taken on it."""

    age: Name = Field(
        description="Numeric feature with the age in minutes; missing means that nothing is known."
    )
    minutes: float = Field(gt=0, description="Older than this is stale.")
    features: tuple[Name, ...] = Field(
        min_length=1, description="Features that are stale then: all that the source tells."
    )


class Staleness(Model):
    """When features are too old to decide on, and what is done then. Each prediction says so."""

    on_stale: Literal["refuse", "baseline", "go_on"] = Field(
        description="refuse: the model does not decide, and the unit is left alone. baseline: the "
        "rule decides. go_on: the model decides all the same."
    )
    max_age: dict[Name, MaxAge] = Field(min_length=1, description="By source.")


class Gold(Model):
    """The contract between dbt and everything that reads its results."""

    unit: str = Field(description="What one decision is about, in the singular: 'flight'.")
    features_table: Name = Field(description="Gold table with one row per decision.")
    outcomes_table: Name = Field(description="Gold table with one row per matured label.")
    key: Name = Field(description="Column that names a decision in both tables.")
    decided_at: Name = Field(description="Column with the moment of the decision.")
    label: Name = Field(
        description="Column of the outcomes table with what turned out: a boolean for a binary "
        "problem, text for classes and segments, else a number."
    )
    label_known_at: Name = Field(description="Column with the moment the label became known.")
    features: dict[Name, Feature] = Field(
        min_length=1, description="Columns of the features table that models read, by name."
    )
    entity: tuple[Name, ...] = Field(
        default=(),
        description="Columns of the features table that name what recurs: a model must beat the "
        "last label of the same entity. Leave out where there is but one.",
    )
    staleness: Staleness | None = Field(
        default=None, description="Leave out where no feature grows old before it is used."
    )


class Rule(Model):
    """What the business does today: the baseline that a model must beat."""

    column: Name = Field(
        description="Column of the features table with the rule's answer: a probability for a "
        "binary problem, the class or segment, the number, or the score."
    )
    description: str = Field(min_length=1, description="How the rule finds its answer.")


Value = float | int | str | bool
"""What a parameter of an estimator may be."""


_WIDEST = 1e18  # whole numbers are drawn in 64 bits


class Span(Model):
    """Numbers from one to another, both included: whole ones if both bounds are."""

    low: float | int = Field(description="The smallest.")
    high: float | int = Field(description="The largest.")
    log: bool = Field(
        default=False,
        description="Whether 1 to 10 is tried as often as 10 to 100: for what matters by factors.",
    )

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low is not below high, so there is nothing to search; swap them")
        if not self.log and self.high - self.low > _WIDEST:
            raise ValueError(
                f"low and high are more than {_WIDEST:g} apart, and can't be drawn from evenly; "
                "narrow them, or give log"
            )
        if self.log and self.low <= 0:
            raise ValueError("low has no logarithm; give one above 0, or leave out log")
        return self


class Search(Model):
    """Which parameters are tried before each fit, and how long.

    The first trial is what `params` says, the others are drawn. Each is judged by what its
    decisions cost on folds in time, inside the training rows.
    """

    trials: int = Field(gt=0, le=1000, description="Sets of parameters to try, at most.")
    seconds: float = Field(
        gt=0,
        description="No trial begins later than this. Where it ends a search, how far it came "
        "depends on the machine: give enough for all trials if it must come out the same anywhere.",
    )
    folds: int = Field(
        default=3,
        gt=0,
        description="Times before the holdout, each as long as it, at which a trial is judged.",
    )
    fold_rows: int = Field(
        default=20_000, gt=0, description="Rows that a trial is fitted on at each, the last ones."
    )
    space: dict[str, Span | Annotated[tuple[Value, ...], Field(min_length=1)]] = Field(
        min_length=1,
        description="What to try by parameter: {low: .03, high: .3, log: true}, or a list.",
    )


class Estimator(Model):
    """A kind of scikit-learn model, with its parameters."""

    type: str = Field(
        pattern=r"^([a-z][a-z0-9_]*|[A-Za-z_][\w.]*:[A-Za-z_]\w*)$",
        description="logistic_regression (binary, multiclass), ridge (regression, ranking), "
        "hist_gradient_boosting (all of these), k_means or gaussian_mixture (segmentation); or "
        "package.module:factory of your own, which returns a scikit-learn estimator of the raw "
        "features.",
    )
    params: dict[str, Value] = Field(
        default={}, description="Its parameters, by scikit-learn's or your factory's names."
    )
    search: Search | None = Field(
        default=None, description="Leave out to fit it with `params` as they are."
    )
    trusted_types: dict[str, Annotated[str, Field(min_length=1)]] = Field(
        default={},
        description="Reason by type, like my_package.module.Thing, that a stored model of it may "
        "hold besides those of scikit-learn's that Ratchet trusts. Its code runs when it is read.",
    )


class Resources(Model):
    """What fitting one candidate may take of the machine that does it."""

    cores: int = Field(
        default=1,
        gt=0,
        description="Threads that libraries may fit with. More than one may cost the last bits: "
        "sums are taken in another order then.",
    )
    memory_mb: int | None = Field(
        default=None,
        gt=0,
        description="Megabytes of the whole process. More ends in an error that says so. Leave "
        "out for no limit.",
    )
    pool: Name | None = Field(
        default=None,
        description="Airflow pool in which candidates are fitted, each in as many slots as it has "
        "cores. `ratchet pools` prints it. Leave out for Airflow's own.",
    )


class Refit(Model):
    """Fitting what was accepted again, on the holdout too, before it becomes champion."""

    max_change_per_unit: float = Field(
        gt=0,
        description="Mean change, up or down, of what each decision of the holdout costs, in the "
        "unit of costs. A refitted model that decides more otherwise than this stays back, and "
        "the one that was judged becomes champion.",
    )


class Training(Model):
    """How candidates are trained."""

    estimators: dict[Name, Estimator] = Field(
        min_length=1, description="What is trained each time; the best goes to the gate."
    )
    holdout_days: int = Field(gt=0, description="The last days are kept for the evaluation.")
    max_history_days: int | None = Field(
        default=None, gt=0, description="Train on at most so many days. Leave out for all."
    )
    max_rows: int | None = Field(
        default=None,
        gt=0,
        description="Snapshots hold at most so many rows: all that candidates are judged on, in "
        "the holdout and the folds, and of older ones those whose keys have the least hashes. "
        "Leave out for all.",
    )
    half_life_days: float | None = Field(
        default=None,
        gt=0,
        description="A row of this age counts half as much as a new one. Leave out if all count "
        "the same.",
    )
    weight: Name | None = Field(
        default=None,
        description="Column of the features table with how much a row counts, 0 or more.",
    )
    min_rows: int = Field(gt=0, description="Fewer matured rows than this, and nothing is trained.")
    seed: int = Field(ge=0, description="Of every random choice, so that a run can be repeated.")
    refit: Refit | None = Field(
        default=None,
        description="Whether what was accepted is fitted again, with the same parameters, on all "
        "labels known by the window's end. Leave out, and what the gate saw is what is deployed.",
    )
    resources: Resources = Field(
        default=Resources(), description="What fitting one candidate may take of the machine."
    )

    def earliest_decision(self, end: datetime) -> datetime | None:
        """Return the first moment whose decisions are learned from in a window that ends then.

        None if all are.
        """
        if self.max_history_days is None:
            return None
        return end - timedelta(days=self.holdout_days + self.max_history_days)


class Guard(Model):
    """Parts of the data in which a candidate must not lose what it gains elsewhere."""

    columns: tuple[Annotated[tuple[Name, ...], Field(min_length=1)], ...] = Field(
        default=(),
        description="Features whose levels are the parts, each a list of columns: [[origin], "
        "[carrier, origin]]. Numeric ones are cut into quantiles.",
    )
    max_regret_per_unit: float = Field(
        ge=0, description="Cost per decision that a part may lose, in the unit of costs."
    )
    min_rows: int = Field(gt=0, description="A part with fewer rows says too little.")


class Invariance(Model):
    """What must not matter: the answer hardly moves when a feature is given other values."""

    test: Literal["invariance"] = Field(description="An invariance.")
    reason: str = Field(min_length=1, description="Why it must hold, for who reads the verdict.")
    feature: Name = Field(description="Feature that is given the values, in every row.")
    values: tuple[float | str, ...] = Field(min_length=2, description="The values.")
    max_change: float = Field(
        ge=0,
        description="Mean over the rows of the largest answer less the smallest, at most; where "
        "answers are texts, share of rows that change.",
    )


class Direction(Model):
    """What must count in one direction: answers rise on average when features do."""

    test: Literal["direction"] = Field(description="A direction.")
    reason: str = Field(min_length=1, description="Why it must hold, for who reads the verdict.")
    add: dict[Name, float] = Field(
        min_length=1, description="What is added to numeric features, in every row."
    )
    least: float = Field(description="Least mean change of the answers.")
    most: float = Field(description="Greatest mean change of the answers.")


class Canary(Model):
    """One fixed case whose answer people know. Features that are not named are missing."""

    test: Literal["canary"] = Field(description="A canary.")
    reason: str = Field(min_length=1, description="Why it must hold, for who reads the verdict.")
    row: dict[Name, float | str] = Field(min_length=1, description="Values by feature.")
    least: float | None = Field(default=None, description="Least answer, if it is a number.")
    most: float | None = Field(default=None, description="Greatest answer, if it is a number.")
    among: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="Allowed answers, if they are texts."
    )

    @model_validator(mode="after")
    def _asks_for_one(self) -> Self:
        if (self.least is None) != (self.most is None) or (self.least is None) == (
            self.among is None
        ):
            raise ValueError("any answer would do; give least and most, or among")
        return self


Behaviour = Annotated[
    Invariance | Direction | Canary,
    Field(discriminator="test", description="What a model must answer, whatever its metrics."),
]


class Serving(Model):
    """What a packaged model may need to answer, in a clean process."""

    max_row_ms: float = Field(
        default=1000, gt=0, description="Milliseconds for one row, for 95 of 100 of them."
    )
    max_memory_mb: float = Field(
        default=2000, gt=0, description="Megabytes of the whole process, at most."
    )
    max_seconds: float = Field(
        default=120, gt=0, description="Seconds for all that is asked of it; then it is ended."
    )


class Evaluation(Model):
    """What is measured of a candidate, besides what it costs. All of it reaches the gate."""

    folds: int = Field(
        default=2,
        ge=0,
        description="Earlier holdouts, each judged by a model of the same estimator that was "
        "fitted on what was known before it.",
    )
    fold_rows: int = Field(
        default=20_000,
        gt=0,
        description="Rows that these are fitted on, the last ones: to see whether an estimator is "
        "good at all times does not take the whole past.",
    )
    bins: int = Field(
        default=4, ge=2, description="Quantiles that numeric features are cut into for slices."
    )
    slices: Guard = Field(
        default=Guard(max_regret_per_unit=0, min_rows=200),
        description="Key slices, against the champion or else the best baseline. The worst of all "
        "others are searched for in any case, with the same limits.",
    )
    fairness: Guard | None = Field(
        default=None,
        description="Groups that must not be worse off than under the best baseline. Leave out "
        "where decisions concern no groups.",
    )
    behaviour: dict[Name, Behaviour] = Field(
        default={}, description="What a model must answer, whatever its metrics, by name."
    )
    serving: Serving = Field(
        default=Serving(), description="What the packaged model may need, in a clean process."
    )


class Plausible(Model):
    """Between which values of a metric a candidate is believed, both included."""

    worst: float = Field(description="What is worse is of no use.")
    best: float = Field(description="What is better is taken for a leak.")
    worst_in_slice: float | None = Field(
        default=None,
        description="What is no better in a key slice, after shrinkage, is of no use there. Of the "
        "leading metric of the kind of problem, where that is a mean over rows; by default what "
        "chance reaches.",
    )
    max_regret: float | None = Field(
        default=None,
        ge=0,
        description="How much of it may be lost against the champion on the same rows, by the "
        "test of `comparison`. Of the leading metric, where that is a mean over rows.",
    )


class Sureness(Model):
    """By what a model's logits may have to be multiplied to fit what occurred."""

    least: float = Field(
        default=0.5, gt=0, le=1, description="With less than this it is too sure of itself."
    )
    most: float = Field(
        default=2.0, ge=1, description="With more than this it is too timid to be of use."
    )


class Pairing(Model):
    """How two models are compared on the same rows."""

    test: Literal["clusters", "blocks"] = Field(
        description="clusters: Student's t with days (or entities) as clusters; blocks: a "
        "bootstrap of blocks of days, where differences of models follow each other from day to "
        "day."
    )
    by: Literal["day", "entity"] = Field(
        default="day",
        description="What rows depend on each other within: the day of the decision, or "
        "gold.entity where a customer or a machine comes again and again. Blocks are of days.",
    )
    level: float = Field(
        gt=0,
        lt=0.5,
        description="Share of candidates no better than required that are let through, at most.",
    )
    power: float = Field(
        gt=0.5, lt=1, description="How often a worthwhile improvement must be found."
    )
    worthwhile_per_unit: float = Field(
        gt=0,
        description="Improvement per decision that must be found so often: a holdout that could "
        "not find it tells too little, unless what it does find is the more certain.",
    )

    @property
    def clusters(self) -> str:
        """What rows depend on each other within, in the plural."""
        return {"day": "days", "entity": "entities"}[self.by]


class Approval(Model):
    """Who must approve a candidate that the gate accepts, and by when. Silence refuses."""

    answer_within_h: float = Field(
        gt=0, description="Hours until no answer counts as refusal, and the owner is told."
    )
    approvers: tuple[str, ...] = Field(
        default=(),
        description="Ids of the Airflow users who may answer: their names, with the simple auth "
        "manager. By default anybody who may answer there at all.",
    )


class Gate(Model):
    """What a candidate must show before it becomes champion. Missing evidence refuses."""

    comparison: Pairing
    plausible: dict[Name, Plausible] = Field(
        min_length=1, description="Bounds on the holdout by metric of the kind of problem."
    )
    min_saving_per_unit: float = Field(
        ge=0, description="Cost per decision that must be saved against the best baseline."
    )
    max_regret_per_unit: float = Field(
        ge=0, description="Cost per decision that may be lost against the champion, same rows."
    )
    max_gain_per_unit: float = Field(
        gt=0,
        description="Cost per decision: for who saves more against the champion, a person must "
        "look for a leak.",
    )
    max_calibration_error: Share | None = Field(
        default=None,
        description="Mean distance of probabilities from the shares that occurred, beyond what "
        "chance explains. For problems with probabilities, and needed there.",
    )
    calibration_slope: Sureness = Field(
        default=Sureness(),
        description="For problems with probabilities: of logistic recalibration; 1 is right.",
    )
    min_holdout_days: int = Field(
        ge=2, description="Fewer days with rows than this, and the evidence is too thin."
    )
    min_holdout_rows: int = Field(
        gt=0, description="Fewer rows of holdout than this, and the evidence is too thin."
    )
    max_prediction_difference: float = Field(
        ge=0, description="Largest difference between answers in training and after loading."
    )
    approval: Approval | None = Field(
        default=None,
        description="Leave out if the gate alone decides. At level 0 a person must approve in any "
        "case, and is waited for without limit if nothing is said here.",
    )


class Explanations(Model):
    """What each prediction says of its reasons. Releases are explained in any case."""

    per_row: int = Field(
        ge=1,
        description="Features to name with each of the champion's answers, those that moved it "
        "most; column reasons of the predictions.",
    )


Sentences = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]


class Card(Model):
    """What only a person can say of a model: for the model card."""

    intended_use: Sentences = Field(description="What it is made for, sentence by sentence.")
    excluded_use: Sentences = Field(description="What it must not be used for, and why.")
    limits: Sentences = Field(description="What is known to be wrong or missing in data or model.")


class DriftFloors(Model):
    """Below which size nobody would act on a departure from the training data."""

    ks: Share = Field(
        default=0.05,
        gt=0,
        description="Kolmogorov-Smirnov: largest difference of two cumulative shares. A shift of a "
        "normal number by an eighth of its standard deviation makes .05.",
    )
    wasserstein_sd: float = Field(
        default=0.1, gt=0, description="Wasserstein distance, in the training's standard deviation."
    )
    js_bits: Share = Field(
        default=0.02,
        gt=0,
        description="Jensen-Shannon divergence in bits; 1 where two distributions share nothing.",
    )
    missing_share: Share = Field(
        default=0.02, gt=0, description="Change of the share of missing values."
    )
    auc_above_chance: float = Field(
        default=0.1,
        gt=0,
        le=0.5,
        description="ROC-AUC above .5 of a classifier that tells a window's rows from training's.",
    )


class Estimate(Model):
    """What is expected of answers before their labels are known, and how wrong that may be."""

    max_gap_per_unit: float | None = Field(
        default=None,
        gt=0,
        description="Realised cost per decision away from the estimated one, from which somebody "
        "should look. By default retraining.max_cost_increase_per_unit.",
    )
    history_days: int = Field(
        default=84,
        ge=0,
        description="Days of earlier cohorts that say, beside the release's holdout, by how much "
        "days differ where nothing has changed. The median of their weeks counts, so that one odd "
        "week does not.",
    )
    max_missing_share: Share = Field(
        default=0.02,
        description="Share of a cohort's labels that may be missing at label_wait_days. With more, "
        "it is 'insufficient data': labels that are late are not like those that are known.",
    )


class LabelSample(Model):
    """Which predictions people are asked to label by hand."""

    rows: int = Field(default=200, gt=1, description="Predictions of a window to label by hand.")
    bands: int = Field(
        default=5,
        gt=0,
        description="Quantiles of the answer that are sampled from alike, within each declared "
        "slice: rows whose label tells little are many, and weigh more each.",
    )


class Floor(Model):
    """The smallest change that anybody would act on: relative, or in the KPI's unit."""

    relative: float | None = Field(
        default=None,
        gt=0,
        description="Share of what was expected: 0.1 is a rise by a tenth, or as far a fall "
        "(1 / 1.1). For what is positive and changes by factors.",
    )
    absolute: float | None = Field(
        default=None, gt=0, description="In the KPI's unit. For what may be zero or negative."
    )
    near_holidays: float | None = Field(
        default=None,
        gt=0,
        description="The same on public holidays of quality.holidays and three days around them; "
        "by default 1 for a relative floor, half or double, and no other for an absolute one.",
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.relative is None) == (self.absolute is None):
            raise ValueError("a change is either relative or absolute; give one of the two")
        return self

    @property
    def is_relative(self) -> bool:
        """Whether changes are factors."""
        return self.relative is not None

    def at(self, *, is_near_holiday: bool) -> float:
        """Return the floor of a day."""
        usual = self.relative if self.relative is not None else self.absolute
        assert usual is not None
        if not is_near_holiday:
            return usual
        return max(usual, self.near_holidays or (1.0 if self.is_relative else usual))


class Guardrail(Model):
    """Hard limits of a day's value, in the KPI's unit: beyond them somebody must look at once."""

    min: float | None = Field(default=None, description="No day may have less.")
    max: float | None = Field(default=None, description="No day may have more.")

    @model_validator(mode="after")
    def _limits(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("limits nothing; give min, max or both")
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError("min is not below max, so no value passes; swap them")
        return self


class Kpi(Model):
    """A figure that the business is run by, of each day, out of a gold table."""

    table: Name = Field(description="Gold table, a mart, with the day and the columns below.")
    date: Name = Field(description="Its column with the day, by the clock of quality.time_zone.")
    aggregation: Literal["sum", "mean", "ratio"] = Field(
        description="Over a day's rows: sum or mean of value, or sum of numerator / sum of "
        "denominator."
    )
    value: Name | None = Field(default=None, description="Column, for sum and mean.")
    numerator: Name | None = Field(default=None, description="Column, for ratio.")
    denominator: Name | None = Field(default=None, description="Column, for ratio.")
    rows: Name = Field(
        description="Column whose sum is how many units a day's value rests on. If it is the value "
        "or the denominator itself, chance alone moves the KPI as it moves counts."
    )
    min_rows: int = Field(
        default=30, gt=0, description="A day of fewer units is 'insufficient data'."
    )
    unit: str = Field(min_length=1, description="Unit of the value: 'flights', 'points'.")
    worse: Literal["up", "down", "both"] = Field(
        description="Which direction is bad. A change to the good is told too: it may be a fault "
        "in the data, and somebody should verify it."
    )
    floor: Floor
    guardrail: Guardrail | None = Field(
        default=None, description="Leave out where no value is wrong by itself."
    )
    wait_days: int | None = Field(
        default=None,
        ge=0,
        description="Days after which a day's value changes no more; by default "
        "monitoring.label_wait_days.",
    )
    owner: Owner | None = Field(
        default=None, description="Who answers for it. By default the use case's owner."
    )
    reason: str = Field(min_length=1, description="Why it is watched, and why within these limits.")

    @model_validator(mode="after")
    def _columns_fit_aggregation(self) -> Self:
        needed = ("numerator", "denominator") if self.aggregation == "ratio" else ("value",)
        for name in ("value", "numerator", "denominator"):
            if (getattr(self, name) is not None) != (name in needed):
                verb = "needs" if name in needed else "has no"
                raise ValueError(f"a {self.aggregation} {verb} {name}; give {' and '.join(needed)}")
        return self

    @property
    def columns(self) -> dict[str, str]:
        """Columns of the table that are read, by field."""
        fields = ("date", "value", "numerator", "denominator", "rows")
        return {name: found for name in fields if (found := getattr(self, name)) is not None}

    def is_worse(self, direction: Literal["up", "down"]) -> bool:
        """Return whether a change is bad; one that is not is to be verified."""
        return self.worse in (direction, "both")


class ServiceLimits(Model):
    """What answering may need, and how often it may fall back. Of each scored window."""

    max_row_ms: float = Field(
        default=20,
        gt=0,
        description="Milliseconds for a row, all roles and reasons included; of 10,000 rows, that "
        "is three minutes, and a usual model needs some hundredth of it.",
    )
    max_missing_share: Share = Field(
        default=0.01,
        description="Decisions that were due and have no answer; some flights in a thousand "
        "schedules come late.",
    )
    max_fallback_share: Share = Field(
        default=0.1,
        description="Decisions that the rule took, or nobody, as features were stale: with more, "
        "the model hardly decides.",
    )
    max_stale_share: Share = Field(
        default=0.2,
        description="Decisions on stale features, whoever took them: an hour without a source is "
        "usual, a day of a week is not.",
    )
    slowdown: float = Field(
        default=5.0,
        gt=1,
        description="Times the past's median time for a row: a machine that others use as well "
        "may make it three times as long.",
    )
    volume_change: float = Field(
        default=0.5,
        gt=0,
        description="Rows a day against the past's median: half as many again, or as far a fall.",
    )
    share_change: Share = Field(
        default=0.05,
        description="Rise of a share above the past's median, in decisions: one in twenty.",
    )


class Monitoring(Model):
    """What is watched."""

    bins: int = Field(ge=2, description="Quantile bins of the reference profile.")
    min_rows: int = Field(gt=0, description="Fewer rows than this is 'insufficient data'.")
    max_psi: float = Field(
        gt=0, description="Population stability index from which a feature counts as drifted."
    )
    label_wait_days: int = Field(
        gt=0, description="Days after a window's end in which its last labels arrive."
    )
    service: ServiceLimits = Field(
        default=ServiceLimits(), description="What answering may need, and how often it falls back."
    )
    drift: DriftFloors = Field(
        default=DriftFloors(), description="From which size on drift matters; of PSI, max_psi."
    )
    ages_days: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        default=(),
        description="Days after a decision at which its label is looked at, before "
        "label_wait_days. Performance is measured at each, by the labels known at that age, and "
        "only compared at the same one.",
    )
    estimate: Estimate = Field(
        default=Estimate(), description="Performance that is estimated without labels."
    )
    label_sample: LabelSample = Field(
        default=LabelSample(), description="Predictions that people label by hand, each window."
    )

    @property
    def maturities(self) -> tuple[float, ...]:
        """All ages at which labels are looked at, in days; the last one is label_wait_days."""
        return (*self.ages_days, float(self.label_wait_days))

    @model_validator(mode="after")
    def _ages_rise(self) -> Self:
        ages = self.maturities
        if list(ages) != sorted(set(ages)):
            raise ValueError(
                f"ages_days are {list(self.ages_days)}; let them rise, and stay below "
                f"label_wait_days, {self.label_wait_days}"
            )
        return self


class Bake(Model):
    """How a new champion is watched before it is trusted, and when it is taken out by itself."""

    days: float = Field(
        default=21,
        gt=0,
        description="From when it began to decide. The last look is at the last window that ends "
        "within so many days.",
    )
    level: float = Field(
        default=0.05,
        gt=0,
        lt=0.5,
        description="Share of champions as good as the one before that are taken out all the same, "
        "at most, however often they are looked at.",
    )
    margin_per_unit: float = Field(
        default=0.0,
        ge=0,
        description="Cost per decision above the previous champion's on the same rows, that is put "
        "up with.",
    )
    min_rows: int = Field(
        default=500, gt=0, description="Fewer labelled decisions than this tell too little."
    )


class Retraining(Model):
    """What starts a retraining, in order of trust; what must hold for it; what follows."""

    max_cost_increase_per_unit: float = Field(
        gt=0, description="Realised cost per decision above what the gate saw."
    )
    max_prediction_psi: float = Field(
        gt=0, description="PSI of the predictions from which it matters."
    )
    min_new_labels: int = Field(gt=0, description="Labels that matured since the last training.")
    every_days: float | None = Field(
        default=None,
        gt=0,
        description="Retrain when the last training is so old, whatever was observed. Leave out "
        "where the calendar is no reason.",
    )
    min_matured_labels: int = Field(
        default=0, ge=0, description="Labels known in all, before anything is trained on them."
    )
    min_rare_labels: int = Field(
        default=0,
        ge=0,
        description="Known labels of the rarest class. For problems with classes, else unused.",
    )
    cooldown_days: float = Field(
        default=1, ge=0, description="Days between the windows of two trainings, at least."
    )
    max_runs: int = Field(default=31, gt=0, description="Trainings within 30 days, at most.")
    max_cpu_h: float = Field(
        default=100.0, gt=0, description="CPU-hours of fitting within 30 days, after which none is."
    )
    max_running_days: float = Field(
        default=7,
        gt=0,
        description="A request whose training has not come to an end in so many days is given up. "
        "Until then no other one is made.",
    )
    max_lost: int = Field(
        default=2,
        gt=0,
        description="Candidates lost in a row (refused, or rolled back), after which nothing is "
        "trained, and the owner is told.",
    )
    resume_after_days: float = Field(
        default=28,
        gt=0,
        description="Days after the last lost one, from which one more is tried. A person may lift "
        "the stop earlier, and so does a reason that is trusted more.",
    )
    bake: Bake = Field(default=Bake())


class Severity(Model):
    """What a check's faults do, and why."""

    severity: Literal["block", "warn"] = Field(
        description="block: nothing that rests on the data goes on. warn: it is told."
    )
    reason: str = Field(min_length=1, description="Why, for who reads the finding.")


class Quality(Model):
    """How the data is checked. What is not declared a warning blocks."""

    false_discovery_rate: float = Field(
        default=0.01,
        gt=0,
        lt=1,
        description="Share of false findings among all findings of a family of tests, at most.",
    )
    history_days: int = Field(
        default=56,
        gt=0,
        description="The past that a window is compared with: eight of each weekday by default.",
    )
    holidays: str | None = Field(
        default=None,
        pattern="^[A-Z]{2}$",
        description="Country (ISO 3166) whose public holidays excuse unusual days, and travel "
        "around them. Leave out where no holiday matters.",
    )
    time_zone: str = Field(
        default="UTC",
        description="IANA zone by whose clock people live: a profile over the hours of its day "
        "does not move when daylight saving time begins.",
    )
    segments: dict[Name, tuple[tuple[Name, ...], ...]] = Field(
        default={},
        description="Keys of segments by feed or features table, each a list of columns, beside "
        "those that are found in the data: [[carrier, origin]].",
    )
    min_segment_rows: int = Field(
        default=10,
        ge=3,
        description="A segment with fewer rows in a window is 'not enough data': of so few, one "
        "row is a tenth of what is told.",
    )
    max_separation: Share | None = Field(
        default=None,
        description="ROC-AUC from which a single feature that tells the label is taken for a leak; "
        "of a number, whether it is above its median. By default the best roc_auc that is "
        "plausible of a model.",
    )
    checks: dict[Name, Severity] = Field(
        default={}, description="Severity by check; a check that is not named blocks."
    )
    accepted: dict[str, str] = Field(
        default={},
        description="Reason by the name of a finding that someone has looked at and accepts.",
    )

    def blocks(self, check: str, finding: str) -> bool:
        """Return whether a check's finding, by its name, keeps the data from being used."""
        declared = self.checks.get(check)
        is_warning = declared is not None and declared.severity == "warn"
        return finding not in self.accepted and not is_warning


class Spec(Model):
    """One use case: a decision problem with its data, models and obligations."""

    spec_version: Literal[1] = Field(description="Version of this format.")
    name: Name = Field(description="Same as the file's name; folder, schema and DAGs carry it.")
    title: str = Field(min_length=1, description="The use case in a few words.")
    description: str = Field(min_length=1, description="Markdown, shown in the Airflow UI.")
    level: Literal[0, 1, 2] = Field(
        description="0 manual, 1 automated pipeline, 2 continuous monitoring and retraining."
    )
    owner: Owner
    tags: tuple[Name, ...] = Field(default=(), description="To find its DAGs by.")
    region: Name | None = Field(
        default=None,
        description="Region that its data must stay in: no store of another one takes it. Leave "
        "out if it may lie anywhere.",
    )
    schedule: Schedule
    feeds: dict[Name, Feed] = Field(
        min_length=1, description="Raw files by feed; the name is also the files' prefix."
    )
    quality: Quality = Field(default=Quality())
    gold: Gold
    costs: Costs
    rule: Rule
    training: Training
    evaluation: Evaluation = Field(
        default=Evaluation(), description="What is measured of a candidate, besides its cost."
    )
    gate: Gate
    kpis: dict[Name, Kpi] = Field(
        default={},
        description="What the business is run by, by name. Leave out where nothing is measured but "
        "what decisions cost.",
    )
    monitoring: Monitoring
    retraining: Retraining
    alerts: Alerts = Field(default=Alerts())
    explanations: Explanations | None = Field(
        default=None, description="Leave out where nobody reads the reasons of single predictions."
    )
    card: Card | None = Field(
        default=None,
        description="Leave it out, and the model card says that intended use, excluded use and "
        "limits are not answered.",
    )

    @property
    def needs_approval(self) -> bool:
        """Whether a person must approve what the gate accepts."""
        return self.level == 0 or self.gate.approval is not None

    @property
    def max_separation(self) -> float:
        """ROC-AUC from which a single feature that tells the label is taken for a leak."""
        declared = self.quality.max_separation
        return self.gate.plausible["roc_auc"].best if declared is None else declared

    @property
    def judging_days(self) -> int:
        """How many of the last days candidates are judged on: the holdout's and the folds'."""
        searches = (each.search for each in self.training.estimators.values())
        folds = [self.evaluation.folds, *(search.folds for search in searches if search)]
        return self.training.holdout_days * (1 + max(folds))

    @property
    def leading_bounds(self) -> tuple[str, Plausible | None]:
        """The name of the leading metric, and what is plausible of it, if that is said."""
        name, _ = self.costs.leading
        return name, self.gate.plausible.get(name)

    @property
    def worst_in_slice(self) -> float | None:
        """What the leading metric must be better than in each key slice; None if in none."""
        _, bounds = self.leading_bounds
        if not self.costs.leads_by_row:
            return None
        if bounds is None or bounds.worst_in_slice is None:
            return self.costs.leading[1].chance
        return bounds.worst_in_slice

    @property
    def read_columns(self) -> tuple[str, ...]:
        """Columns of the features table that are read besides those that models read."""
        weight = (self.training.weight,) if self.training.weight else ()
        columns = dict.fromkeys((*self.gold.entity, *self.costs.read_columns, *weight))
        return tuple(name for name in columns if name not in self.gold.features)

    def with_params(self, estimator: str, params: Mapping[str, Value]) -> Spec:
        """Return the same use case with other parameters of one of its estimators."""
        declared = self.training.estimators[estimator].model_copy(update={"params": dict(params)})
        estimators = {**self.training.estimators, estimator: declared}
        training = self.training.model_copy(update={"estimators": estimators})
        return self.model_copy(update={"training": training})

    def owner_of(self, feed: str) -> Owner:
        """Return who answers for a feed's contract."""
        return self.feeds[feed].owner or self.owner

    def owner_of_kpi(self, kpi: str) -> Owner:
        """Return who answers for a KPI; for one that is not declared, the use case's owner."""
        declared = self.kpis.get(kpi)
        return (declared and declared.owner) or self.owner
