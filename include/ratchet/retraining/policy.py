"""Must something be retrained? A pure function from a situation to a decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ratchet.decision import Clause, Decision
from ratchet.monitoring import Observation
from ratchet.retraining.record import REASONS, Alarm, Reason, Situation, Training
from ratchet.spec import Spec
from ratchet.window import Window

UNKNOWN = "unknown"
BUDGET_DAYS = 30
"""Over which runs and CPU-hours are counted: a month, whichever."""


def decide(situation: Situation, spec: Spec) -> Decision:
    """Ask for a retraining if there is a reason for it, and all conditions are met.

    Reasons stand in order of trust: there is no champion; labels show that it got worse; a KPI
    does, and the model is the cause; an estimate without labels does; its data drifted, and a model
    fitted now would do better; enough new labels matured; the last training is old. What can't be
    known yet is no reason, and says so. Conditions are that there is enough to learn from, that the
    last training is not too near, that the budget is kept, that no other one is under way, that no
    fault of the data is open, and that the last candidates were not all lost.

    Returns
    -------
    Decision
        Of kind `retrain`, `requested` or `held`. A clause that suffices is a reason, and has passed
        if it asks for a retraining; all others are conditions. `evidence["reason"]` is the most
        trusted reason, or None.
    """
    reasons = tuple(_reasons(situation, spec))
    reason = next((clause.name for clause in reasons if clause.passed), None)
    conditions = tuple(_conditions(situation, reason, spec))
    observation = situation.observation
    asks = reason is not None and all(clause.passed for clause in conditions)
    return Decision(
        kind="retrain",
        use_case=spec.name,
        window=observation.window,
        verdict="requested" if asks else "held",
        clauses=(*reasons, *conditions),
        subject={"champion": observation.champion or "none"},
        evidence={
            "reason": reason,
            **observation.model_dump(mode="json", exclude={"use_case", "window"}),
            "alarms": [alarm.model_dump(mode="json") for alarm in situation.alarms],
            "proof": situation.proof.model_dump(mode="json") if situation.proof else None,
            "matured_labels": situation.matured_labels,
            "rare_labels": situation.rare_labels,
        },
    )


def demand(window: Window, person: str, why: str, champion: str | None, spec: Spec) -> Decision:
    """Return the request of a person, for whom no other condition holds than their own word."""
    clause = Clause(
        name="on_demand",
        passed=True,
        observed=person,
        required="a person",
        text=f"{person} asks for it: {why}",
        suffices=True,
    )
    return Decision(
        kind="retrain",
        use_case=spec.name,
        window=window.key,
        verdict="requested",
        clauses=(clause,),
        subject={"champion": champion or "none", "on_demand": why},
        evidence={"reason": clause.name},
        author=person,
    )


def lost_in_a_row(past: Sequence[Training]) -> list[Training]:
    """Return the lost ones since the last that was won or forgiven, newest first."""
    lost: list[Training] = []
    for training in reversed(past):
        if training.outcome == "won" or training.is_forgiven:
            break
        if training.outcome == "lost":
            lost.append(training)
    return lost


def _reasons(situation: Situation, spec: Spec) -> Iterator[Clause]:
    observation = situation.observation
    yield _first_model(observation)
    for name, without in (
        ("realised_performance", _realised(observation, spec)),
        ("kpi", "No KPI departs from what is expected in a way that the model explains."),
        ("estimated_performance", "No estimate says that the champion got worse."),
    ):
        yield _alarmed(name, [a for a in situation.alarms if a.reason == name], without)
    yield _drift(situation, spec)
    yield _new_labels(observation, spec)
    yield _schedule(situation, spec)


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
        suffices=True,
    )


def _alarmed(name: str, alarms: Sequence[Alarm], without: str) -> Clause:
    worst = max(alarms, key=lambda alarm: alarm.effect / alarm.floor, default=None)
    return Clause(
        name=name,
        passed=worst is not None,
        observed=worst.effect if worst else "no finding",
        required=worst.floor if worst else "a finding",
        text=" ".join(alarm.text for alarm in alarms) or without,
        suffices=True,
    )


def _realised(observation: Observation, spec: Spec) -> str:
    """Say what is known of the champion's realised cost where nothing was found."""
    realised, expected = observation.realised, observation.expected_cost_per_unit
    if observation.champion is None or expected is None:
        return "Without a champion there is no realised performance."
    if realised is None or realised.window is None or realised.cost_per_unit is None:
        return f"No cohort that version {observation.champion} decided has all its labels yet."
    increase = realised.cost_per_unit - expected
    return (
        f"From {Window.parse(realised.window)}, with all labels in, version "
        f"{observation.champion} cost {realised.cost_per_unit:.2f} {spec.costs.unit} per "
        f"{spec.gold.unit}, {abs(increase):.2f} {'more' if increase > 0 else 'less'} than the "
        f"{expected:.2f} at its gate: no finding."
    )


