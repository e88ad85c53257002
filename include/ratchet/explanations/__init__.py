"""What a model's answers rest on, as a whole and one by one. Pure functions of models and rows."""

from ratchet.explanations.contributions import (
    Contributions,
    contribute,
    reasons,
    typical,
)
from ratchet.explanations.explaining import explain
from ratchet.explanations.record import (
    EXPLANATIONS_FILE,
    Bin,
    Explanations,
    Importance,
    Reliability,
    told_once,
)
from ratchet.explanations.trees import tree_contributions

__all__ = [
    "EXPLANATIONS_FILE",
    "Bin",
    "Contributions",
    "Explanations",
    "Importance",
    "Reliability",
    "contribute",
    "explain",
    "reasons",
    "told_once",
    "tree_contributions",
    "typical",
]
