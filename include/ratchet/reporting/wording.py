"""How the report words things, alike in the terminal and on the page."""

from __future__ import annotations

from ratchet.decision import Decision
from ratchet.monitoring import Policy
from ratchet.spec import Spec
from ratchet.window import Window

POLICY_LABELS: dict[Policy, str] = {
    "decision": "What was decided",
    "first": "First model, frozen",
    "rule": "Rule, refreshed",
    "never": "Never act",
    "always": "Always act",
    "perfect": "Perfect foresight",
}
KIND_LABELS = {
    "data": "Data",
    "contract": "Contract",
    "correction": "Correction",
    "unblock": "Unblocking",
    "retrain": "Retraining",
    "release": "Gate",
    "approval": "Approval",
    "promotion": "Promotion",
}
GOOD = frozenset({"accepted", "approved", "corrected", "promoted", "requested"})
MISSING = "–"


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
    clauses = (
        f"{clause.name.replace('_', ' ')} {compared(clause.observed)} ({compared(clause.required)})"
        for clause in decision.clauses
    )
    return f"Observed (limit): {', '.join(clauses)}."


def compared(value: float | str) -> str:
    """Format one side of a comparison."""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value.is_integer() else f"{value:.4g}"


def _by_all(decision: Decision) -> bool:
    """Whether no single clause, but all of several together led to the verdict."""
    settled = len(decision.reasons) == len(decision.clauses) > 1
    return settled and len({clause.passed for clause in decision.clauses}) == 1


def cost_lines(spec: Spec) -> list[str]:
    """Say what the costs are, and that they are assumed."""
    costs = spec.costs
    return [
        f"Costs in {costs.unit} per {spec.gold.unit}: left alone {costs.negative_left_alone:g} "
        f"({spec.gold.label}: no) or {costs.positive_left_alone:g} (yes); acted on "
        f"{costs.negative_acted_on:g} (no) or {costs.positive_acted_on:g} (yes). "
        f"So acting pays from a probability of {costs.threshold:.3g}.",
        f"These costs are assumed: {costs.assumption}",
    ]


def subject(decision: Decision) -> str:
    """Say in a few words what was decided on."""
    for name in ("version", "candidate", "champion", "feed"):
        if (found := decision.subject.get(name, "none")) != "none":
            return f"{name} {found}"
    return ""
