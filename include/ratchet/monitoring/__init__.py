"""Watching: realised performance, drift, and the decision to retrain."""

from ratchet.monitoring.drift import Drift, psi
from ratchet.monitoring.observation import Observation, observe
from ratchet.monitoring.performance import (
    POLICIES,
    Performance,
    Policy,
    Realised,
    realised,
    scored_windows,
)
from ratchet.monitoring.retraining import decide_retraining

__all__ = [
    "POLICIES",
    "Drift",
    "Observation",
    "Performance",
    "Policy",
    "Realised",
    "decide_retraining",
    "observe",
    "psi",
    "realised",
    "scored_windows",
]
