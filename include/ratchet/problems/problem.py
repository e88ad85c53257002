"""The contract that every kind of problem fulfils."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ratchet.errors import EvidenceError, TrainingError
from ratchet.problems.estimators import build_estimator
from ratchet.problems.expectations import Learned
from ratchet.problems.threads import threads_limited
from ratchet.spec import Spec
from ratchet.statistics import Expected

Answers = NDArray[Any]
"""What a model says, one row a unit: see the kind of problem."""

Columns = dict[str, Any]
"""Columns of a table by name, each of one length."""


_HUGE = 1e150  # of a number, from which on its square may not be finite


class Problem(ABC):
    """What a use case's kind of problem is, and does. Made of a spec, it holds nothing else.

    *Rows* are a frame of the features table with the label; *answers* are what a model says of
    them; *decisions* are the columns that a prediction is stored as, from which the answer and what
    was decided on it can be read back.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    # training

    def estimator(self, name: str) -> Any:
        """Return one of the spec's estimators, unfitted, with all preparation inside.

        Raises
        ------
        TrainingError
            If it can't be imported or made, or has no `fit` and no method that answers.
        """
        return build_estimator(self.spec, name, self.method)

    def fit(
        self,
        name: str,
        rows: pd.DataFrame,
        weights: NDArray[np.float64] | None = None,
        note: str = "",
    ) -> Any:
        """Return one of the spec's estimators, fitted to labelled rows.

        Parameters
        ----------
        weights
            How much each row counts; None if all count the same.
        note
            What sets this fit apart from others, for the error.

        Raises
        ------
        TrainingError
            If it can't be made or fitted, or does not converge.
        """
        gold = self.spec.gold
        return fitted(
            self.estimator(name),
            rows[list(gold.features)],
            self.target(rows[gold.label]),
            weights,
            f"{self.spec.name}: training.estimators.{name}{note}",
            self.spec.training.resources.cores,
        )

    @property
    @abstractmethod
    def method(self) -> str:
        """The method of an estimator that answers: predict, or predict_proba."""

    def target(self, labels: pd.Series) -> Any:
        """Return labels as an estimator is fitted to them."""
        return labels

    @abstractmethod
    def why_untrainable(self, labels: pd.Series) -> str | None:
        """Say why nothing can be learned from labels; None if something can."""

    def describe(self, labels: pd.Series) -> dict[str, float]:
        """Sum labels up in a few numbers, by name."""
        values = labels.to_numpy(np.float64)
        return {"mean": float(values.mean()), "standard_deviation": float(values.std())}

    def measure_fit(self, model: Any, rows: pd.DataFrame) -> dict[str, float]:
        """Measure a model on the last of the rows that it was fitted on, by metric."""
        return self.measure(self.answer(model, rows), rows, "the model, on its own rows")

    # answers

    def answer(
        self, model: Any, frame: pd.DataFrame, features: Iterable[str] | None = None
    ) -> Answers:
        """Return a model's answers, one a row.

        One thread computes them: with more, sums are taken in another order and the last bits
        differ.

        Parameters
        ----------
        features
            Columns that the model was fitted to, in order; by default the spec's.

        Raises
        ------
        EvidenceError
            If a feature's column is missing, there are no rows, the model fails, or an answer is
            none.
        """
        columns = list(self.spec.gold.features if features is None else features)
        if missing := [name for name in columns if name not in frame]:
            raise EvidenceError(f"the model needs columns that are missing: {', '.join(missing)}")
        if frame.empty:
            raise EvidenceError("there are no rows to answer")
        try:
            with threads_limited(1):
                answers = self.ask(model, frame[columns])
        except MemoryError:
            raise
        except Exception as error:  # whatever an estimator raises, or returns that is no answer
            raise EvidenceError(
                f"the model does not answer: {error!r}{_infinite(frame[columns])}"
            ) from error
        self.check(answers, len(frame), "the model")
        return answers

    def ask(self, model: Any, frame: pd.DataFrame) -> Answers:
        """Return what a model says to a frame, unchecked."""
        return np.asarray(getattr(model, self.method)(frame), np.float64)

    def max_difference(self, answers: Answers, others: Answers) -> float:
        """Return the largest difference between two numbers of two models' answers."""
        return float(np.abs(answers - others).max())

    @abstractmethod
    def check(self, answers: Answers, rows: int, whose: str) -> None:
        """Raise EvidenceError unless there is a possible answer for each of so many rows."""

    def rule(self, frame: pd.DataFrame) -> Answers:
        """Return the rule's answers; raise EvidenceError if one is missing or impossible."""
        column = self.spec.rule.column
        if column not in frame:
            raise EvidenceError(f"the rows have no column {column}, the rule's answers")
        try:
            answers = self.from_labels(frame[column])
        except (TypeError, ValueError) as error:
            raise EvidenceError(f"{column} can't be read as the rule's answers: {error}") from error
        self.check(answers, len(frame), f"rule: {column}")
        return answers

    def from_labels(self, labels: pd.Series) -> Answers:
        """Return the answers that say what labels, or a rule's column, say."""
        return labels.to_numpy(np.float64)

    @abstractmethod
    def constant(self, labels: pd.Series, rows: int) -> Answers:
        """Return the best answers that are the same for all of so many rows, given past labels."""

    # decisions and what they cost

    @abstractmethod
    def decide(self, answers: Answers, frame: pd.DataFrame) -> Columns:
        """Return the columns, those of `costs.columns`, that store answers and what they lead to.

        Parameters
        ----------
        frame
            The rows that were answered, with at least the columns that the kind reads.
        """

    def leave_alone(self, decisions: Columns, refused: NDArray[np.bool_]) -> Columns:  # noqa: ARG002
        """Change decisions so that refused rows are left alone, whatever the answer says."""
        raise EvidenceError(f"a {self.spec.costs.problem} problem leaves no unit alone")

    @abstractmethod
    def answers_in(self, stored: pd.DataFrame) -> Answers:
        """Return the answers of what `decide` stored."""

    @abstractmethod
    def tell(self, decision: Mapping[str, Any]) -> str:
        """Say in a few words what one stored decision is."""

    @abstractmethod
    def losses_of(self, decisions: Mapping[str, Any] | pd.DataFrame, labels: ArrayLike) -> Answers:
        """Return what each stored decision cost, given its label, in the spec's unit."""

    @abstractmethod
    def losses_of_policy(self, policy: str, rows: pd.DataFrame) -> Answers:
        """Return what each row would have cost under one of `costs.policies`.

        Parameters
        ----------
        rows
            What `decide` stored, with a column `label`.
        """

    def losses(self, answers: Answers, rows: pd.DataFrame) -> NDArray[np.float64]:
        """Return what each row costs if these answers decide, in the spec's unit."""
        decisions = self.decide(answers, rows)
        return np.asarray(self.losses_of(decisions, rows[self.spec.gold.label]), np.float64)

    # measures

    def measure(self, answers: Answers, rows: pd.DataFrame, whose: str) -> dict[str, float]:
        """Measure answers to labelled rows, by the names of `costs.metrics`.

        Raises
        ------
        EvidenceError
            If there are no rows, an answer is missing or impossible, or a measure is undefined.
        """
        if rows.empty:
            raise EvidenceError(f"{whose}: there are no rows to measure")
        self.check(answers, len(rows), whose)
        if undefined := self.why_unmeasurable(rows[self.spec.gold.label]):
            raise EvidenceError(f"{whose}: {undefined}")
        return self.metrics(answers, rows)

    def why_unmeasurable(self, labels: pd.Series) -> str | None:
        """Say why answers can't be measured on these labels; None if they can."""
        return "labels are missing" if labels.isna().any() else None

    @abstractmethod
    def metrics(self, answers: Answers, rows: pd.DataFrame) -> dict[str, float]:
        """Compute all metrics of possible answers to rows with usable labels."""

    @abstractmethod
    def realised(self, stored: pd.DataFrame) -> dict[str, float | None]:
        """Measure what was stored by `costs.realised_metrics`; None where one is undefined.

        Parameters
        ----------
        stored
            What `decide` stored, with a column `label`; at least one row.
        """

    # before labels are known

    def learn(self, stored: pd.DataFrame, days: ArrayLike) -> Learned | None:  # noqa: ARG002
        """Learn from labelled decisions what answers tell of their own errors; None if nothing.

        Parameters
        ----------
        stored
            What `decide` stored, with a column `label`; at least one row.
        days : array-like, shape (n_rows,)
            Day of each row.
        """
        return None

    def expect(self, stored: pd.DataFrame, learned: Learned) -> dict[str, Expected]:  # noqa: ARG002
        """Return what measures of stored decisions are expected to be, by name.

        `cost_per_unit` is the first. Empty for kinds whose answers tell nothing of their errors.
        """
        return {}

    def surprises(self, stored: pd.DataFrame, learned: Learned) -> dict[str, NDArray[np.float64]]:  # noqa: ARG002
        """Return what each labelled row adds to realised measures, less what was expected of it.

        Parameters
        ----------
        stored
            What `decide` stored, with a column `label`.
        """
        return {}

    def contributions(
        self,
        answers: Answers,  # noqa: ARG002
        labels: pd.Series,  # noqa: ARG002
    ) -> NDArray[np.float64] | None:
        """Return what each answer adds to the leading metric, which is their mean.

        None where it is undefined on these labels, and for kinds without `costs.leads_by_row`.
        """
        return None

    def probabilities(
        self,
        answers: Answers,  # noqa: ARG002
        labels: pd.Series,  # noqa: ARG002
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
        """Return how likely answers said that something was, and whether it was so.

        None for kinds that say nothing of the sort: those without `costs.has_probabilities`.
        """
        return None

    def fortunes(self, answers: Answers, rows: pd.DataFrame) -> dict[str, NDArray[np.float64]]:  # noqa: ARG002
        """Return what a decision is to whom it concerns, row by row, by name.

        A group's mean of one is its rate. NaN where a row does not count.
        """
        return {}

    def comparable(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows as a check of single features against the label reads them."""
        return rows

    def is_event(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Return a yes or no for each row: what a column that knows the label would separate."""
        labels = rows[self.spec.gold.label]
        return np.asarray(labels > labels.median(), bool)

    # baselines

    def baselines(
        self, snapshot: pd.DataFrame, train: pd.DataFrame, rows: pd.DataFrame
    ) -> dict[str, Answers]:
        """Return what must be beaten: the constant, persistence and the rule, by name.

        Persistence answers with the last label of the same entity that was known when the decision
        was taken, and with the constant where none was.

        Parameters
        ----------
        snapshot
            All rows, of which some are `train` and some are `rows`, the ones that are answered.
        """
        labels = train[self.spec.gold.label]
        constant = self.constant(labels, len(rows))
        last = self._last_known(snapshot, rows)
        is_known = last.notna().to_numpy()
        persistence = constant.copy()
        if is_known.any():
            known = last[is_known].astype(labels.dtype)
            persistence[is_known] = self.from_labels(known)
        return {"constant": constant, "persistence": persistence, "rule": self.rule(rows)}

    def _last_known(self, snapshot: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
        gold = self.spec.gold
        if gold.entity:
            numbers = snapshot.groupby(list(gold.entity), dropna=False, sort=False).ngroup()
        else:
            numbers = pd.Series(0, snapshot.index)
        labels = pd.DataFrame(
            {
                "entity": numbers,
                "moment": snapshot[gold.label_known_at],
                "decided": snapshot[gold.decided_at],
                "label": snapshot[gold.label].astype(object),
            }
        ).sort_values(["moment", "decided"], kind="stable")
        asked = pd.DataFrame(
            {"entity": numbers[rows.index], "moment": rows[gold.decided_at]}
        ).sort_values("moment", kind="stable")
        found = pd.merge_asof(asked, labels, on="moment", by="entity").set_index(asked.index)
        return found["label"].reindex(rows.index)


def rate(value: float) -> float | None:
    """Return a measure, or None where it is not a number."""
    return float(value) if np.isfinite(value) else None


def is_finite(answers: Answers, shape: tuple[int, ...]) -> bool:
    """Whether answers are of a shape, and all are finite numbers."""
    return answers.shape == shape and bool(np.isfinite(answers).all())


def fitted(model: Any, rows: Any, target: Any, weights: Any, where: str, threads: int = 1) -> Any:
    """Fit an estimator; say what is wrong if that fails or does not converge.

    Raises
    ------
    TrainingError
        If it does.
    """
    from sklearn.exceptions import ConvergenceWarning

    steps = getattr(model, "steps", None)
    prefix = f"{steps[-1][0]}__" if steps else ""
    weighing = {} if weights is None else {f"{prefix}sample_weight": weights}
    try:
        with warnings.catch_warnings(), threads_limited(threads):
            warnings.simplefilter("error", ConvergenceWarning)
            return model.fit(rows, target, **weighing)
    except ConvergenceWarning as error:
        told = str(error).splitlines()[0].rstrip(".")
        raise TrainingError(
            f"{where} did not converge, so its answers are arbitrary: {told}; "
            "raise params.max_iter, or ask for less"
        ) from error
    except MemoryError:
        raise  # of which `memory_mb` says more
    except (TypeError, ValueError) as error:
        remedy = _infinite(rows) or "; look at its params"
        raise TrainingError(f"{where} can't be fitted: {error}{remedy}") from error
    except Exception as error:  # whatever a use case's own estimator raises
        raise TrainingError(f"{where} can't be fitted: {error!r}; mend its type") from error


def _infinite(features: pd.DataFrame) -> str:
    """Say which features are infinite in some row, or as good as that; nothing if none is."""
    numbers = features.select_dtypes("number")
    names = numbers.columns[(numbers.abs() > _HUGE).any()].tolist()
    return f"; {', '.join(names)} is infinite or huge in some row: mend its SQL" if names else ""