def _drift(situation: Situation, spec: Spec) -> Clause:
    """Let drift ask for a retraining only with proof that one would have helped."""
    alarms = [alarm for alarm in situation.alarms if alarm.reason == "drift"]
    proof, level = situation.proof, spec.gate.comparison.level
    if not alarms or proof is None:
        text = " ".join(alarm.text for alarm in alarms)
        return Clause(
            name="drift",
            passed=False,
            observed="no proof" if alarms else "no finding",
            required="a finding, and proof that a retraining would help",
            text=f"{text} No cohort has all its labels, so that nobody can say whether a "
            "retraining would help."
            if alarms
            else "Nothing that matters has drifted.",
            suffices=True,
        )
    found = proof.comparison
    helps = found.p_value <= level
    return Clause(
        name="drift",
        passed=helps,
        observed=found.p_value,
        required=level,
        text=" ".join(alarm.text for alarm in alarms)
        + f" On {Window.parse(proof.cohort)}, {proof.estimator} fitted on the {proof.train_rows:,} "
        f"rows before it costs {found.estimate:+.2f} {spec.costs.unit} per {spec.gold.unit} "
        f"against the champion (p-value {found.p_value:.3f}, {level:g} is allowed): a retraining "
        f"would {'' if helps else 'not '}help.",
        suffices=True,
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
        suffices=True,
    )


def _schedule(situation: Situation, spec: Spec) -> Clause:
    every, last = spec.retraining.every_days, situation.observation.last_training
    if every is None or last is None:
        text = "No training is scheduled." if every is None else "Nothing was trained yet."
        age: float | str = UNKNOWN
    else:
        age = (situation.window.end - Window.parse(last).end).total_seconds() / 86_400
        text = f"The last training was {age:g} days ago; one is due every {every:g}."
    return Clause(
        name="schedule",
        passed=isinstance(age, float) and every is not None and age >= every,
        observed=age,
        required=UNKNOWN if every is None else every,
        text=text,
        suffices=True,
    )


def _conditions(situation: Situation, reason: str | None, spec: Spec) -> Iterator[Clause]:
    policy, window = spec.retraining, situation.window
    yield _at_least(
        "enough_labels",
        situation.matured_labels,
        policy.min_matured_labels,
        "{found:,.0f} labels are known; {limit:,.0f} are needed.",
    )
    if situation.rare_labels is not None:
        yield _at_least(
            "enough_rare_labels",
            situation.rare_labels,
            policy.min_rare_labels,
            "{found:,.0f} of them are of the rarest class; {limit:,.0f} are needed.",
        )
    done = [each for each in situation.past if each.trained is not None]
    days = min(((window.end - each.at.end).total_seconds() / 86_400 for each in done), default=None)
    yield Clause(
        name="cooled_down",
        passed=days is None or days >= policy.cooldown_days,
        observed="never trained" if days is None else days,
        required=policy.cooldown_days,
        text="Nothing was trained before."
        if days is None
        else f"The last training was {days:g} days ago; {policy.cooldown_days:g} must pass.",
    )
    recent = [each for each in done if each.is_within(BUDGET_DAYS, window)]
    yield _at_most(
        "runs_in_budget",
        len(recent) + 1,
        policy.max_runs,
        f"With this one, {{found:g}} trainings within {BUDGET_DAYS} days; {{limit:g}} are allowed.",
    )
    yield _at_most(
        "cpu_in_budget",
        round(sum(each.cpu_h for each in recent), 1),
        policy.max_cpu_h,
        f"Trainings of the last {BUDGET_DAYS} days took {{found:g}} CPU-hours; {{limit:g}} are "
        "allowed.",
    )
    yield _none_in_flight(situation)
    yield _not_poisoned(situation)
    yield _not_stopped(situation, reason, spec)


