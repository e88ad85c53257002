"""One of several classes: the class is chosen that is expected to cost least."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ratchet.errors import EvidenceError
from ratchet.problems.expectations import Learned
from ratchet.problems.problem import Answers, Columns, Problem, is_finite, rate
from ratchet.spec.costs import MulticlassCosts
from ratchet.statistics import Expected, expect_class_mean

_ROUNDING = 1e-6  # how far the sum of probabilities may be off 1


class Multiclass(Problem):
    """Answers are probabilities by class, shape (n, n_classes), in the order of `costs.matrix`.

    Estimators are fitted to the position of the class in that order.
    """

    method = "predict_proba"

    @property
    def costs(self) -> MulticlassCosts:
        """What errors cost."""
        assert isinstance(self.spec.costs, MulticlassCosts)
        return self.spec.costs

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Costs, shape (n_classes, n_classes), by true and chosen class."""
        classes = self.costs.classes
        return np.array([[self.costs.matrix[t][c] for c in classes] for t in classes])

    def target(self, labels: pd.Series) -> NDArray[np.int64]:
        """Return the position of each label's class.

        Raises
        ------
        ValueError
            If a label is none of the classes.
        """
        codes = pd.Index(self.costs.classes).get_indexer(pd.Index(labels))
        if (codes < 0).any():
            raise ValueError(f"{labels[codes < 0].iloc[0]!r} is none of {self.costs.classes}")
        return codes.astype(np.int64)

    def why_untrainable(self, labels: pd.Series) -> str | None:
        """Say why nothing can be learned from labels; None if something can."""
        found = set(labels)
        if unknown := sorted(map(str, found - set(self.costs.classes))):
            return f"{self.spec.gold.label} holds {unknown}, which costs.matrix does not know"
        if missing := [each for each in self.costs.classes if each not in found]:
            return f"no row has the {self.spec.gold.label} {missing}"
        return None

    def describe(self, labels: pd.Series) -> dict[str, float]:
        """Return the share of each class."""
        return {f"share_{each}": float((labels == each).mean()) for each in self.costs.classes}

    def check(self, answers: Answers, rows: int, whose: str) -> None:
        """Raise EvidenceError unless each of so many rows has probabilities that sum to 1."""
        if (
            not is_finite(answers, (rows, len(self.costs.classes)))
            or (answers < 0).any()
            or (np.abs(answers.sum(axis=1) - 1) > _ROUNDING).any()
        ):
            raise EvidenceError(f"{whose}: some answers are missing or are no probabilities")

    def from_labels(self, labels: pd.Series) -> Answers:
        """Return the certainty of each class that is named."""
        certain: Answers = np.eye(len(self.costs.classes))[self.target(labels)]
        return certain

    def constant(self, labels: pd.Series, rows: int) -> Answers:
        """Return the share of each class."""
        return np.tile(self.from_labels(labels).mean(axis=0), (rows, 1))

    def decide(self, answers: Answers, frame: pd.DataFrame) -> Columns:  # noqa: ARG002
        """Choose the class that is expected to cost least."""
        chosen = (answers @ self.matrix).argmin(axis=1)
        return {
            "probabilities": list(answers),
            "chosen_class": np.array(self.costs.classes, dtype=object)[chosen],
        }

    def answers_in(self, stored: pd.DataFrame) -> Answers:
        """Return the stored probabilities."""
        return np.stack(stored["probabilities"].to_list())

    def tell(self, decision: Mapping[str, Any]) -> str:
        """Say in a few words what one stored decision is."""
        shares = zip(self.costs.classes, decision["probabilities"], strict=True)
        told = ", ".join(f"{each} {share:.3f}" for each, share in shares)
        return f"{decision['chosen_class']} of {told}"

    def losses_of(self, decisions: Mapping[str, Any] | pd.DataFrame, labels: ArrayLike) -> Answers:
        """Return the matrix's cost of each chosen class."""
        true, chosen = (
            self.target(pd.Series(np.asarray(each, dtype=object)))
            for each in (labels, decisions["chosen_class"])
        )
        costs: Answers = self.matrix[true, chosen]
        return costs

    def losses_of_policy(self, policy: str, rows: pd.DataFrame) -> Answers:  # noqa: ARG002
        """Choose the true class: perfect foresight."""
        return self.losses_of({"chosen_class": rows["label"]}, rows["label"])

    def why_unmeasurable(self, labels: pd.Series) -> str | None:
        """Say why answers can't be measured on these labels; None if they can."""
        return super().why_unmeasurable(labels) or self.why_untrainable(labels)

    def metrics(self, answers: Answers, rows: pd.DataFrame) -> dict[str, float]:
        """Compute all metrics of probabilities of rows with labels of all classes."""
        return self._measures(answers, self.target(rows[self.spec.gold.label]))

    def realised(self, stored: pd.DataFrame) -> dict[str, float | None]:
        """Measure stored probabilities; all classes must have occurred."""
        if self.why_unmeasurable(stored["label"]):
            return dict.fromkeys(self.costs.realised_metrics)
        found = self._measures(self.answers_in(stored), self.target(stored["label"]))
        return {name: rate(value) for name, value in found.items()}

    def _measures(self, answers: Answers, true: NDArray[np.int64]) -> dict[str, float]:
        from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score

        codes = list(range(len(self.costs.classes)))
        # log loss and the areas by one class against the rest want rows that sum to 1 exactly
        shares = answers / answers.sum(axis=1, keepdims=True)
        return {
            "roc_auc": float(roc_auc_score(true, shares, multi_class="ovr", labels=codes)),
            "balanced_accuracy": float(balanced_accuracy_score(true, shares.argmax(axis=1))),
            "log_loss": float(log_loss(true, shares, labels=codes)),
        }

    def learn(self, stored: pd.DataFrame, days: ArrayLike) -> Learned:  # noqa: ARG002
        """Take the probabilities as they are."""
        return Learned()

    def expect(self, stored: pd.DataFrame, learned: Learned) -> dict[str, Expected]:  # noqa: ARG002
        """Expect the cost of the chosen classes, and whether they are the true ones."""
        answers = self.answers_in(stored)
        shares = answers / answers.sum(axis=1, keepdims=True)
        chosen = self.target(stored["chosen_class"])
        return {
            "cost_per_unit": expect_class_mean(shares, self.matrix[:, chosen].T),
            "right_share": expect_class_mean(shares, np.eye(len(self.costs.classes))[chosen]),
        }

    def surprises(self, stored: pd.DataFrame, learned: Learned) -> dict[str, NDArray[np.float64]]:
        """Return what each label cost more than was expected of it, and how much righter it was."""
        expected = self.expect(stored, learned)
        right = (stored["chosen_class"] == stored["label"]).to_numpy(np.float64)
        losses = self.losses_of(stored, stored["label"])
        return {
            "cost_per_unit": losses - expected["cost_per_unit"].rows,
            "right_share": right - expected["right_share"].rows,
        }

    def contributions(self, answers: Answers, labels: pd.Series) -> NDArray[np.float64] | None:
        """Return what each answer adds to macro ROC-AUC, over the classes that it can be had of."""
        from ratchet.statistics import roc_auc_contributions

        true = self.target(labels)
        is_class = [true == code for code in range(len(self.costs.classes))]
        found = [
            roc_auc_contributions(positive, answers[:, code])
            for code, positive in enumerate(is_class)
            if 2 <= positive.sum() <= len(labels) - 2
        ]
        return np.asarray(np.mean(found, axis=0), np.float64) if found else None

    def probabilities(
        self, answers: Answers, labels: pd.Series
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the probability of the likeliest class, and whether it was the true one.

        References
        ----------
        Guo et al., *On Calibration of Modern Neural Networks* (2017), section 2: confidence.
        """
        return answers.max(axis=1).clip(max=1.0), answers.argmax(axis=1) == self.target(labels)

    def fortunes(self, answers: Answers, rows: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
        """Return which class is chosen, and whether it is the true one."""
        chosen = self.decide(answers, rows)["chosen_class"]
        return {
            "right_share": (chosen == rows[self.spec.gold.label]).astype(np.float64).to_numpy(),
            **{f"{each}_share": (chosen == each).astype(np.float64) for each in self.costs.classes},
        }

    def is_event(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Return whether a label is of the most frequent class."""
        labels = rows[self.spec.gold.label]
        events: Any = (labels == labels.mode().iloc[0]).to_numpy(bool)
        return events  # type: ignore[no-any-return]
