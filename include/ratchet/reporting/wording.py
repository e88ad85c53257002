"""How the report words things, alike in the terminal and on the page."""

from __future__ import annotations

from ratchet.decision import Decision
from ratchet.spec import Spec
from ratchet.window import Window

POLICY_LABELS = {
    "decision": "What was decided",
    "first": "First model, frozen",
    "rule": "Rule, refreshed",
}
KIND_LABELS = {
    "data": "Data",
    "contract": "Contract",
    "correction": "Correction",
    "unblock": "Unblocking",
    "retrain": "Retraining",
    "training": "Training",
    "lift": "Lifting of a stop",
    "release": "Gate",
    "escalation": "Escalation",
    "approval": "Approval",
    "refit": "Refit",
    "promotion": "Promotion",
    "bake": "Watch over a new champion",
    "rollback": "Rollback",
    "drill": "Rollback drill",
    "incident": "Incident",
    "silence": "Silence",
    "demotion": "Demoted rule",
}
GOOD = frozenset(
    {
        "accepted",
        "approved",
        "corrected",
        "kept",
        "lifted",
        "passed",
        "promoted",
        "requested",
        "rolled back",
        "started",
    }
)
MISSING = "–"
COMPARISONS = ("better_than_baseline", "better_than_champion", "not_worse_than_champion")
"""Clauses of the gate that say what an accepted candidate is worth: the others only let it pass."""


def number(value: float | None, form: str) -> str:
    """Format a number that may be missing."""
    return MISSING if value is None else format(value, form)


def why(decision: Decision) -> str:
    """Say in one line what settled a decision."""
    if decision.kind == "promotion":
        return f"It decides from {Window.parse(decision.window).end:%Y-%m-%d} on."
    if not _by_all(decision):
        return " ".join(decision.reasons)
    if decision.kind == "retrain":
        return "No trigger is met."
    return f"All {len(decision.clauses)} conditions are met."


def rested_on(decision: Decision) -> str:
    """List what was observed, with the limits, where `why` names no numbers."""
    if not _by_all(decision):
        return ""
    if decision.kind == "release" and decision.verdict == "accepted":
        return " ".join(each.text for each in decision.clauses if each.name in COMPARISONS)
    clauses = (
        f"{clause.name.replace('_', ' ')} {compared(clause.observed)} ({compared(clause.required)})"
        for clause in decision.settling
    )
    return f"Observed (limit): {', '.join(clauses)}."


def compared(value: float | str) -> str:
    """Format one side of a comparison."""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value.is_integer() else f"{value:.4g}"


def cell(text: str) -> str:
    """Write a text so that it stays one cell of a table in Markdown."""
    return " ".join(text.splitlines()).replace("\\", "\\\\").replace("|", "\\|")


def _by_all(decision: Decision) -> bool:
    """Whether no single clause, but all of several together led to the verdict."""
    settling = decision.settling
    if decision.kind == "retrain":
        unasked = {(False, any(clause.suffices for clause in decision.clauses))}
        return len(settling) > 1 and {(c.passed, c.suffices) for c in settling} == unasked
    return len(settling) == len(decision.clauses) > 1 and len({c.passed for c in settling}) == 1


def cost_lines(spec: Spec) -> list[str]:
    """Say what the costs are, and that they are assumed."""
    return [
        spec.costs.describe(spec.gold.unit, spec.gold.label),
        f"These costs are assumed: {spec.costs.assumption}",
    ]


def policy_labels(spec: Spec) -> dict[str, str]:
    """Name what decisions are compared with, and the decisions themselves."""
    return {**POLICY_LABELS, **spec.costs.policies}


def references(spec: Spec) -> dict[str, str]:
    """Name what savings are counted against, the simplest first: doing nothing, if one can."""
    nothing = spec.costs.do_nothing
    named = {nothing: f"against {nothing} acting"} if nothing else {}
    return {**named, "rule": "against the rule", "first": "against the first model"}


def subject(decision: Decision) -> str:
    """Say in a few words what was decided on."""
    for name in ("version", "candidate", "champion", "feed"):
        if (found := decision.subject.get(name, "none")) != "none":
            return f"{name} {found}"
    return ""
