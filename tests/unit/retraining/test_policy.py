"""The policy, clause by clause: each has a case that passes and one that does not."""

import pytest
from situations import WEEKS, new_labels, observed, situation

from ratchet.retraining import REASONS, Alarm, Proof, Training, decide, ticket
from ratchet.spec import Spec
from ratchet.statistics import Comparison
from ratchet.window import Window


def alarm(reason: str, effect: float = 4.0) -> Alarm:
    text = f"{reason} was found."
    return Alarm(reason=reason, name=reason, effect=effect, floor=3.0, unit="points", text=text)


def proof(p_value: float) -> Proof:
    comparison = Comparison(
        estimate=-0.5,
        standard_error=0.2,
        degrees_of_freedom=6,
        low=-0.9,
        high=-0.1,
        margin=0,
        p_value=p_value,
        clusters=7,
        rows=6000,
    )
    cohort = WEEKS[-2].key
    return Proof(cohort=cohort, estimator="boosting", train_rows=20_000, comparison=comparison)


def training(window: Window, outcome: str, reason: str = "new_labels", **more: object) -> Training:
    is_taken_up = outcome != "waiting"
    return Training(
        request=f"retrain/{window.key}/0",
        window=window.key,
        reason=reason,
        trained=window.key if is_taken_up else None,
        outcome=outcome,
        **more,
    )


PATIENT = {"cooldown_days": 1, "resume_after_days": 28}


def with_policy(spec: Spec, **changes: object) -> Spec:
    return spec.model_copy(update={"retraining": spec.retraining.model_copy(update={**changes})})


def unmet(decision) -> list[str]:
    return [clause.name for clause in decision.clauses if not (clause.passed or clause.suffices)]


def test_decide_quiet_week_holds_with_every_reason_explained(spec: Spec):
    decision = decide(situation(), spec)
    assert decision.verdict == "held"
    assert decision.evidence["reason"] is None
    reasons = [clause for clause in decision.clauses if clause.suffices]
    assert [clause.name for clause in reasons] == [r for r in REASONS if r != "on_demand"]
    assert decision.reasons == [clause.text for clause in reasons]
    assert unmet(decision) == []
    assert decision.subject == {"champion": "3"}


def test_decide_without_champion_asks_for_a_first_model(spec: Spec):
    first = observed(champion=None, realised=None)
    decision = decide(situation(observation=first), spec)
    assert (decision.verdict, decision.evidence["reason"]) == ("requested", "first_model")


@pytest.mark.parametrize("reason", ["realised_performance", "kpi", "estimated_performance"])
def test_decide_finding_is_a_reason_and_its_text_is_told(spec: Spec, reason: str):
    decision = decide(situation(alarms=(alarm(reason),)), spec)
    assert (decision.verdict, decision.evidence["reason"]) == ("requested", reason)
    assert decision.reasons == [f"{reason} was found."]
    assert decide(situation(), spec).verdict == "held"


@pytest.mark.parametrize(
    "found, verdict", [(None, "held"), (proof(0.5), "held"), (proof(0.01), "requested")]
)
def test_decide_drift_asks_only_with_proof_that_a_retraining_helps(
    spec: Spec, found: Proof | None, verdict: str
):
    decision = decide(situation(alarms=(alarm("drift"),), proof=found), spec)
    assert decision.verdict == verdict
    clause = next(clause for clause in decision.clauses if clause.name == "drift")
    said = {None: "nobody can say", "held": "would not help", "requested": "would help"}
    assert said[verdict if found else None] in clause.text


def test_decide_proof_without_drift_is_no_reason(spec: Spec):
    assert decide(situation(proof=proof(0.0)), spec).verdict == "held"


@pytest.mark.parametrize("difference, passes", [(-1, False), (0, True)])
def test_decide_enough_new_labels_are_a_reason(spec: Spec, difference: int, passes: bool):
    labels = spec.retraining.min_new_labels + difference
    decision = decide(situation(observation=observed(new_labels=labels)), spec)
    assert decision.evidence["reason"] == ("new_labels" if passes else None)


@pytest.mark.parametrize("every_days, verdict", [(None, "held"), (8, "held"), (7, "requested")])
def test_decide_schedule_asks_when_the_last_training_is_old(spec: Spec, every_days, verdict: str):
    decision = decide(situation(), with_policy(spec, every_days=every_days))
    assert decision.verdict == verdict


def test_decide_several_reasons_names_the_most_trusted_and_says_all(spec: Spec):
    alarms = tuple(alarm(reason) for reason in ("drift", "estimated_performance", "kpi"))
    decision = decide(new_labels(alarms=alarms, proof=proof(0.01)), spec)
    assert decision.evidence["reason"] == "kpi"
    asking = [clause.name for clause in decision.settling]
    assert asking == ["kpi", "estimated_performance", "drift", "new_labels"]


def test_decide_what_is_not_known_is_no_reason(spec: Spec):
    decision = decide(situation(observation=observed(realised=None)), spec)
    assert decision.verdict == "held"
    assert "No cohort that version 3 decided has all its labels yet." in decision.reasons


