"""What people decide about incidents, in the ledger; and what follows from it for a rule."""

from __future__ import annotations

from ratchet.decision import Decision
from ratchet.ledger import Ledger
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.spec.alerts import Severity
from ratchet.window import Window


def resolutions(
    spec: Spec, before: Window, window: Window, settings: Settings
) -> dict[str, Decision]:
    """Return what people resolved between two windows that follow each other, by incident."""
    decided = Ledger(settings.lake(spec.name).ledger).decisions("incident")
    return {
        decision.subject["incident"]: decision
        for decision in decided
        if decision.verdict == "resolved" and before.key <= decision.window < window.key
    }


def demotions(spec: Spec, window: Window, settings: Settings) -> dict[str, Severity]:
    """Return the highest severity that is left to each rule that was demoted before a window."""
    decided = Ledger(settings.lake(spec.name).ledger).decisions("demotion")
    return {
        decision.subject["rule"]: decision.subject["to"]  # type: ignore[misc]
        for decision in decided
        if decision.window <= window.key
    }
