"""The types of a use case's spec. Nothing else describes a use case but its SQL.

Every model is frozen and refuses unknown keys. Field descriptions become the published JSON
Schema (`ratchet schema`), so they are written for the person who writes a spec.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
Share = Annotated[float, Field(ge=0, le=1)]
Type = Literal["text", "integer", "number", "boolean", "date", "timestamp"]


def _cron_has_five_fields(value: str) -> str:
    if len(value.split()) != 5:
        raise ValueError("a cron expression has five fields, like '0 0 * * 5'")
    return value


class Model(BaseModel):
    """Base of all parts of a spec."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Owner(Model):
    """Who answers for the use case."""

    name: str = Field(min_length=1, description="Person or team.")
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", description="Where to reach them.")


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
            raise ValueError("history_start, start and end must follow each other in time")
        return self


class Column(Model):
    """What a feed's column may hold."""

    type: Type
    nullable: bool = Field(default=False, description="May be missing (empty or NA).")
    min: float | None = Field(default=None, description="Smallest allowed value.")
    max: float | None = Field(default=None, description="Largest allowed value.")
    values: tuple[str, ...] | None = Field(default=None, description="The only allowed values.")
    description: str = Field(min_length=1, description="Meaning, with the unit.")


class Active(Model):
    """For which days files are expected, [start, end)."""

    start: date
    end: date | None = None


class Feed(Model):
    """One kind of raw file from one producer."""

    producer: str = Field(min_length=1, description="Who sends it.")
    description: str = Field(min_length=1, description="What a row is, and when it is sent.")
    files: Literal["daily", "once"] = Field(
        description="One file a day, or one file in all, stamped <feed>_YYYYMMDD.<ending>."
    )
    active: Active
    columns: dict[Name, Column] = Field(min_length=1)
    key: tuple[Name, ...] = Field(min_length=1, description="Columns that tell rows apart.")
    max_quarantined_share: Share = Field(
        description="More quarantined rows than this in a window, and the window is blocked."
    )

    @model_validator(mode="after")
    def _key_exists(self) -> Self:
        if unknown := [name for name in self.key if name not in self.columns]:
            raise ValueError(f"key names columns that the feed does not have: {unknown}")
        return self


class Feature(Model):
    """A gold column that models may read."""

    kind: Literal["numeric", "categorical"]


class Gold(Model):
    """The contract between dbt and everything that reads its results."""

    unit: str = Field(description="What one decision is about, in the singular: 'flight'.")
    features_table: Name = Field(description="Gold table with one row per decision.")
    outcomes_table: Name = Field(description="Gold table with one row per matured label.")
    key: Name = Field(description="Column that names a decision in both tables.")
    decided_at: Name = Field(description="Column with the moment of the decision.")
    label: Name = Field(description="Boolean column of the outcomes table.")
    label_known_at: Name = Field(description="Column with the moment the label became known.")
    features: dict[Name, Feature] = Field(min_length=1)


class Costs(Model):
    """What each outcome costs, in `unit`."""

    unit: str = Field(description="For example points, or USD.")
    assumption: str = Field(min_length=1, description="Where the numbers come from.")
    negative_left_alone: float
    positive_left_alone: float
    negative_acted_on: float
    positive_acted_on: float

    @property
    def threshold(self) -> float:
        """Probability from which acting costs less than leaving alone, in (0, 1)."""
        wasted = self.negative_acted_on - self.negative_left_alone
        gained = self.positive_left_alone - self.positive_acted_on
        return wasted / (wasted + gained)

    @model_validator(mode="after")
    def _acting_can_pay(self) -> Self:
        if not (
            self.negative_acted_on > self.negative_left_alone
            and self.positive_acted_on < self.positive_left_alone
        ):
            raise ValueError(
                "acting must cost more than leaving a negative alone, and less than leaving a "
                "positive alone: else there is nothing to decide"
            )
        return self


class Rule(Model):
    """What the business does today: the baseline that a model must beat."""

    column: Name = Field(description="Column of the features table: the rule's probability.")
    description: str = Field(min_length=1)


class Estimator(Model):
    """A kind of scikit-learn model, with its parameters."""

    type: Literal["logistic_regression", "hist_gradient_boosting"]
    params: dict[str, float | int | str | bool] = Field(default={})


class Training(Model):
    """How candidates are trained."""

    estimators: dict[Name, Estimator] = Field(min_length=1)
    holdout_days: int = Field(gt=0, description="The last days are kept for the evaluation.")
    max_history_days: int | None = Field(
        default=None, gt=0, description="Train on at most so many days. Leave out for all."
    )
    min_rows: int = Field(gt=0, description="Fewer matured rows than this, and nothing is trained.")
    seed: int = Field(ge=0)


class Gate(Model):
    """What a candidate must show before it becomes champion. Missing evidence refuses."""

    min_roc_auc: Share = Field(description="Absolute floor on the holdout.")
    max_roc_auc: Share = Field(description="Better than this is taken for a leak.")
    min_saving_per_unit: float = Field(
        ge=0, description="Cost per decision that must be saved against the best baseline."
    )
    max_regret_per_unit: float = Field(
        ge=0, description="Cost per decision that may be lost against the champion, same rows."
    )
    min_holdout_rows: int = Field(gt=0)
    max_prediction_difference: float = Field(
        ge=0, description="Largest difference between answers in training and after loading."
    )


class Monitoring(Model):
    """What is watched."""

    bins: int = Field(ge=2, description="Quantile bins of the reference profile.")
    min_rows: int = Field(gt=0, description="Fewer rows than this is 'insufficient data'.")


class Retraining(Model):
    """What starts a retraining, in order of trust."""

    max_cost_increase_per_unit: float = Field(
        gt=0, description="Realised cost per decision above what the gate saw."
    )
    max_prediction_psi: float = Field(gt=0, description="Drift of the predictions.")
    min_new_labels: int = Field(gt=0, description="Labels that matured since the last training.")


class Spec(Model):
    """One use case: a decision problem with its data, models and obligations."""

    spec_version: Literal[1]
    name: Name
    title: str = Field(min_length=1)
    description: str = Field(min_length=1, description="Markdown, shown in the Airflow UI.")
    level: Literal[0, 1, 2] = Field(
        description="0 manual, 1 automated pipeline, 2 continuous monitoring and retraining."
    )
    owner: Owner
    tags: tuple[Name, ...] = ()
    schedule: Schedule
    feeds: dict[Name, Feed] = Field(min_length=1)
    gold: Gold
    costs: Costs
    rule: Rule
    training: Training
    gate: Gate
    monitoring: Monitoring
    retraining: Retraining
