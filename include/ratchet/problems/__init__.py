"""What kinds of problems have in common, and how each differs: the estimator contract.

Everything downstream asks the kind of its spec, and nothing else, what an answer is, how it is
measured, what is decided on it, and what that cost.
"""

from __future__ import annotations

from ratchet.problems.binary import Binary
from ratchet.problems.estimators import import_factory, wrong_parameters
from ratchet.problems.expectations import COST, Expectations, Learned, learn_expectations
from ratchet.problems.multiclass import Multiclass
from ratchet.problems.problem import Answers, Columns, Problem, fitted
from ratchet.problems.ranking import Ranking
from ratchet.problems.regression import Regression
from ratchet.problems.segmentation import Segmentation
from ratchet.problems.threads import threads_limited
from ratchet.spec import Spec

__all__ = [
    "COST",
    "Answers",
    "Columns",
    "Expectations",
    "Learned",
    "Problem",
    "fitted",
    "import_factory",
    "learn_expectations",
    "problem_of",
    "threads_limited",
    "wrong_parameters",
]

_KINDS: dict[str, type[Problem]] = {
    "binary": Binary,
    "multiclass": Multiclass,
    "regression": Regression,
    "ranking": Ranking,
    "segmentation": Segmentation,
}


def problem_of(spec: Spec) -> Problem:
    """Return what a use case's kind of problem does."""
    return _KINDS[spec.costs.problem](spec)
