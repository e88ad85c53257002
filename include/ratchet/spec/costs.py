"""What kind of problem a use case is, and what errors cost in it.

Each kind says here, for whoever reads a spec and nothing else, which answers, estimators and
metrics it has. What they do stands in `ratchet.problems`, one module a kind.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=40)]
Share = Annotated[float, Field(ge=0, le=1)]
Label = Annotated[str, Field(min_length=1)]


class Model(BaseModel):
    """Base of all parts of a spec."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Metric(NamedTuple):
    """What a measure of answers is called, which direction is better, and what chance reaches."""

    label: str
    is_higher_better: bool
    chance: float | None = None
    note: str = ""


class CostsBase(Model):
    """What all kinds of problems declare. What each outcome costs stands in the kind's own fields.

    Class variables, by kind: `label_type` and `rule_type`, SQL types of the label and of the rule's
    answer; `estimators`, the import path by name; `metrics`, by name, those of realised performance
    first; `realised`, how many of them are; `leads_by_row`, whether the first one is a mean over
    rows, and so can be had of any part of them; `columns`, SQL types of what a prediction holds;
    `watched`, the one of these whose drift is watched; `policies`, what decisions are compared with
    besides models and the rule, by name; `do_nothing`, the one of these that leaves units alone;
    `acts`, the one of `columns` that says whether a unit is acted on; `has_probabilities`, whether
    answers are such.
    """

    unit: str = Field(description="For example points, or USD.")
    assumption: str = Field(min_length=1, description="Where the numbers come from.")

    label_type: ClassVar[str]
    rule_type: ClassVar[str]
    estimators: ClassVar[dict[str, str]]
    metrics: ClassVar[dict[str, Metric]]
    leads_by_row: ClassVar[bool] = False
    realised: ClassVar[int]
    columns: ClassVar[dict[str, str]]
    watched: ClassVar[str]
    policies: ClassVar[dict[str, str]]
    do_nothing: ClassVar[str | None] = None
    acts: ClassVar[str | None] = None
    has_probabilities: ClassVar[bool] = False

    @property
    def leading(self) -> tuple[str, Metric]:
        """The metric that a model is told by first, with its name."""
        return next(iter(self.metrics.items()))

    @property
    def realised_metrics(self) -> dict[str, Metric]:
        """Those that are measured on what was decided, as labels arrive; the leading one first."""
        return dict(list(self.metrics.items())[: self.realised])

    @property
    def read_columns(self) -> tuple[str, ...]:
        """Columns of the features table that are needed besides those that models read."""
        return ()

    @property
    def prices(self) -> dict[str, float]:
        """What is a number: for SQL, which finds it as `control.costs`."""
        return {key: value for key, value in self if isinstance(value, float)}

    def describe(self, unit: str, label: str) -> str:
        """Say in a sentence what errors cost."""
        raise NotImplementedError


