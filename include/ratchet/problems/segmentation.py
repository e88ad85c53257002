"""Segments of like units: what a unit differs from its segment's mean is what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ratchet.errors import EvidenceError
from ratchet.problems.problem import Answers, Columns, Problem, fitted, rate
from ratchet.spec.costs import SegmentationCosts

_SAMPLE = 2_000  # rows for a silhouette, which compares each with each
_RESAMPLES = 3  # fits on resampled rows that stability compares with the model
_DIGITS = 12  # a variance below 1e-12 of a column's scale is none


class Segmentation(Problem):
    """Answers are names of segments, shape (n,), text.

    Distances are measured between all features, numbers scaled to a variance of 1, categories as
    one column a level, missing values at the mean: a space that no model chooses.
    """

    method = "predict"

    @property
    def costs(self) -> SegmentationCosts:
        """What errors cost."""
        assert isinstance(self.spec.costs, SegmentationCosts)
        return self.spec.costs

    def why_untrainable(self, labels: pd.Series) -> str | None:  # noqa: ARG002
        """Say nothing: segments are found without labels."""
        return None

    def describe(self, labels: pd.Series) -> dict[str, float]:
        """Return how many groups are known."""
        return {"groups": float(labels.nunique())}

    def target(self, labels: pd.Series) -> None:  # noqa: ARG002
        """Return nothing: estimators find segments without labels."""
        return

    def ask(self, model: Any, frame: pd.DataFrame) -> Answers:
        """Return the segments, unchecked."""
        found = [None if pd.isna(each) else str(each) for each in model.predict(frame)]
        return np.array(found, dtype=object)

    def max_difference(self, answers: Answers, others: Answers) -> float:
        """Return the share of rows that two models put into other segments."""
        return float((answers != others).mean())

    def check(self, answers: Answers, rows: int, whose: str) -> None:
        """Raise EvidenceError unless there is a segment for each of so many rows."""
        if answers.shape != (rows,) or any(not isinstance(each, str) for each in answers):
            raise EvidenceError(f"{whose}: some answers are missing or are no segments")

    def from_labels(self, labels: pd.Series) -> Answers:
        """Return the groups that are named."""
        return labels.to_numpy(object)

    def constant(self, labels: pd.Series, rows: int) -> Answers:  # noqa: ARG002
        """Put all into one segment."""
        return np.full(rows, "all", dtype=object)

    def decide(self, answers: Answers, frame: pd.DataFrame) -> Columns:
        """Assign the segment; what it costs is known at once."""
        distances = _squared_distances(self._space(frame), answers)
        return {"segment": answers, "cost": self.costs.per_distance * distances}

    def answers_in(self, stored: pd.DataFrame) -> Answers:
        """Return the stored segments."""
        return stored["segment"].to_numpy(object)

    def tell(self, decision: Mapping[str, Any]) -> str:
        """Say in a few words what one stored decision is."""
        return f"segment {decision['segment']}"

    def losses_of(self, decisions: Mapping[str, Any] | pd.DataFrame, labels: ArrayLike) -> Answers:  # noqa: ARG002
        """Return what was stored."""
        return np.asarray(decisions["cost"], np.float64)

    def losses_of_policy(self, policy: str, rows: pd.DataFrame) -> Answers:
        """Raise, as there is no policy to compare with."""
        raise EvidenceError(f"segments are not compared with {policy} on {len(rows)} rows")

    def metrics(self, answers: Answers, rows: pd.DataFrame) -> dict[str, float]:
        """Compute all metrics; the silhouette of one segment, or of as many as rows, is 0."""
        from sklearn.metrics import silhouette_score

        space = self._space(rows)
        chosen = np.random.default_rng(self.spec.training.seed).permutation(len(rows))[:_SAMPLE]
        found = len(set(answers[chosen]))
        return {
            "agreement": _rand(rows[self.spec.gold.label], answers),
            "silhouette": float(silhouette_score(space[chosen], answers[chosen].astype(str)))
            if 1 < found < len(chosen)
            else 0.0,
            "inertia": float(_squared_distances(space, answers).mean()),
        }

    def realised(self, stored: pd.DataFrame) -> dict[str, float | None]:
        """Compare stored segments with the groups that are known."""
        return {"agreement": rate(_rand(stored["label"], self.answers_in(stored)))}

    def measure_fit(self, model: Any, rows: pd.DataFrame) -> dict[str, float]:
        """Measure a model on its own rows, with `stability` beside the metrics.

        Stability is the mean adjusted Rand index, in [-1, 1], 1 if nothing changes, between the
        model's segments and those of models fitted to as many rows drawn with replacement.

        References
        ----------
        Ben-Hur, Elisseeff and Guyon, *A stability based method for discovering structure in
        clustered data* (2002); Hubert and Arabie, *Comparing partitions* (1985).
        """
        from sklearn.base import clone

        features, answers = rows[list(self.spec.gold.features)], self.answer(model, rows)
        rng = np.random.default_rng(self.spec.training.seed)
        agreements = []
        for _ in range(_RESAMPLES):
            drawn = features.iloc[rng.integers(0, len(rows), len(rows))]
            again = fitted(clone(model), drawn, None, None, "a fit on resampled rows")
            agreements.append(_rand(answers, self.answer(again, rows)))
        return {**super().measure_fit(model, rows), "stability": float(np.mean(agreements))}

    def is_event(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Return whether a label is of the most frequent group."""
        labels = rows[self.spec.gold.label]
        return np.asarray(labels == labels.mode().iloc[0], bool)

    def _space(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        parts = []
        for name, feature in self.spec.gold.features.items():
            if feature.kind == "numeric":
                columns = frame[[name]].to_numpy(np.float64)
            else:
                columns = pd.get_dummies(frame[name], dtype=np.float64).to_numpy()
            if np.isnan(columns).all():
                parts.append(np.zeros_like(columns))
                continue
            centred = columns - np.nanmean(columns, axis=0, keepdims=True)
            # all levels of a category together weigh as much as one number
            spread = np.sqrt(np.nanmean((centred**2).sum(axis=1)))
            parts.append(np.nan_to_num(centred / (spread if spread > 10**-_DIGITS else 1.0)))
        return np.hstack(parts)


def _squared_distances(space: NDArray[np.float64], segments: Answers) -> NDArray[np.float64]:
    codes, _ = pd.factorize(segments)
    counts = np.bincount(codes).astype(np.float64)
    means = np.stack([np.bincount(codes, column) for column in space.T], axis=1) / counts[:, None]
    distances: NDArray[np.float64] = ((space - means[codes]) ** 2).sum(axis=1)
    return distances


def _rand(groups: Any, segments: Any) -> float:
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(pd.factorize(groups)[0], pd.factorize(segments)[0]))
