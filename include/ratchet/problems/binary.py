"""A yes or no: the probability that the label is true decides whether a unit is acted on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ratchet.errors import EvidenceError
from ratchet.problems.expectations import Learned
from ratchet.problems.problem import Answers, Columns, Problem, rate
from ratchet.spec.costs import BinaryCosts
from ratchet.statistics import (
    Expected,
    expect_mean,
    expect_roc_auc,
    recalibrate,
    recalibration,
    roc_auc_surprises,
)

_LABELS = ("positive", "negative")


class Binary(Problem):
    """Answers are probabilities that the label is true, shape (n,), in [0, 1]."""

    method = "predict_proba"

    @property
    def costs(self) -> BinaryCosts:
        """What errors cost."""
        assert isinstance(self.spec.costs, BinaryCosts)
        return self.spec.costs

    def why_untrainable(self, labels: pd.Series) -> str | None:
        """Say why nothing can be learned from labels; None if something can."""
        if labels.nunique() < 2:
            return f"all {len(labels):,} rows have the same {self.spec.gold.label}"
        return None

    def describe(self, labels: pd.Series) -> dict[str, float]:
        """Return the share of labels that are true."""
        return {"positive_share": float(labels.mean())}

    def ask(self, model: object, frame: pd.DataFrame) -> Answers:
        """Return the probabilities of the label being true, unchecked."""
        answers = super().ask(model, frame)
        if answers.ndim != 2 or answers.shape[1] != 2:
            raise ValueError(f"an array of shape {answers.shape}, not two probabilities a row")
        return answers[:, 1]

    def check(self, answers: Answers, rows: int, whose: str) -> None:
        """Raise EvidenceError unless there is a probability for each of so many rows."""
        if answers.shape != (rows,) or not ((answers >= 0) & (answers <= 1)).all():
            raise EvidenceError(f"{whose}: some answers are missing or are no probabilities")

    def constant(self, labels: pd.Series, rows: int) -> Answers:
        """Return the share of true labels."""
        return np.full(rows, float(labels.mean()))

    def decide(self, answers: Answers, frame: pd.DataFrame) -> Columns:  # noqa: ARG002
        """Act from the cost threshold on."""
        return self._columns(answers, answers >= self.costs.threshold)

    def leave_alone(self, decisions: Columns, refused: NDArray[np.bool_]) -> Columns:
        """Do not act on refused rows."""
        return self._columns(decisions["probability"], decisions["is_acted"] & ~refused)

    def _columns(self, answers: Answers, acted: NDArray[np.bool_]) -> Columns:
        costs = self.costs
        return {
            "probability": answers,
            "threshold": np.full(len(answers), costs.threshold),
            "is_acted": acted,
            "cost_if_positive": np.where(acted, costs.positive_acted_on, costs.positive_left_alone),
            "cost_if_negative": np.where(acted, costs.negative_acted_on, costs.negative_left_alone),
        }

    def answers_in(self, stored: pd.DataFrame) -> Answers:
        """Return the stored probabilities."""
        return stored["probability"].to_numpy(np.float64)

    def tell(self, decision: Mapping[str, Any]) -> str:
        """Say in a few words what one stored decision is."""
        does = "acted on" if decision["is_acted"] else "left alone"
        return f"{decision['probability']:.6f} against {decision['threshold']:g}: {does}"

    def losses_of(self, decisions: Mapping[str, Any] | pd.DataFrame, labels: ArrayLike) -> Answers:
        """Return what each decision cost, as it was stored with it."""
        positive = np.asarray(labels, dtype=bool)
        return np.where(positive, decisions["cost_if_positive"], decisions["cost_if_negative"])

    def losses_of_policy(self, policy: str, rows: pd.DataFrame) -> Answers:
        """Act never, always, or where the label is true."""
        labels = np.asarray(rows["label"], dtype=bool)
        nothing = np.zeros(len(rows))
        never, always = (
            self.losses_of(self._columns(nothing, np.full(len(rows), acted)), labels)
            for acted in (False, True)
        )
        return {"never": never, "always": always, "perfect": np.minimum(never, always)}[policy]

    def why_unmeasurable(self, labels: pd.Series) -> str | None:
        """Say why answers can't be measured on these labels; None if they can."""
        if labels.nunique() < 2:
            return f"all {len(labels):,} labels are the same; nothing can be ranked"
        return super().why_unmeasurable(labels)

    def metrics(self, answers: Answers, rows: pd.DataFrame) -> dict[str, float]:
        """Compute all metrics of probabilities of rows with labels of both kinds."""
        from sklearn.metrics import log_loss

        positive = rows[self.spec.gold.label].to_numpy(bool)
        return {
            **_curves(answers, positive),
            "log_loss": float(log_loss(positive, answers)),
            "acted_share": float((answers >= self.costs.threshold).mean()),
        }

    def realised(self, stored: pd.DataFrame) -> dict[str, float | None]:
        """Measure stored probabilities; curves need labels of both kinds."""
        positive, answers = stored["label"].to_numpy(bool), self.answers_in(stored)
        if positive.any() and not positive.all():
            return {name: rate(value) for name, value in _curves(answers, positive).items()}
        brier = rate(float(((answers - positive) ** 2).mean()))
        return {"roc_auc": None, "pr_auc": None, "brier": brier}

    def learn(self, stored: pd.DataFrame, days: ArrayLike) -> Learned:
        """Learn how to recalibrate the probabilities, if that is better on other days."""
        knots = recalibration(self.answers_in(stored), stored["label"].to_numpy(bool), days)
        return Learned(knots=knots)

    def expect(self, stored: pd.DataFrame, learned: Learned) -> dict[str, Expected]:
        """Expect cost, share of true labels, and scores, of which curves need two labels."""
        said = self.answers_in(stored)
        p = recalibrate(said, learned.knots)
        expected = {name: expect_mean(p, *of) for name, of in self._counts(stored).items()}
        if 0 < p.sum() < len(p):
            expected["roc_auc"] = expect_roc_auc(p, said)
        return expected

    def surprises(self, stored: pd.DataFrame, learned: Learned) -> dict[str, NDArray[np.float64]]:
        """Return what each label says more than its probability did, measure by measure."""
        said, labels = self.answers_in(stored), stored["label"].to_numpy(bool)
        p = recalibrate(said, learned.knots)
        above = labels - p
        found = {
            name: above * np.subtract(*np.broadcast_arrays(*of))
            for name, of in self._counts(stored).items()
        }
        if 0 < p.sum() < len(p) and 0 < labels.sum() < len(labels):
            found["roc_auc"] = roc_auc_surprises(p, said, labels)
        return found

    def _counts(self, stored: pd.DataFrame) -> dict[str, tuple[Any, Any]]:
        """Return what a row counts in each mean if its label is true, and if it is not."""
        said = self.answers_in(stored)
        positive, negative = (stored[f"cost_if_{each}"].to_numpy(float) for each in _LABELS)
        return {
            "cost_per_unit": (positive, negative),
            "label_share": (1.0, 0.0),
            "brier": ((1 - said) ** 2, said**2),
        }

    def contributions(self, answers: Answers, labels: pd.Series) -> NDArray[np.float64] | None:
        """Return what each answer adds to ROC-AUC; of either label there must be two."""
        from ratchet.statistics import roc_auc_contributions

        positive = labels.to_numpy(bool)
        if min(positive.sum(), (~positive).sum()) < 2:
            return None
        return roc_auc_contributions(positive, answers)

    def probabilities(
        self, answers: Answers, labels: pd.Series
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the answers, and whether labels were true."""
        return answers, labels.to_numpy(bool)

    def fortunes(self, answers: Answers, rows: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
        """Return who is acted on, of all and by what turned out, and what answers are above it.

        References
        ----------
        Hardt, Price and Srebro, *Equality of Opportunity in Supervised Learning* (2016): the two
        shares by label; equal where nobody is acted on more often than others of the same label.
        """
        acted = (answers >= self.costs.threshold).astype(np.float64)
        positive = rows[self.spec.gold.label].to_numpy(bool)
        return {
            "acted_share": acted,
            "acted_share_of_positives": np.where(positive, acted, np.nan),
            "acted_share_of_negatives": np.where(positive, np.nan, acted),
            "answer_above_label": answers - positive,
        }

    def is_event(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Return the labels themselves."""
        return rows[self.spec.gold.label].to_numpy(bool)


def _curves(answers: Answers, positive: NDArray[np.bool_]) -> dict[str, float]:
    from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

    return {
        "roc_auc": float(roc_auc_score(positive, answers)),
        "pr_auc": float(average_precision_score(positive, answers)),
        "brier": float(brier_score_loss(positive, answers)),
    }