class BinaryCosts(CostsBase):
    """A yes or no: the probability that the label is true decides whether a unit is acted on."""

    problem: Literal["binary"] = Field(description="Binary classification.")
    negative_left_alone: float = Field(description="Label false, not acted on.")
    positive_left_alone: float = Field(description="Label true, not acted on.")
    negative_acted_on: float = Field(description="Label false, acted on in vain.")
    positive_acted_on: float = Field(description="Label true, acted on in time.")

    label_type = "boolean"
    rule_type = "double"
    estimators = {
        "logistic_regression": "sklearn.linear_model:LogisticRegression",
        "hist_gradient_boosting": "sklearn.ensemble:HistGradientBoostingClassifier",
    }
    metrics = {
        "roc_auc": Metric("ROC-AUC", True, 0.5, "0.5 is chance, 1 is perfect"),
        "pr_auc": Metric("PR-AUC", True),
        "brier": Metric("Brier", False),
        "log_loss": Metric("log loss", False),
        "acted_share": Metric("acted on", True),
    }
    leads_by_row = True
    realised = 3
    columns = {
        "probability": "double",
        "threshold": "double",
        "is_acted": "boolean",
        "cost_if_positive": "double",
        "cost_if_negative": "double",
    }
    watched = "probability"
    policies = {
        "never": "Never act",
        "always": "Always act",
        "perfect": "Perfect foresight",
    }
    do_nothing = "never"
    acts = "is_acted"
    has_probabilities = True

    @property
    def threshold(self) -> float:
        """Probability from which acting costs less than leaving alone, in (0, 1)."""
        wasted = self.negative_acted_on - self.negative_left_alone
        gained = self.positive_left_alone - self.positive_acted_on
        return wasted / (wasted + gained)

    def describe(self, unit: str, label: str) -> str:
        """Say in a sentence what errors cost."""
        return (
            f"Costs in {self.unit} per {unit}: left alone {self.negative_left_alone:g} "
            f"({label}: no) or {self.positive_left_alone:g} (yes); acted on "
            f"{self.negative_acted_on:g} (no) or {self.positive_acted_on:g} (yes). "
            f"So acting pays from a probability of {self.threshold:.3g}."
        )

    @model_validator(mode="after")
    def _acting_can_pay(self) -> Self:
        if not (
            self.negative_acted_on > self.negative_left_alone
            and self.positive_acted_on < self.positive_left_alone
        ):
            raise ValueError(
                "there is nothing to decide; let acting cost more than leaving a negative alone, "
                "and less than leaving a positive alone"
            )
        return self


class MulticlassCosts(CostsBase):
    """One of several classes: the class is chosen that is expected to cost least."""

    problem: Literal["multiclass"] = Field(description="Multiclass classification.")
    matrix: dict[Label, dict[Label, float]] = Field(
        min_length=3,
        description="Cost by true class, and then by chosen class. Two classes are binary.",
    )

    label_type = "varchar"
    rule_type = "varchar"
    estimators = BinaryCosts.estimators
    metrics = {
        "roc_auc": Metric("macro ROC-AUC", True, 0.5, "one class against the rest; 0.5 is chance"),
        "balanced_accuracy": Metric("balanced accuracy", True),
        "log_loss": Metric("log loss", False),
    }
    leads_by_row = True
    realised = 3
    columns = {"probabilities": "double[]", "chosen_class": "varchar"}
    watched = "chosen_class"
    policies = {"perfect": "Perfect foresight"}
    has_probabilities = True

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order of the matrix."""
        return tuple(self.matrix)

    def describe(self, unit: str, label: str) -> str:
        """Say in a sentence what errors cost."""
        rows = (
            f"{true}: " + ", ".join(f"{cost:g} as {chosen}" for chosen, cost in row.items())
            for true, row in self.matrix.items()
        )
        return f"Costs in {self.unit} per {unit} by {label}, {'; '.join(rows)}."

    @model_validator(mode="after")
    def _each_class_costs_least_as_itself(self) -> Self:
        for true, row in self.matrix.items():
            if set(row) != set(self.matrix):
                raise ValueError(f"the row of {true!r} lacks a class; give each row all classes")
            if any(row[true] >= cost for chosen, cost in row.items() if chosen != true):
                raise ValueError(f"{true!r} costs least as another class; let it as itself")
        return self


class RegressionCosts(CostsBase):
    """A number that is planned with: too low and too high cost by the amount, at two prices."""

    problem: Literal["regression"] = Field(description="Regression.")
    too_low_per_unit: float = Field(
        gt=0, description="For each unit that the label turns out above the answer."
    )
    too_high_per_unit: float = Field(
        gt=0, description="For each unit that the label turns out below the answer."
    )

    label_type = "double"
    rule_type = "double"
    estimators = {
        "ridge": "sklearn.linear_model:Ridge",
        "hist_gradient_boosting": "sklearn.ensemble:HistGradientBoostingRegressor",
    }
    metrics = {
        "mae": Metric("MAE", False, None, "mean absolute error; lower is better"),
        "rmse": Metric("RMSE", False),
        "r2": Metric("R²", True, 0.0),
    }
    leads_by_row = True
    realised = 3
    columns = {"predicted": "double"}
    watched = "predicted"
    policies = {"perfect": "Perfect foresight"}

    @property
    def fractile(self) -> float:
        """Share of labels below the answer that costs least, in (0, 1): the newsvendor's."""
        return self.too_low_per_unit / (self.too_low_per_unit + self.too_high_per_unit)

    def describe(self, unit: str, label: str) -> str:
        """Say in a sentence what errors cost."""
        return (
            f"Costs in {self.unit} per {unit}: {self.too_low_per_unit:g} for each unit of {label} "
            f"above the answer, {self.too_high_per_unit:g} for each below it. So the answer that "
            f"costs least is the label's {self.fractile:.3g} quantile."
        )


