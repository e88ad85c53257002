"""What people decide about incidents, in the ledger; and what follows from it for a rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Literal

from ratchet.decision import Clause, Decision
from ratchet.errors import IncidentError
from ratchet.incidents.incident import RANK, Incident
from ratchet.ledger import Ledger
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.spec.alerts import Alerts, Severity
from ratchet.window import Window

Mark = Literal["useful", "noise"]
_LESS: dict[Severity, Severity] = {"page": "ticket", "ticket": "digest"}


def resolve(
    spec: Spec, incident: Incident, reason: str, author: str, settings: Settings
) -> Decision:
    """Record that a person declares an incident over; what comes back opens it again.

    Raises
    ------
    IncidentError
        If it is over already.
    """
    if not incident.is_open:
        raise IncidentError(
            f"incident {incident.id} was resolved by {incident.resolved_by} already; "
            "see `ratchet incidents show`"
        )
    text = f"{author} declares incident {incident.id} over: {reason}"
    return _record(spec, "resolved", incident, (text, reason, author), settings)


def mark(
    spec: Spec, incident: Incident, verdict: Mark, reason: str, author: str, settings: Settings
) -> Decision:
    """Record whether it was useful to be told of an incident; see `due_demotions`."""
    text = f"{author} finds incident {incident.id} {verdict}: {reason}"
    return _record(spec, verdict, incident, (text, reason, author), settings)


def silence(
    spec: Spec,
    rule: str,
    until: datetime,
    reason: str,
    author: str,
    settings: Settings,
) -> Decision:
    """Record that nobody is told of what a rule finds, in windows that end by a moment.

    Parameters
    ----------
    rule
        A rule, like `feature_drift.psi`, or an incident's fingerprint, like `drift:weather`; `*`
        stands for any text.
    until
        Aware moment, after the end of the last window.

    Raises
    ------
    IncidentError
        If that is over already, or no window was looked at.
    """
    looked = settings.lake(spec.name).incidents / "incidents"
    window = max((Window.parse(path.stem) for path in looked.glob("*.parquet")), default=None)
    if window is None:
        raise IncidentError(f"{spec.name}: no window was monitored, so there is nothing to silence")
    if until <= window.end:
        raise IncidentError(
            f"{until:%Y-%m-%dT%H%M} is not after {window.end:%Y-%m-%dT%H%M}, when the last window "
            "ended; give a later end"
        )
    return Ledger(settings.lake(spec.name).ledger).record(
        Decision(
            kind="silence",
            use_case=spec.name,
            window=window.key,
            verdict="silenced",
            clauses=(_said(f"{author} silences {rule} until {until:%Y-%m-%d %H:%M}: {reason}"),),
            subject={"rule": rule, "until": until.isoformat()},
            evidence={"reason": reason},
            author=author,
        )
    )


def _record(
    spec: Spec,
    verdict: str,
    incident: Incident,
    said: tuple[str, str, str],
    settings: Settings,
) -> Decision:
    text, reason, author = said
    return Ledger(settings.lake(spec.name).ledger).record(
        Decision(
            kind="incident",
            use_case=spec.name,
            window=incident.window,
            verdict=verdict,
            clauses=(_said(text),),
            subject={
                "incident": incident.id,
                "by": author,
                "what": "resolved" if verdict == "resolved" else "marked",
            },
            evidence={
                "reason": reason,
                "rules": list(incident.rules),
                "severity": incident.severity,
                "owner": incident.owner_email,
            },
            author=author,
        )
    )


def _said(text: str) -> Clause:
    return Clause(name="person_says", passed=True, observed="yes", required="a reason", text=text)


def resolutions(
    decisions: Iterable[Decision], before: Window, window: Window
) -> dict[str, Decision]:
    """Return what people resolved between two windows that follow each other, by incident."""
    return {
        decision.subject["incident"]: decision
        for decision in decisions
        if decision.verdict == "resolved" and before.key <= decision.window < window.key
    }


def is_silenced(incident: Incident, silences: Iterable[Decision], window: Window) -> bool:
    """Say whether people silenced, before a window, all that led to an incident, or its cause."""
    patterns = [
        decision.subject["rule"]
        for decision in silences
        if decision.window < window.key
        and window.end <= datetime.fromisoformat(decision.subject["until"])
    ]
    return any(fnmatchcase(incident.fingerprint, pattern) for pattern in patterns) or all(
        any(fnmatchcase(rule, pattern) for pattern in patterns) for rule in incident.rules
    )


def demoted(decisions: Iterable[Decision], window: Window) -> dict[str, Severity]:
    """Return the highest severity left to each rule that was demoted by a window, itself included.

    Parameters
    ----------
    decisions
        All demotions, in the order in which they were recorded.
    """
    return {
        decision.subject["rule"]: decision.subject["to"]  # type: ignore[misc]
        for decision in decisions
        if decision.window <= window.key
    }


def due_demotions(
    spec: Spec, marks: Sequence[Decision], demotions: Sequence[Decision], window: Window
) -> list[Decision]:
    """Return the demotions that are due at a window: of rules that people found to be noise.

    What counts is the last mark of each incident, of the windows since the rule was demoted last.
    """
    alerts, due = spec.alerts, []
    left = demoted(demotions, window)
    since = {d.subject["rule"]: d.window for d in demotions if d.window <= window.key}
    by_rule: dict[str, dict[str, Decision]] = defaultdict(dict)
    for decision in marks:
        for rule in decision.evidence["rules"]:  # type: ignore[attr-defined]
            if since.get(rule, "") <= decision.window < window.key:
                by_rule[rule][decision.subject["incident"]] = decision
    for rule, last in sorted(by_rule.items()):
        severities: list[Severity] = [d.evidence["severity"] for d in last.values()]  # type: ignore[misc]
        worst = max(severities, key=RANK.__getitem__)
        before = left.get(rule, worst)
        useful = precision(last.values())
        if len(last) >= alerts.min_marked and useful < alerts.min_precision and before in _LESS:
            due.append(_demotion(spec, window, rule, _LESS[before], len(last), useful, alerts))
    return due


def precision(marks: Iterable[Decision]) -> float:
    """Return the share of marks that say useful, in [0, 1]; there must be one."""
    found = [decision.verdict == "useful" for decision in marks]
    return sum(found) / len(found)


def _demotion(
    spec: Spec,
    window: Window,
    rule: str,
    to: Severity,
    marked: int,
    useful: float,
    alerts: Alerts,
) -> Decision:
    clause = Clause(
        name="precision",
        passed=False,
        observed=useful,
        required=alerts.min_precision,
        text=f"Of {marked} incidents of {rule} that people marked, {useful:.0%} were useful, and "
        f"{alerts.min_precision:.0%} must be: what it finds is a {to} at most from now on.",
    )
    return Decision(
        kind="demotion",
        use_case=spec.name,
        window=window.key,
        verdict="demoted",
        clauses=(clause,),
        subject={"rule": rule, "to": to},
        evidence={"marked": marked},
    )
