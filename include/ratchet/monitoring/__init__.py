"""Watching: realised performance, and drift."""

from ratchet.monitoring.departures import watch_drift
from ratchet.monitoring.drift import Drift, Pair, compare, pair_columns
from ratchet.monitoring.labelling import export_labels, import_labels
from ratchet.monitoring.observation import Observation, known_observation, observe
from ratchet.monitoring.performance import (
    SCORED_POLICIES,
    Performance,
    Realised,
    realised,
    scored_windows,
)
from ratchet.monitoring.signal import Signal, read_signals, write_signals
from ratchet.monitoring.watching import watch

__all__ = [
    "SCORED_POLICIES",
    "Drift",
    "Observation",
    "Pair",
    "Performance",
    "Realised",
    "Signal",
    "compare",
    "export_labels",
    "import_labels",
    "known_observation",
    "observe",
    "pair_columns",
    "read_signals",
    "realised",
    "scored_windows",
    "watch",
    "watch_drift",
    "write_signals",
]
