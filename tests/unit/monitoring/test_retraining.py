import pytest

from ratchet.monitoring import Drift, Observation, Performance, decide_retraining
from ratchet.spec import Spec


def cohort(cost_per_unit: float | None) -> Performance:
    return Performance(
        window="2013-03-01T0000--2013-03-08T0000",
        policy="decision",
        version="3",
        total=100,
        labelled=100,
        total_cost=100 * (cost_per_unit or 0),
        cost_per_unit=cost_per_unit,
        metrics={},
    )


def drift(psi: float | None, rows: int = 6000) -> Drift:
    state = "ok" if psi is not None else "insufficient_data"
    return Drift(
        name="prediction", kind="prediction", state=state, rows=rows, psi=psi, missing_change=0
    )


def observed(**changes: object) -> Observation:
    """A quiet week of champion 3, with some changes."""
    quiet = Observation(
        use_case="flights",
        window="2013-03-08T0000--2013-03-15T0000",
        champion="3",
        expected_cost_per_unit=23.0,
        realised=cohort(23.0),
        prediction_drift=drift(0.02),
        drifted_features=(),
        last_training="2013-03-01T0000--2013-03-08T0000",
        new_labels=10,
    )
    return quiet.model_copy(update=changes)


def test_decide_retraining_quiet_week_holds_with_every_clause_explained(spec: Spec):
    decision = decide_retraining(observed(), spec)
    assert decision.verdict == "held"
    assert decision.evidence["reason"] is None
    assert decision.reasons == [clause.text for clause in decision.clauses]
    assert decision.subject == {"champion": "3"}


@pytest.mark.parametrize("increase, passes", [(0.0, False), (0.01, True)])
def test_decide_retraining_cost_above_the_gates_requests(spec: Spec, increase: float, passes: bool):
    limit = spec.retraining.max_cost_increase_per_unit
    decision = decide_retraining(observed(realised=cohort(23.0 + limit + increase)), spec)
    assert decision.evidence["reason"] == ("realised_cost" if passes else None)


@pytest.mark.parametrize("difference, passes", [(-0.01, False), (0.0, True)])
def test_decide_retraining_prediction_psi_at_its_limit_requests(
    spec: Spec, difference: float, passes: bool
):
    psi = spec.retraining.max_prediction_psi + difference
    decision = decide_retraining(observed(prediction_drift=drift(psi)), spec)
    assert decision.evidence["reason"] == ("prediction_drift" if passes else None)


@pytest.mark.parametrize("difference, passes", [(-1, False), (0, True)])
def test_decide_retraining_enough_new_labels_requests(spec: Spec, difference: int, passes: bool):
    labels = spec.retraining.min_new_labels + difference
    decision = decide_retraining(observed(new_labels=labels), spec)
    assert decision.evidence["reason"] == ("new_labels" if passes else None)


def test_decide_retraining_several_reasons_names_the_most_trusted_and_says_all(spec: Spec):
    decision = decide_retraining(
        observed(prediction_drift=drift(0.5), new_labels=9000, realised=cohort(40.0)), spec
    )
    assert decision.evidence["reason"] == "realised_cost"
    assert decision.reasons == [
        "From 2013-03-01 → 2013-03-08, with all labels in, version 3 cost 40.00 points per flight, "
        "17.00 more than the 23.00 at its gate; over 3 more is too much.",
        "The predictions' PSI against the champion's training is 0.500; from 0.25 on it is a "
        "large shift.",
        "9,000 labels matured since the last training; 5,000 are worth a training.",
    ]


def test_decide_retraining_what_is_not_known_triggers_nothing(spec: Spec):
    decision = decide_retraining(
        observed(realised=None, prediction_drift=drift(None, rows=40)), spec
    )
    assert decision.verdict == "held"
    found = {clause.name: (clause.observed, clause.text) for clause in decision.clauses}
    assert found["realised_cost"] == (
        "unknown",
        "No cohort that version 3 decided has all its labels yet.",
    )
    assert found["prediction_drift"] == (
        "unknown",
        "40 predictions are too few to tell a drift from chance; 1,000 are needed.",
    )


def test_decide_retraining_is_recorded_alike_each_time(spec: Spec):
    first, second = (decide_retraining(observed(), spec) for _ in range(2))
    assert first == second
    assert type(first).model_validate_json(first.model_dump_json()) == first
