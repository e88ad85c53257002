"""What people are told of incidents, and when: a pure function of what changed in a window."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat

from ratchet.incidents.incident import RANK, Incident
from ratchet.spec.alerts import Alerts, Severity
from ratchet.window import Window

Event = Literal["opened", "reopened", "worse", "resolved", "digest", "unanswered"]

_DIGEST: Severity = "digest"


class Alert(BaseModel):
    """One thing that one owner is told, once.

    `id` follows from what is told: whoever gets two messages of the same id got one twice. `route`
    says how it goes out: a page or a ticket at once, by `channels`; the rest with the digest of the
    week. `held` says why it goes out less urgently than `severity` asks for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    window: str
    event: Event
    incident: str | None
    cause: str | None
    severity: Severity
    route: Severity
    channels: tuple[str, ...] = ()
    held: Literal["budget"] | None = None
    owner_name: str
    owner_email: str
    title: str
    rule: str | None = None
    value: FiniteFloat | None = None
    threshold: FiniteFloat | None = None
    unit: str | None = None
    rows: int | None = None
    last_good: str | None = None
    text: str

    def by(self, alerts: Alerts) -> Alert:
        """Return it with the channels by which it goes out, if it goes out by itself."""
        if self.event != "digest" and self.route == _DIGEST:
            return self
        return self.model_copy(update={"channels": getattr(alerts.routes, self.route)})


def tell(
    before: Iterable[Incident],
    after: Iterable[Incident],
    earlier: Sequence[Alert],
    is_silenced: Callable[[Incident], bool],
    window: Window,
    alerts: Alerts,
) -> tuple[list[Alert], list[Incident]]:
    """Return what to tell of a window's incidents; and these, with how urgently people were told.

    An incident is told when it opens, opens again or gets more severe; once a silence has ended, if
    it is still open then; and when it is over, if anybody knew of it.

    Parameters
    ----------
    earlier
        What was told in the same week before: an owner gets so many tickets a week, no more.
    """
    was_open = {incident.id for incident in before if incident.is_open}
    spent = Counter(a.owner_email for a in earlier if _is_ticket(a))
    told: list[Alert] = []
    left: list[Incident] = []
    for incident in after:
        if not incident.is_open:
            if incident.id in was_open and incident.told:
                over = _alert(incident, "resolved", _after(incident.told), window)
                told.append(over.by(alerts))
        elif RANK[incident.severity] > RANK[incident.told] and not is_silenced(incident):
            event: Event = "worse"
            if incident.told is None:
                event = "reopened" if incident.reopened else "opened"
            alert = _alert(incident, event, incident.severity, window)
            if _is_ticket(alert):
                spent[alert.owner_email] += 1
                if spent[alert.owner_email] > alerts.budget_per_week:
                    alert = alert.model_copy(update={"route": _DIGEST, "held": "budget"})
            told.append(alert.by(alerts))
            incident = incident.model_copy(update={"told": incident.severity})
        left.append(incident)
    return told, left


def _is_ticket(alert: Alert) -> bool:
    return alert.route == "ticket" and alert.event != "resolved"


def _after(told: Severity) -> Severity:
    """Return how one is told that it is over: nobody is woken for that."""
    return "ticket" if told == "page" else "digest"


def _alert(incident: Incident, event: Event, route: Severity, window: Window) -> Alert:
    over = f"Resolved by {incident.resolved_by}"
    why = f": {incident.reason}" if incident.reason else ""
    follows = len(incident.silenced)
    text = incident.text + (f" {follows} more follow from it, and are silenced." if follows else "")
    return Alert(
        id=_id(incident.id, event, incident.severity, window.key),
        window=window.key,
        event=event,
        incident=incident.id,
        cause=incident.cause,
        severity=incident.severity,
        route=route,
        owner_name=incident.owner_name,
        owner_email=incident.owner_email,
        title=incident.title,
        rule=incident.lead,
        value=incident.value,
        threshold=incident.threshold,
        unit=incident.unit,
        rows=incident.rows,
        last_good=incident.last_good,
        text=f"{over}{why}." if event == "resolved" else text,
    )


def _id(*parts: str) -> str:
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def ends_week(window: Window) -> bool:
    """Say whether a Monday begins in a window, or at its end: the last one of its week, then."""
    return window.start.isocalendar()[:2] != window.end.isocalendar()[:2]


def week_of(window: Window) -> tuple[int, int]:
    """Return year and week (ISO 8601) in which a window ends."""
    year, week, _ = window.end.isocalendar()
    return year, week


def digests(
    use_case: str,
    incidents: Sequence[Incident],
    week: Sequence[Alert],
    precision: dict[str, str],
    window: Window,
    alerts: Alerts,
) -> list[Alert]:
    """Return one message for each owner of whom there is anything to tell at a week's end.

    Parameters
    ----------
    week
        What was told since the last digest.
    precision
        How useful people found what they were told, in words, by owner's address.
    """
    owners = {i.owner_email: i.owner_name for i in incidents if i.is_open}
    owners |= {alert.owner_email: alert.owner_name for alert in week}
    by_owner: dict[str, list[Alert]] = defaultdict(list)
    for alert in week:
        by_owner[alert.owner_email].append(alert)
    found = []
    for email, name in sorted(owners.items()):
        own = [i for i in incidents if i.is_open and i.owner_email == email]
        told = by_owner[email]
        tickets = sum(map(_is_ticket, told))
        held = sum(alert.held is not None for alert in told)
        over = [alert for alert in told if alert.event == "resolved"]
        lines = [
            f"Open: {len(own)}. Resolved: {len(over)}. Tickets: {tickets} of "
            f"{alerts.budget_per_week}{f', and {held} held back' if held else ''}. "
            f"{precision.get(email, 'Nobody has marked an incident yet.')}",
            *(f"[{i.severity}] {i.id} {i.title}: {i.text}" for i in own),
            *(f"[over] {alert.incident} {alert.title}: {alert.text}" for alert in over),
        ]
        found.append(
            Alert(
                id=_id(use_case, "digest", email, window.key),
                window=window.key,
                event="digest",
                incident=None,
                cause=None,
                severity=_DIGEST,
                route=_DIGEST,
                owner_name=name,
                owner_email=email,
                title=f"{use_case}, {window}: {len(own)} open, {len(over)} resolved",
                text="\n".join(lines),
            ).by(alerts)
        )
    return found
