"""Exactly once: from the decision that something must be retrained to the one run that does it.

Each step is an entry of the ledger, and so is there once, whoever is killed and run again. The
event that starts a run in Airflow carries nothing: it may be lost, doubled, or merged with another
one. What counts is the request that waits, and which run took it up.
"""

from __future__ import annotations

from ratchet.decision import Clause, Decision
from ratchet.ledger import Ledger
from ratchet.retraining.gathering import gather
from ratchet.retraining.past import trainings
from ratchet.retraining.policy import decide, demand, lost_in_a_row, ticket
from ratchet.retraining.record import Training
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window


def decide_once(spec: Spec, window: Window, settings: Settings) -> Decision:
    """Decide whether to retrain at a window's end, and record it; once decided, it stands.

    Where trainings have stopped, the owner's ticket is recorded too.
    """
    ledger = Ledger(settings.lake(spec.name).ledger)
    standing = [
        decision
        for decision in ledger.decisions("retrain", window.key)
        if "on_demand" not in decision.subject
    ]
    if standing:
        return standing[-1]
    situation = gather(spec, window, settings)
    decision = decide(situation, spec)
    if told := ticket(decision, situation.past, spec):
        ledger.record(told)
    return ledger.record(decision)


def waiting(spec: Spec, window: Window, settings: Settings) -> list[Training]:
    """Return the requests that no run has taken up by a window, and that are not given up."""
    return [each for each in trainings(spec, settings, window) if each.outcome == "waiting"]


def take_up(spec: Spec, window: Window, settings: Settings, run: str) -> str | None:
    """Take up what waits, for one run; return the most recent one's reason.

    None if nothing waits: the run is one too many, as its request was taken up by another one. A
    run that took up something, was killed, and starts again, has it still.

    Parameters
    ----------
    run
        Names the run, the same however often it is tried.
    """
    ledger = Ledger(settings.lake(spec.name).ledger)
    own = [each for each in trainings(spec, settings) if each.run == run]
    for each in waiting(spec, window, settings):
        started = ledger.record(_started(each, spec, window, run))
        if started.evidence["run"] == run:
            own.append(each)
    return own[-1].reason if own else None


def take_up_by_hand(
    spec: Spec, window: Window, settings: Settings, run: str, person: str, why: str
) -> str:
    """Take up what waits, for a run that a person started; if nothing does, ask in their name."""
    reason = take_up(spec, window, settings, run)
    if reason is None:
        from ratchet.registry import champion_at

        champion = champion_at(spec, window.start, settings)
        version = champion.version if champion else None
        request = demand(window, person, f"{why} ({run})", version, spec)
        Ledger(settings.lake(spec.name).ledger).record(request)
        reason = take_up(spec, window, settings, run)
    return reason or "on_demand"


def lift(spec: Spec, settings: Settings, *, reason: str, author: str) -> Decision | None:
    """Record that a person lifts the stop after lost candidates; None if there is none."""
    lost = lost_in_a_row(trainings(spec, settings))
    if not lost:
        return None
    clause = Clause(
        name="person_lifts",
        passed=True,
        observed=reason,
        required="a reason",
        text=f"{author} lets training go on after {len(lost)} lost candidates: {reason}",
    )
    return Ledger(settings.lake(spec.name).ledger).record(
        Decision(
            kind="lift",
            use_case=spec.name,
            window=lost[0].at.key,
            verdict="lifted",
            clauses=(clause,),
            subject={"stopped_after": ", ".join(each.at.key for each in reversed(lost))},
            author=author,
        )
    )


def _started(training: Training, spec: Spec, window: Window, run: str) -> Decision:
    """Return the entry that only one run can make of a request: whose it is stands in evidence."""
    clause = Clause(
        name="request_waits",
        passed=True,
        observed=training.outcome,
        required="waiting",
        text=f"A run for {window} takes up what {training.reason} asked for at "
        f"{Window.parse(training.window).end:%Y-%m-%d}.",
    )
    return Decision(
        kind="training",
        use_case=spec.name,
        window=training.window,
        verdict="started",
        clauses=(clause,),
        subject={"request": training.request},
        evidence={"window": window.key, "run": run, "reason": training.reason},
    )
