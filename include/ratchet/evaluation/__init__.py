"""How good a candidate is, and whether that is good enough to become champion."""

from ratchet.evaluation.blessing import bless_in_clean_process
from ratchet.evaluation.evidence import (
    EVIDENCE_FILE,
    BehaviourTest,
    Blessing,
    Challenger,
    Champion,
    Disturbance,
    Evidence,
    Examination,
    Fold,
    Group,
    Rate,
    Refusals,
    Slices,
    load_evidence,
)
from ratchet.evaluation.gate import blessing_clauses, judge
from ratchet.evaluation.measuring import evaluate
from ratchet.evaluation.metrics import Quality, compare, measure

__all__ = [
    "EVIDENCE_FILE",
    "BehaviourTest",
    "Blessing",
    "Challenger",
    "Champion",
    "Disturbance",
    "Evidence",
    "Examination",
    "Fold",
    "Group",
    "Quality",
    "Rate",
    "Refusals",
    "Slices",
    "bless_in_clean_process",
    "blessing_clauses",
    "compare",
    "evaluate",
    "judge",
    "load_evidence",
    "measure",
]
