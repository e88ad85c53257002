"""What the policy looks at, collected: nothing here decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from ratchet.incidents import Finding, Incident, known_incidents, read_judged
from ratchet.monitoring import Observation, known_observation
from ratchet.retraining.past import trainings
from ratchet.retraining.proof import prove
from ratchet.retraining.record import Alarm, Reason, Situation
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window

_REASONS: dict[str, Reason] = {
    "performance": "realised_performance",
    "kpi": "kpi",
    "estimate": "estimated_performance",
    "feature_drift": "drift",
    "prediction_drift": "drift",
    "label_drift": "drift",
    "multivariate_drift": "drift",
}
"""What a finding of a family is a reason for. Missing values and a slow service are no model's."""


_COSTS = ("performance", "estimate")


def gather(spec: Spec, window: Window, settings: Settings) -> Situation:
    """Return all that the decision to retrain at a window's end rests on.

    Depends on nothing that became known, or was requested, later than the window.

    Raises
    ------
    EvidenceError
        If there is a champion, and the window is not scored; or if predictions are not usable.
    """
    from ratchet.warehouse import count_labels

    observation = known_observation(spec, window, settings)
    incidents = known_incidents(spec, window, settings)
    findings = read_judged(spec, window, settings)
    alarms = alarms_of(observation, findings, incidents, spec)
    drifted = any(alarm.reason == "drift" for alarm in alarms)
    labels = count_labels(spec, window.end, settings)
    return Situation(
        observation=observation,
        alarms=alarms,
        proof=prove(spec, window, observation, settings) if drifted else None,
        faults=tuple(
            f"{incident.title} ({incident.id}): {incident.text}"
            for incident in incidents
            if incident.cause == "data"
        ),
        matured_labels=sum(labels.values()),
        rare_labels=min(labels.values(), default=0) if spec.costs.label_type != "double" else None,
        past=trainings(spec, settings, window, with_costs=True),
    )


def alarms_of(
    observation: Observation,
    findings: Sequence[Finding],
    incidents: Sequence[Incident],
    spec: Spec,
) -> tuple[Alarm, ...]:
    """Return the findings of a window that ask for a retraining.

    What a fault of the data explains does not, nor does a model that does better than expected. A
    KPI does where it moved together with the model:
    its finding belongs to an incident of a concept change.
    """
    explained = {
        name: incident.cause
        for incident in incidents
        for name in (*incident.silenced, *incident.evidence)
    }
    found = [
        _alarm(_REASONS[finding.family], finding)
        for finding in findings
        if finding.state == "found"
        and finding.family in _REASONS
        and explained.get(finding.name) != "data"
        and (finding.family not in _COSTS or finding.direction != "down")
        and (finding.family != "kpi" or explained.get(finding.name) == "concept")
    ]
    measured = {finding.family for finding in findings}
    return (*found, *_by_limit(observation, measured, spec))


def _alarm(reason: Reason, finding: Finding) -> Alarm:
    assert finding.effect is not None
    return Alarm(
        reason=reason,
        name=finding.name,
        effect=finding.effect,
        floor=finding.floor,
        unit=finding.unit,
        text=finding.text,
    )


def _by_limit(observation: Observation, measured: Set[str], spec: Spec) -> Iterator[Alarm]:
    """Yield a realised cost beyond the declared limit, where no signal measured it."""
    limits = spec.retraining
    realised, expected = observation.realised, observation.expected_cost_per_unit
    if (
        "performance" not in measured
        and expected is not None
        and realised
        and realised.window
        and realised.cost_per_unit is not None
    ):
        increase = realised.cost_per_unit - expected
        if increase > limits.max_cost_increase_per_unit:
            unit = f"{spec.costs.unit} per {spec.gold.unit}"
            yield Alarm(
                reason="realised_performance",
                name="performance.cost",
                effect=increase,
                floor=limits.max_cost_increase_per_unit,
                unit=unit,
                text=f"From {Window.parse(realised.window)}, with all labels in, version "
                f"{observation.champion} cost {realised.cost_per_unit:.2f} {unit}, {increase:.2f} "
                f"more than the {expected:.2f} at its gate; over "
                f"{limits.max_cost_increase_per_unit:g} more is too much.",
            )
