"""Must something be retrained? A pure function from what was observed to a decision."""

from __future__ import annotations

from ratchet.decision import Clause, Decision
from ratchet.monitoring.observation import Observation
from ratchet.spec import Spec
from ratchet.window import Window

UNKNOWN = "unknown"


def decide_retraining(observation: Observation, spec: Spec) -> Decision:
    """Ask for a retraining if any of the use case's triggers is met.

    The triggers stand in order of trust: there is no champion; the champion costs more than its
    gate saw, on labels that are all in; its predictions drifted; enough new labels matured. What
    can't be known yet (no mature cohort, too few rows) triggers nothing, and says so.

    Returns
    -------
    Decision
        Of kind `retrain`. A clause has *passed* if its condition asks for a retraining: one is
        enough for the verdict `requested`, and without any it is `held`. `evidence["reason"]` is
        the name of the first clause that passed, or None.
    """
    clauses = (
        _first_model(observation),
        _realised_cost(observation, spec),
        _prediction_drift(observation, spec),
        _new_labels(observation, spec),
    )
    reason = next((clause.name for clause in clauses if clause.passed), None)
    return Decision(
        kind="retrain",
        use_case=spec.name,
        window=observation.window,
        verdict="requested" if reason else "held",
        clauses=clauses,
        subject={"champion": observation.champion or "none"},
        evidence={
            "reason": reason,
            **observation.model_dump(mode="json", exclude={"use_case", "window", "cohorts"}),
        },
    )


def _first_model(observation: Observation) -> Clause:
    champion = observation.champion
    return Clause(
        name="first_model",
        passed=champion is None,
        observed=champion or "none",
        required="none",
        text=f"Version {champion} is champion."
        if champion
        else "There is no champion yet, so a first model is needed.",
    )


def _realised_cost(observation: Observation, spec: Spec) -> Clause:
    limit = spec.retraining.max_cost_increase_per_unit
    realised, expected = observation.realised, observation.expected_cost_per_unit
    increase: float | str = UNKNOWN
    if observation.champion is None or expected is None:
        text = "Without a champion there is no realised performance."
    elif realised is None or realised.window is None or realised.cost_per_unit is None:
        text = f"No cohort that version {observation.champion} decided has all its labels yet."
    else:
        increase = realised.cost_per_unit - expected
        text = (
            f"From {Window.parse(realised.window)}, with all labels in, version "
            f"{observation.champion} cost {realised.cost_per_unit:.2f} {spec.costs.unit} per "
            f"{spec.gold.unit}, {abs(increase):.2f} {'more' if increase > 0 else 'less'} than the "
            f"{expected:.2f} at its gate; over {limit:g} more is too much."
        )
    return Clause(
        name="realised_cost",
        passed=isinstance(increase, float) and increase > limit,
        observed=increase,
        required=limit,
        text=text,
    )


def _prediction_drift(observation: Observation, spec: Spec) -> Clause:
    limit = spec.retraining.max_prediction_psi
    drift = observation.prediction_drift
    psi: float | str = UNKNOWN
    if drift is None:
        text = "Without a champion there are no predictions that could drift."
    elif drift.psi is None:
        text = (
            f"{drift.rows:,} predictions are too few to tell a drift from chance; "
            f"{spec.monitoring.min_rows:,} are needed."
        )
    else:
        psi = drift.psi
        text = (
            f"The predictions' PSI against the champion's training is {psi:.3f}; "
            f"from {limit:g} on it is a large shift."
        )
    return Clause(
        name="prediction_drift",
        passed=isinstance(psi, float) and psi >= limit,
        observed=psi,
        required=limit,
        text=text,
    )


def _new_labels(observation: Observation, spec: Spec) -> Clause:
    limit = spec.retraining.min_new_labels
    since = "since the last training" if observation.last_training else "so far"
    return Clause(
        name="new_labels",
        passed=observation.new_labels >= limit,
        observed=float(observation.new_labels),
        required=float(limit),
        text=f"{observation.new_labels:,} labels matured {since}; {limit:,} are worth a training.",
    )