@pytest.mark.parametrize(
    "limits, changes, name",
    [
        ({"min_matured_labels": 50_000}, {"matured_labels": 49_999}, "enough_labels"),
        ({"min_rare_labels": 100}, {"rare_labels": 99}, "enough_rare_labels"),
        ({"cooldown_days": 7.5}, {"past": (training(WEEKS[-2], "won"),)}, "cooled_down"),
        (
            {"max_runs": 2},
            {"past": (training(WEEKS[0], "won"), training(WEEKS[1], "won"))},
            "runs_in_budget",
        ),
        ({"max_cpu_h": 1.0}, {"past": (training(WEEKS[1], "won", cpu_h=1.1),)}, "cpu_in_budget"),
        ({}, {"past": (training(WEEKS[2], "waiting"),)}, "none_in_flight"),
        ({}, {"past": (training(WEEKS[2], "running"),)}, "none_in_flight"),
        ({}, {"faults": ("weather is in miles.",)}, "not_poisoned"),
        (
            {},
            {"past": (training(WEEKS[0], "lost"), training(WEEKS[1], "lost"))},
            "not_stopped",
        ),
    ],
)
def test_decide_condition_that_is_not_met_holds_and_says_so(spec: Spec, limits, changes, name: str):
    declared = with_policy(spec, **{**PATIENT, **limits})
    decision = decide(new_labels(**changes), declared)
    assert decision.verdict == "held"
    assert unmet(decision) == [name]
    assert decision.reasons == [clause.text for clause in decision.clauses if clause.name == name]
    assert decision.evidence["reason"] == "new_labels"
    assert decide(new_labels(), declared).verdict == "requested"


@pytest.mark.parametrize(
    "limits, changes",
    [
        ({"min_matured_labels": 50_000}, {"matured_labels": 50_000}),
        ({"min_rare_labels": 100}, {"rare_labels": 100}),
        ({"min_rare_labels": 100}, {"rare_labels": None}),  # a label that is no class
        ({"cooldown_days": 7}, {"past": (training(WEEKS[-2], "won"),)}),
        ({"max_runs": 2}, {"past": (training(WEEKS[1], "won"),)}),
        ({"max_cpu_h": 1.0}, {"past": (training(WEEKS[1], "won", cpu_h=1.0),)}),
        ({}, {"past": (training(WEEKS[2], "given_up"),)}),
        ({}, {"past": (training(WEEKS[2], "untrained"),)}),
        ({}, {"past": (training(WEEKS[1], "lost"),)}),
    ],
)
def test_decide_condition_that_is_just_met_lets_the_retraining_begin(spec: Spec, limits, changes):
    decision = decide(new_labels(**changes), with_policy(spec, **{**PATIENT, **limits}))
    assert decision.verdict == "requested", decision.reasons


LOST = (training(WEEKS[0], "lost"), training(WEEKS[1], "lost", reason="drift"))


@pytest.mark.parametrize(
    "past, alarms, resume_after_days, verdict",
    [
        (LOST, (), 28, "held"),
        (LOST, (), 14, "requested"),  # after a declared time, one more is tried
        (LOST, (alarm("realised_performance"),), 28, "requested"),  # trusted more than theirs
        (LOST, (alarm("drift"),), 28, "held"),  # trusted as much as one of them
        (tuple(t.model_copy(update={"is_forgiven": True}) for t in LOST), (), 28, "requested"),
        ((*LOST, training(WEEKS[2], "won")), (), 28, "requested"),
        ((LOST[0], training(WEEKS[1], "untrained"), LOST[1]), (), 28, "held"),
    ],
)
def test_decide_stop_after_two_lost_is_lifted_by_what_is_declared(
    spec: Spec, past, alarms, resume_after_days: float, verdict: str
):
    declared = with_policy(spec, resume_after_days=resume_after_days, cooldown_days=1)
    decision = decide(new_labels(past=past, alarms=alarms, proof=proof(0.01)), declared)
    assert decision.verdict == verdict, decision.reasons


def test_ticket_of_a_stop_is_one_for_the_owner_however_long_it_lasts(spec: Spec):
    spec = with_policy(spec, **PATIENT)
    decision = decide(new_labels(past=LOST), spec)
    told = ticket(decision, LOST, spec)
    assert told is not None
    assert (told.kind, told.verdict, told.window) == ("escalation", "escalated", WEEKS[1].key)
    assert spec.owner.email in told.reasons[0]
    assert "ratchet retraining lift flights" in told.reasons[0]
    later = observed(window="2013-03-15T0000--2013-03-22T0000", new_labels=9000)
    again = ticket(decide(situation(observation=later, past=LOST), spec), LOST, spec)
    assert again is not None
    assert again.key == told.key
    assert ticket(decide(new_labels(past=LOST[:1]), spec), LOST[:1], spec) is None


def test_decide_is_recorded_alike_each_time(spec: Spec):
    first, second = (decide(new_labels(past=LOST), spec) for _ in range(2))
    assert first == second
    assert type(first).model_validate_json(first.model_dump_json()) == first
