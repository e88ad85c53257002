"""An order within groups: what stands low is seen less, and what it is worth is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ratchet.errors import EvidenceError
from ratchet.problems.problem import Answers, Columns, Problem, is_finite, rate
from ratchet.problems.regression import why_no_numbers
from ratchet.spec.costs import RankingCosts


class Ranking(Problem):
    """Answers are scores, shape (n,); rows of a group are ordered by them, the highest on top.

    Of equal scores the one that comes first in the frame stands higher. Labels are relevances of 0
    or more; estimators are fitted to them row by row.
    """

    method = "predict"

    @property
    def costs(self) -> RankingCosts:
        """What errors cost."""
        assert isinstance(self.spec.costs, RankingCosts)
        return self.spec.costs

    def why_untrainable(self, labels: pd.Series) -> str | None:
        """Say why nothing can be learned from labels; None if something can."""
        if (labels < 0).any():
            return f"some {self.spec.gold.label} is below 0, which is no relevance"
        return why_no_numbers(labels, self.spec.gold.label)

    def check(self, answers: Answers, rows: int, whose: str) -> None:
        """Raise EvidenceError unless there is a finite score for each of so many rows."""
        if not is_finite(answers, (rows,)):
            raise EvidenceError(f"{whose}: some answers are missing or are not finite")

    def constant(self, labels: pd.Series, rows: int) -> Answers:  # noqa: ARG002
        """Return one score for all: rows stay in their order."""
        return np.zeros(rows)

    def decide(self, answers: Answers, frame: pd.DataFrame) -> Columns:
        """Order each group by its scores."""
        groups = frame[self.costs.group].astype(str)
        return {
            "score": answers,
            "position": _positions(answers, groups),
            "group_id": groups.to_numpy(object),
        }

    def answers_in(self, stored: pd.DataFrame) -> Answers:
        """Return the stored scores."""
        return stored["score"].to_numpy(np.float64)

    def _seen(self, positions: ArrayLike) -> NDArray[np.float64]:
        """Return the share of people who look at positions, which count from 1."""
        seen = np.array([*self.costs.seen, 0.0])
        shares: NDArray[np.float64] = seen[np.minimum(np.asarray(positions), len(seen)) - 1]
        return shares

    def tell(self, decision: Mapping[str, Any]) -> str:
        """Say in a few words what one stored decision is."""
        return f"{decision['score']:.6g}: position {decision['position']} of its group"

    def losses_of(self, decisions: Mapping[str, Any] | pd.DataFrame, labels: ArrayLike) -> Answers:
        """Return what was not seen of what each row is worth."""
        worth = self.costs.per_relevance * np.asarray(labels, np.float64)
        losses: Answers = worth * (1 - self._seen(decisions["position"]))
        return losses

    def losses_of_policy(self, policy: str, rows: pd.DataFrame) -> Answers:  # noqa: ARG002
        """Order by relevance: perfect foresight."""
        labels = rows["label"].to_numpy(np.float64)
        return self.losses_of({"position": _positions(labels, rows["group_id"])}, labels)

    def fortunes(self, answers: Answers, rows: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
        """Return how many people see each row, of all and of those that are relevant.

        References
        ----------
        Singh and Joachims, *Fairness of Exposure in Rankings* (2018).
        """
        seen = self._seen(self.decide(answers, rows)["position"])
        relevant = rows[self.spec.gold.label].to_numpy(np.float64) > 0
        return {"seen_share": seen, "seen_share_of_relevant": np.where(relevant, seen, np.nan)}

    def why_unmeasurable(self, labels: pd.Series) -> str | None:
        """Say why answers can't be measured on these labels; None if they can."""
        if not (labels > 0).any():
            return "no row is relevant, so no order is better than another"
        return why_no_numbers(labels, "label")

    def metrics(self, answers: Answers, rows: pd.DataFrame) -> dict[str, float]:
        """Compute all metrics of finite scores."""
        stored = pd.DataFrame(self.decide(answers, rows))
        return self._measures(stored.assign(label=rows[self.spec.gold.label].to_numpy()))

    def realised(self, stored: pd.DataFrame) -> dict[str, float | None]:
        """Measure stored positions; without a relevant row there is nothing to measure."""
        if self.why_unmeasurable(stored["label"]):
            return dict.fromkeys(self.costs.realised_metrics)
        return {name: rate(value) for name, value in self._measures(stored).items()}

    def _measures(self, stored: pd.DataFrame) -> dict[str, float]:
        """Average over the groups that hold a relevant row.

        References
        ----------
        Järvelin and Kekäläinen, *Cumulated gain-based evaluation of IR techniques* (2002): NDCG,
        with the discount of Burges et al. (2005), 1 / log2(1 + position), and the label as gain.
        """
        labels = stored["label"].to_numpy(np.float64)
        position = stored["position"].to_numpy(np.int64)
        best = _positions(labels, stored["group_id"])
        gained, possible = (labels * _discount(p, len(self.costs.seen)) for p in (position, best))
        found = pd.DataFrame(
            {
                "group": stored["group_id"].to_numpy(),
                "gained": gained,
                "possible": possible,
                "first": np.where(labels > 0, 1 / position, 0.0),
            }
        ).groupby("group", sort=True)
        sums, firsts = found[["gained", "possible"]].sum(), found["first"].max()
        relevant = sums["possible"] > 0
        return {
            "ndcg": float((sums["gained"] / sums["possible"])[relevant].mean()),
            "mrr": float(firsts[relevant].mean()),
        }

    def is_event(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Return whether a row is relevant at all."""
        return rows[self.spec.gold.label].to_numpy(np.float64) > 0


def _positions(scores: Answers, groups: pd.Series) -> NDArray[np.int64]:
    ranks = pd.Series(-scores).groupby(groups.to_numpy()).rank(method="first")
    return ranks.to_numpy().astype(np.int64)


def _discount(positions: NDArray[np.int64], depth: int) -> NDArray[np.float64]:
    return np.where(positions <= depth, 1 / np.log2(1 + positions), 0.0)
