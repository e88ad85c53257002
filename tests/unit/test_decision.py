"""A decision is what it was decided on, and gives its reasons as sentences."""

import pytest
from pydantic import ValidationError

from ratchet.decision import Clause, Decision


def clause(name: str, *, passed: bool) -> Clause:
    return Clause(name=name, passed=passed, observed=0.6, required=0.65, text=f"{name} is so.")


def decision(**changes: object) -> Decision:
    fields: dict[str, object] = {
        "kind": "release",
        "use_case": "flights",
        "window": "2013-03-01T0000--2013-03-08T0000",
        "verdict": "refused",
        "clauses": (clause("floor", passed=False), clause("baseline", passed=True)),
        "subject": {"snapshot": "abc", "estimator": "boosting"},
    }
    return Decision.model_validate(fields | changes)


@pytest.mark.parametrize("field", ["observed", "required"])
def test_clause_nan_is_refused(field):
    numbers = {"observed": 0.6, "required": 0.65} | {field: float("nan")}
    with pytest.raises(ValidationError, match="a clause needs a number, not NaN"):
        Clause(name="floor", passed=True, text="It is so.", **numbers)


def test_clause_number_and_text_keep_their_kind():
    kept = Clause(name="x", passed=True, observed=1, required="[0, 2)", text="It is so.")
    assert (kept.observed, kept.required) == (1.0, "[0, 2)")


def test_key_same_subject_is_the_same_whatever_the_evidence():
    reordered = {"estimator": "boosting", "snapshot": "abc"}
    other = decision(subject=reordered, verdict="accepted", evidence={"rows": 7}, clauses=())
    assert other.key == decision().key


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "promotion"},
        {"window": "2013-03-08T0000--2013-03-15T0000"},
        {"subject": {"snapshot": "abd", "estimator": "boosting"}},
    ],
)
def test_key_other_kind_window_or_subject_is_another(changes):
    assert decision(**changes).key != decision().key


def test_reasons_gate_refusing_gives_what_failed():
    assert decision().reasons == ["floor is so."]


def test_reasons_gate_accepting_gives_all():
    passed = (clause("floor", passed=True), clause("baseline", passed=True))
    assert decision(clauses=passed).reasons == ["floor is so.", "baseline is so."]


def test_reasons_trigger_requesting_gives_what_fired():
    assert decision(kind="retrain").reasons == ["baseline is so."]


def test_reasons_trigger_holding_gives_all():
    quiet = (clause("cost", passed=False), clause("drift", passed=False))
    assert decision(kind="retrain", clauses=quiet).reasons == ["cost is so.", "drift is so."]


def test_decision_unknown_kind_or_field_is_refused():
    for changes in ({"kind": "guess"}, {"mood": "good"}):
        with pytest.raises(ValidationError):
            decision(**changes)
