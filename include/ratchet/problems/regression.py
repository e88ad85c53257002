"""A number that is planned with: too low and too high cost by the amount, at two prices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ratchet.errors import EvidenceError
from ratchet.problems.expectations import Errors, Learned
from ratchet.problems.problem import Answers, Columns, Problem, is_finite, rate
from ratchet.spec.costs import RegressionCosts
from ratchet.statistics import Expected

_BINS = 10
"""Of answers, by size: deciles, as is customary."""


class Regression(Problem):
    """Answers are numbers in the label's unit, shape (n,); they are planned with as they are."""

    method = "predict"

    @property
    def costs(self) -> RegressionCosts:
        """What errors cost."""
        assert isinstance(self.spec.costs, RegressionCosts)
        return self.spec.costs

    def why_untrainable(self, labels: pd.Series) -> str | None:
        """Say why nothing can be learned from labels; None if something can."""
        return why_no_numbers(labels, self.spec.gold.label)

    def check(self, answers: Answers, rows: int, whose: str) -> None:
        """Raise EvidenceError unless there is a finite number for each of so many rows."""
        if not is_finite(answers, (rows,)):
            raise EvidenceError(f"{whose}: some answers are missing or are not finite")

    def constant(self, labels: pd.Series, rows: int) -> Answers:
        """Return the quantile of past labels that costs least."""
        return np.full(rows, float(np.quantile(labels.to_numpy(np.float64), self.costs.fractile)))

    def decide(self, answers: Answers, frame: pd.DataFrame) -> Columns:  # noqa: ARG002
        """Plan with the answer."""
        return {"predicted": answers}

    def answers_in(self, stored: pd.DataFrame) -> Answers:
        """Return the stored numbers."""
        return stored["predicted"].to_numpy(np.float64)

    def tell(self, decision: Mapping[str, Any]) -> str:
        """Say in a few words what one stored decision is."""
        return f"{decision['predicted']:.6g}"

    def losses_of(self, decisions: Mapping[str, Any] | pd.DataFrame, labels: ArrayLike) -> Answers:
        """Return the pinball loss of each answer, with the spec's two prices."""
        above = np.asarray(labels, np.float64) - np.asarray(decisions["predicted"], np.float64)
        return np.where(
            above > 0, above * self.costs.too_low_per_unit, -above * self.costs.too_high_per_unit
        )

    def losses_of_policy(self, policy: str, rows: pd.DataFrame) -> Answers:  # noqa: ARG002
        """Plan with what turns out: perfect foresight."""
        return np.zeros(len(rows))

    def contributions(self, answers: Answers, labels: pd.Series) -> NDArray[np.float64]:
        """Return the absolute errors."""
        return np.asarray(np.abs(answers - labels), np.float64)

    def metrics(self, answers: Answers, rows: pd.DataFrame) -> dict[str, float]:
        """Compute all metrics of finite answers."""
        return _errors(answers, rows[self.spec.gold.label].to_numpy(np.float64))

    def realised(self, stored: pd.DataFrame) -> dict[str, float | None]:
        """Measure stored answers; R² needs labels that differ."""
        labels = stored["label"].to_numpy(np.float64)
        found = _errors(self.answers_in(stored), labels)
        return {name: rate(value) for name, value in found.items()}

    def learn(self, stored: pd.DataFrame, days: ArrayLike) -> Learned:  # noqa: ARG002
        """Learn how far answers of each size are off."""
        answers = self.answers_in(stored)
        edges = np.unique(np.quantile(answers, np.arange(1, _BINS) / _BINS))
        bins = np.searchsorted(edges, answers, side="right")
        means, variances = {}, {}
        for name, values in self._losses(stored).items():
            grouped = pd.Series(values).groupby(bins)
            by_bin = pd.DataFrame({"mean": grouped.mean(), "variance": grouped.var(ddof=0)})
            by_bin = by_bin.reindex(range(len(edges) + 1)).ffill().bfill()
            means[name], variances[name] = tuple(by_bin["mean"]), tuple(by_bin["variance"])
        return Learned(errors=Errors(edges=tuple(edges), means=means, variances=variances))

    def expect(self, stored: pd.DataFrame, learned: Learned) -> dict[str, Expected]:
        """Expect the errors that answers of the same size had.

        References
        ----------
        The idea of NannyML's *Direct Loss Estimation (DLE)*, which learns the loss of a model's
        answers by another model; here a step function of the answer, as it has to hold on a few
        weeks of labels, and to be read by people.
        """
        assert learned.errors is not None
        bins = np.searchsorted(learned.errors.edges, self.answers_in(stored), side="right")
        return {
            name: Expected(np.array(means)[bins], np.array(learned.errors.variances[name])[bins])
            for name, means in learned.errors.means.items()
        }

    def surprises(self, stored: pd.DataFrame, learned: Learned) -> dict[str, NDArray[np.float64]]:
        """Return how much further each answer was off than those of the same size were."""
        expected = self.expect(stored, learned)
        found = self._losses(stored).items()
        return {name: values - expected[name].rows for name, values in found}

    def _losses(self, stored: pd.DataFrame) -> dict[str, Answers]:
        off = self.answers_in(stored) - stored["label"].to_numpy(np.float64)
        return {"cost_per_unit": self.losses_of(stored, stored["label"]), "mae": np.abs(off)}

    def fortunes(self, answers: Answers, rows: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
        """Return by how much each answer is off, with and without its sign."""
        off = answers - rows[self.spec.gold.label].to_numpy(np.float64)
        return {"answer_above_label": off, "distance": np.abs(off)}

    def comparable(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return label and numeric features as they lie above the median of their entity.

        What tells entities apart, as the distance tells routes, does not know the label then.
        """
        gold = self.spec.gold
        numbers = [n for n, feature in gold.features.items() if feature.kind == "numeric"]
        above = rows[[*numbers, gold.label]].astype(np.float64)
        if gold.entity:
            entities = [rows[name] for name in gold.entity]
            above = above - above.groupby(entities, dropna=False).transform("median")
        return rows.assign(**above)

    def why_unmeasurable(self, labels: pd.Series) -> str | None:
        """Say why answers can't be measured on these labels; None if they can."""
        return why_no_numbers(labels, "label")


def why_no_numbers(labels: pd.Series, name: str) -> str | None:
    """Say why labels are not finite numbers that differ; None if they are."""
    values = labels.to_numpy(np.float64)
    if not np.isfinite(values).all():
        return f"some {name}s are missing or are not finite"
    if len(values) and values.min() == values.max():
        return f"all {len(values):,} rows have the same {name}"
    return None


def _errors(answers: Answers, labels: Answers) -> dict[str, float]:
    errors = answers - labels
    spread = float(((labels - labels.mean()) ** 2).mean())
    squared = float((errors**2).mean())
    return {
        "mae": float(np.abs(errors).mean()),
        "rmse": squared**0.5,
        "r2": 1 - squared / spread if spread else float("nan"),
    }
