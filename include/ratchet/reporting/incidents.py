"""Incidents for a person: all of them in a list, and one of them in full."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ratchet.incidents import Incident
from ratchet.reporting.wording import MISSING
from ratchet.window import Window


def list_incidents(incidents: Iterable[Incident]) -> str:
    """List incidents with id, severity, cause, owner, and since when they are open."""
    lines = []
    for incident in incidents:
        lines.append(
            f"{incident.id}  {_when(incident):24}  {incident.severity:6}  {incident.title}  "
            f"({incident.owner_name})"
        )
        lines.append(f"    {incident.text}")
    return "".join(f"{line}\n" for line in lines)


def show_incident(incident: Incident) -> str:
    """Say all that is known of an incident."""
    good = str(Window.parse(incident.last_good)) if incident.last_good else "none known"
    lines = [
        f"{incident.title}",
        f"  id          {incident.id}, {incident.fingerprint}",
        f"  state       {_when(incident)}"
        + (f", by {incident.resolved_by}" if incident.resolved_by else "")
        + (f": {incident.reason}" if incident.reason else ""),
        f"  severity    {incident.severity}; told as {incident.told or 'nothing yet'}",
        f"  owner       {incident.owner_name} <{incident.owner_email}>",
        f"  last good   {good}",
        f"  value       {_number(incident.value)}, threshold {_number(incident.threshold)} "
        f"{incident.unit or ''}, of {incident.rows:,} rows",
        f"  what to do  {incident.text}",
        *_listed("windows", (str(Window.parse(key)) for key in incident.windows)),
        *_listed("evidence", incident.evidence),
        *_listed("follows", incident.silenced),
    ]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _when(incident: Incident) -> str:
    since = f"{Window.parse(incident.windows[0]).start:%Y-%m-%d}"
    if incident.is_open:
        again = f", reopened {incident.reopened}×" if incident.reopened else ""
        return f"open since {since}{again}"
    assert incident.resolved is not None
    return f"{since} → {Window.parse(incident.resolved).end:%Y-%m-%d}"


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.4g}"


def _listed(title: str, lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"  {title if number == 0 else '':12}{line}"
