"""From what was measured to what somebody is told: findings, incidents, notifications."""

from ratchet.incidents.finding import Finding, judge, judge_window, read_judged
from ratchet.incidents.incident import Incident
from ratchet.incidents.store import all_incidents, incident_windows, open_incidents, read_incidents

__all__ = [
    "Finding",
    "Incident",
    "all_incidents",
    "incident_windows",
    "judge",
    "judge_window",
    "open_incidents",
    "read_incidents",
    "read_judged",
]