def _at_least(name: str, found: float, limit: float, text: str) -> Clause:
    return Clause(
        name=name,
        passed=found >= limit,
        observed=float(found),
        required=float(limit),
        text=text.format(found=found, limit=limit),
    )


def _at_most(name: str, found: float, limit: float, text: str) -> Clause:
    return Clause(
        name=name,
        passed=found <= limit,
        observed=float(found),
        required=float(limit),
        text=text.format(found=found, limit=limit),
    )


def _none_in_flight(situation: Situation) -> Clause:
    running = [each for each in situation.past if each.outcome in ("waiting", "running")]
    told = "; ".join(
        f"the one that {each.reason} asked for at {Window.parse(each.window).end:%Y-%m-%d} is "
        f"{each.outcome}"
        for each in running
    )
    return Clause(
        name="none_in_flight",
        passed=not running,
        observed=float(len(running)),
        required=0.0,
        text=f"One training at a time: {told}." if running else "No training is under way.",
    )


def _not_poisoned(situation: Situation) -> Clause:
    faults = situation.faults
    return Clause(
        name="not_poisoned",
        passed=not faults,
        observed=float(len(faults)),
        required=0.0,
        text=f"What would be learned from is at fault: {' '.join(faults)}"
        if faults
        else "No fault is open in the data that would be learned from.",
    )


def _not_stopped(situation: Situation, reason: str | None, spec: Spec) -> Clause:
    """Stop after so many lost candidates, until something is different."""
    policy = spec.retraining
    lost = lost_in_a_row(situation.past)
    text = f"{len(lost)} of the last candidates were lost in a row; {policy.max_lost} are allowed."
    is_stopped = len(lost) >= policy.max_lost
    if is_stopped:
        days = (situation.window.end - lost[0].at.end).total_seconds() / 86_400
        most_trusted = min(_rank(each.reason) for each in lost)
        if days >= policy.resume_after_days:
            is_stopped = False
            text += f" The last one was {days:g} days ago, so one more is tried."
        elif reason is not None and _rank(reason) < most_trusted:
            is_stopped = False
            text += f" {reason} is a better reason than theirs, so one more is tried."
        else:
            text += (
                f" {spec.owner.name} <{spec.owner.email}> is to see why, and to lift the stop "
                f"(ratchet retraining lift {spec.name}); else one more is tried "
                f"{policy.resume_after_days:g} days after the last."
            )
    return Clause(
        name="not_stopped",
        passed=not is_stopped,
        observed=float(len(lost)),
        required=float(policy.max_lost),
        text=text,
    )


def _rank(reason: str) -> int:
    known: tuple[str, ...] = REASONS
    return known.index(reason) if reason in known else len(known)


def ticket(decision: Decision, past: Sequence[Training], spec: Spec) -> Decision | None:
    """Return what the owner is told where trainings have stopped; None if they have not.

    It is one ticket for one row of lost candidates, however many windows are held for it.
    """
    clause = next(clause for clause in decision.clauses if clause.name == "not_stopped")
    lost = lost_in_a_row(past)
    if clause.passed or not lost:
        return None
    return Decision(
        kind="escalation",
        use_case=spec.name,
        window=lost[0].at.key,
        verdict="escalated",
        clauses=(clause,),
        subject={"stopped_after": ", ".join(each.at.key for each in reversed(lost))},
    )


def reason_of(name: str) -> Reason | None:
    """Return a reason by its name."""
    return next((reason for reason in REASONS if reason == name), None)
