"""Watching: realised performance, drift, and the decision to retrain."""

from ratchet.monitoring.drift import Drift, compare, psi
from ratchet.monitoring.observation import Observation, observe
from ratchet.monitoring.performance import (
    SCORED_POLICIES,
    Performance,
    Realised,
    realised,
    scored_windows,
)
from ratchet.monitoring.retraining import decide_retraining

__all__ = [
    "SCORED_POLICIES",
    "Drift",
    "Observation",
    "Performance",
    "Realised",
    "compare",
    "decide_retraining",
    "observe",
    "psi",
    "realised",
    "scored_windows",
]
