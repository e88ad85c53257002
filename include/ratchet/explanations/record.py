"""What is laid down of a release's explanations."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

EXPLANATIONS_FILE = "explanations.json"


class Record(BaseModel):
    """Base of all parts of the explanations."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Importance(Record):
    """What a decision costs more, in the spec's unit, if features tell nothing.

    `features` are one, or several that were permuted together. `low` and `high` bound the cost
    with `Explanations.confidence`, days being independent.
    """

    features: tuple[str, ...] = Field(min_length=1)
    cost_increase: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat


class Bin(Record):
    """What is answered on average if a feature is set to `value` in all rows.

    `share` is that of the rows whose own value lies in the bin that `value` stands for; `answers`
    has one mean by class or segment, or one by the name of the label.
    """

    value: FiniteFloat | str | None
    share: FiniteFloat
    answers: dict[str, FiniteFloat]


class Reliability(Record):
    """What became of rows that were given about the same probability.

    `said` and `occurred` are means, in [0, 1]; `low` and `high` bound the second as in
    `Importance`, None where the rows are of one day.
    """

    rows: int = Field(gt=0)
    said: FiniteFloat
    occurred: FiniteFloat
    low: FiniteFloat | None
    high: FiniteFloat | None


class Explanations(Record):
    """What a model's answers rest on, measured on a sample of the holdout.

    `importance` has an entry for each feature, and one for each group of associated features; the
    most important first. `dependence` is of the features that matter most, one of each group.
    `reference` is a typical training row; reasons of single predictions are told against it where
    the model has no reference of its own. `reliability` has a tenth of the holdout an entry, by
    ascending probability; none where answers are no probabilities.
    """

    rows: int = Field(gt=0)
    dependence_rows: int = Field(gt=0)
    repeats: int = Field(gt=0)
    confidence: FiniteFloat
    min_association: FiniteFloat
    importance: tuple[Importance, ...]
    dependence: dict[str, tuple[Bin, ...]]
    reliability: tuple[Reliability, ...]
    reference: dict[str, FiniteFloat | bool | str | None]


def told_once(importance: Sequence[Importance]) -> list[Importance]:
    """Return groups, and the features that are in none, as ordered."""
    grouped = {name for each in importance if len(each.features) > 1 for name in each.features}
    return [
        each for each in importance if len(each.features) > 1 or each.features[0] not in grouped
    ]
