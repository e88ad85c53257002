"""How the report words things, alike in the terminal and on the page."""

from __future__ import annotations

from ratchet.decision import Decision
from ratchet.monitoring import Policy
from ratchet.spec import Spec

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
    "retrain": "Retraining",
    "release": "Gate",
    "approval": "Approval",
    "promotion": "Promotion",
}
GOOD = frozenset({"accepted", "approved", "promoted", "requested"})
MISSING = "–"


def number(value: float | None, form: str) -> str:
    """Format a number that may be missing."""
    return MISSING if value is None else format(value, form)


def why(decision: Decision) -> str:
    """Say in one line what settled a decision."""
    clauses = decision.clauses
    if len(clauses) > 1 and len(decision.reasons) == len(clauses):
        if decision.kind == "retrain":
            return "No trigger is met."
        if all(clause.passed for clause in clauses):
            return f"All {len(clauses)} conditions are met."
    return " ".join(decision.reasons)


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
    for name in ("version", "candidate", "champion"):
        if (found := decision.subject.get(name, "none")) != "none":
            return f"{name} {found}"
    return ""
