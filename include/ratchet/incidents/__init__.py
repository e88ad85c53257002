"""From what was measured to what somebody is told: findings, incidents, notifications."""

from ratchet.incidents.alert import Alert
from ratchet.incidents.delivery import Address, deliver, message, pending, send
from ratchet.incidents.finding import Finding, judge, judge_window, read_judged
from ratchet.incidents.incident import Incident
from ratchet.incidents.people import mark, resolve, silence
from ratchet.incidents.store import (
    ALERTS,
    INCIDENTS,
    all_incidents,
    digests_now,
    find_incident,
    incident_windows,
    known_incidents,
    open_incidents,
    read_alerts,
    read_incidents,
)

__all__ = [
    "ALERTS",
    "INCIDENTS",
    "Address",
    "Alert",
    "Finding",
    "Incident",
    "all_incidents",
    "deliver",
    "digests_now",
    "find_incident",
    "incident_windows",
    "judge",
    "judge_window",
    "known_incidents",
    "mark",
    "message",
    "open_incidents",
    "pending",
    "read_alerts",
    "read_incidents",
    "read_judged",
    "resolve",
    "send",
    "silence",
]