class RankingCosts(CostsBase):
    """An order within groups: what stands low is seen less, and what it is worth is lost."""

    problem: Literal["ranking"] = Field(description="Ranking within groups.")
    group: Name = Field(description="Column of the features table: what is ranked together.")
    per_relevance: float = Field(gt=0, description="Worth of one unit of the label, if it is seen.")
    seen: tuple[Share, ...] = Field(
        min_length=1,
        description="Share of people who look at each position, from the top; 0 behind the last.",
    )

    label_type = "double"
    rule_type = "double"
    estimators = RegressionCosts.estimators
    metrics = {
        "ndcg": Metric("NDCG", True, None, "over the positions that are seen; 1 is perfect"),
        "mrr": Metric("MRR", True),
    }
    realised = 2
    columns = {"score": "double", "position": "bigint", "group_id": "varchar"}
    watched = "score"
    policies = {"perfect": "Perfect foresight"}

    @property
    def read_columns(self) -> tuple[str, ...]:
        """Columns of the features table that are needed besides those that models read."""
        return (self.group,)

    def describe(self, unit: str, label: str) -> str:
        """Say in a sentence what errors cost."""
        return (
            f"Costs in {self.unit} per {unit}: {self.per_relevance:g} for each unit of {label} "
            f"that is not seen; positions are seen by {', '.join(f'{s:.0%}' for s in self.seen)}."
        )

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if list(self.seen) != sorted(self.seen, reverse=True) or self.seen[0] == 0:
            raise ValueError("seen rises or is nothing; let it fall from above 0 at the top")
        return self


class SegmentationCosts(CostsBase):
    """Segments of like units: what a unit differs from its segment's mean is what it costs.

    Nothing is known later that would be right or wrong. The label is a grouping that is known from
    elsewhere, which the segments are compared with.
    """

    problem: Literal["segmentation"] = Field(description="Segmentation (clustering).")
    per_distance: float = Field(
        gt=0,
        description="For each unit of squared distance to the segment's mean, features scaled to "
        "a variance of 1.",
    )

    label_type = "varchar"
    rule_type = "varchar"
    estimators = {
        "k_means": "sklearn.cluster:KMeans",
        "gaussian_mixture": "sklearn.mixture:GaussianMixture",
    }
    metrics = {
        "agreement": Metric(
            "agreement", True, 0.0, "adjusted Rand index with the label; 0 is chance"
        ),
        "silhouette": Metric("silhouette", True, 0.0),
        "inertia": Metric("inertia", False),
    }
    realised = 1
    columns = {"segment": "varchar", "cost": "double"}
    watched = "segment"
    policies = {}

    def describe(self, unit: str, label: str) -> str:
        """Say in a sentence what errors cost."""
        return (
            f"Costs in {self.unit} per {unit}: {self.per_distance:g} for each unit of squared "
            f"distance to its segment's mean. Segments are compared with {label}."
        )


Costs = Annotated[
    BinaryCosts | MulticlassCosts | RegressionCosts | RankingCosts | SegmentationCosts,
    Field(discriminator="problem", description="What kind of problem it is, and what errors cost."),
]
