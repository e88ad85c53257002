"""How good a candidate is, and whether that is good enough to become champion."""

from ratchet.evaluation.evidence import (
    EVIDENCE_FILE,
    Challenger,
    Champion,
    Evidence,
    LoadCheck,
    load_evidence,
)
from ratchet.evaluation.gate import judge
from ratchet.evaluation.measuring import evaluate
from ratchet.evaluation.metrics import Difference, Quality, difference, measure

__all__ = [
    "EVIDENCE_FILE",
    "Challenger",
    "Champion",
    "Difference",
    "Evidence",
    "LoadCheck",
    "Quality",
    "difference",
    "evaluate",
    "judge",
    "load_evidence",
    "measure",
]
