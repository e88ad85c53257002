"""What the policy looks at, collected: nothing here decides."""

from __future__ import annotations

from collections.abc import Iterator

from ratchet.monitoring import Observation, observe
from ratchet.retraining.past import trainings
from ratchet.retraining.proof import prove
from ratchet.retraining.record import Alarm, Situation
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window


def gather(spec: Spec, window: Window, settings: Settings) -> Situation:
    """Return all that the decision to retrain at a window's end rests on.

    Depends on nothing that became known, or was requested, later than the window.

    Raises
    ------
    EvidenceError
        If there is a champion, and the window's predictions are missing or not usable.
    """
    from ratchet.warehouse import count_labels

    observation = observe(spec, window, settings)
    alarms = tuple(_alarms(observation, spec))
    drifted = any(alarm.reason == "drift" for alarm in alarms)
    labels = count_labels(spec, window.end, settings)
    return Situation(
        observation=observation,
        alarms=alarms,
        proof=prove(spec, window, observation, settings) if drifted else None,
        matured_labels=sum(labels.values()),
        rare_labels=min(labels.values(), default=0) if spec.costs.label_type != "double" else None,
        past=trainings(spec, settings, window, with_costs=True),
    )


def _alarms(observation: Observation, spec: Spec) -> Iterator[Alarm]:
    """Yield what was found in the window."""
    limits = spec.retraining
    realised, expected = observation.realised, observation.expected_cost_per_unit
    if realised and realised.window and realised.cost_per_unit is not None and expected is not None:
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
    drift = observation.prediction_drift
    if drift and drift.psi is not None and drift.psi >= limits.max_prediction_psi:
        yield Alarm(
            reason="drift",
            name="prediction_drift.psi",
            effect=drift.psi,
            floor=limits.max_prediction_psi,
            unit="PSI",
            text=f"The predictions' PSI against the champion's training is {drift.psi:.3f}; from "
            f"{limits.max_prediction_psi:g} on it is a large shift.",
        )
