"""What is wrong, grouped by its cause: a pure fold over windows, and over what people decided."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat

from ratchet.decision import Decision
from ratchet.incidents.evidence import SEGMENT, Evidence, Seen, levels_of
from ratchet.spec import Spec
from ratchet.spec.alerts import Severity
from ratchet.window import Window

Cause = Literal["data", "segment", "concept", "drift", "kpi", "service"]
LastGood = Callable[[Evidence], str | None]

RANK: dict[Severity | None, int] = {None: 0, "digest": 1, "ticket": 2, "page": 3}
RECOVERY = "recovery"  # who resolved what did not come back

_GAP = "estimate.gap"  # the one rule that tells harder days from features that mean something else
_MODEL = ("performance", "estimate")
_OF_COLUMN = (SEGMENT, "feature_drift")  # what a column's levels show beside its feed
_WHOLE = (*_MODEL, "prediction_drift", "label_drift", "multivariate_drift")  # of no single feature


class Incident(BaseModel):
    """One cause, and all that it makes wrong, as it stood at the end of `window`.

    `subjects` are what is wrong itself: feeds, `feed.column`, tables, KPIs, services. `columns` are
    those of feeds that are broken, or name the segment, as `feed.column`; there are none of other
    causes. `evidence` names what showed it, `silenced` what follows from it and is told with it,
    and `rules` what found it. `windows` are those in which there was evidence; `quiet` counts those
    since in which it was looked for and not found. `last_good` is the last window before in which
    the leading evidence was looked at and right; `lead` to `text` tell of that evidence, in the
    last window that had any. `told` is how urgently people were told, since it was opened or opened
    again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: str
    id: str
    fingerprint: str
    cause: Cause
    state: Literal["open", "resolved"] = "open"
    severity: Severity
    is_verify: bool
    title: str
    owner_name: str
    owner_email: str
    subjects: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    silenced: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    windows: tuple[str, ...] = ()
    last_good: str | None
    reopened: int = 0
    quiet: int = 0
    resolved: str | None = None
    resolved_by: str | None = None
    reason: str | None = None
    told: Severity | None = None
    lead: str
    value: FiniteFloat | None
    threshold: FiniteFloat | None
    unit: str | None
    rows: int
    text: str

    @property
    def is_open(self) -> bool:
        """Whether it is neither over nor declared so."""
        return self.state == "open"


class Group(BaseModel):
    """What one window says of one cause: its own evidence, and what follows from it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str
    own: tuple[Evidence, ...]
    silenced: tuple[Evidence, ...]


def group(seen: Seen, open_before: Iterable[Incident], spec: Spec) -> list[Group]:
    """Sort all that is wrong in a window by its cause.

    A broken feed explains whatever goes back to it, a broken column what goes back to that column.
    A segment that is new, or gone, explains its parts, and drift of what is read of its columns
    alone.
    Otherwise a model that costs other than its answers let one expect, or does worse where nobody
    can tell what to expect, is a concept change, whatever else moved with it. What moved without
    any of that is drift, by the feed that it comes from, and so is a cost that was to be expected.
    An open incident explains what it would if it had begun in this window.
    """
    known = {incident.fingerprint: incident for incident in open_before}
    broken = {f: set(i.columns) for f, i in known.items() if i.cause == "data"}
    own: dict[str, list[Evidence]] = {}
    silenced: dict[str, list[Evidence]] = {}
    for fault in sorted(
        (e for e in seen.evidence if e.kind == "fault"), key=lambda e: (len(e.feeds), e.name)
    ):
        fingerprint = _of_fault(fault, broken, spec)
        own.setdefault(fingerprint, []).append(fault)
        broken.setdefault(fingerprint, set()).update(_columns(fault))
    rest = []
    for evidence in (e for e in seen.evidence if e.kind != "fault"):
        parent = next(
            (f for f, hit in broken.items() if not hit.isdisjoint(_columns(evidence))), None
        )
        if parent:
            silenced.setdefault(parent, []).append(evidence)
        else:
            rest.append(evidence)
    changed = _segments(rest, known, spec)
    for evidence in (e for e in rest if e.name in changed):
        fingerprint, is_itself = changed[evidence.name]
        (own if is_itself else silenced).setdefault(fingerprint, []).append(evidence)
    rest = [evidence for evidence in rest if evidence.name not in changed]
    concept = f"concept:{spec.name}"
    gaps = {e.name for e in rest if e.family in _MODEL and _is_gap(e, seen)}
    is_concept = concept in known or bool(gaps)
    moved = _drifts(rest, known, spec)
    for evidence in rest:
        if evidence.name in gaps or (is_concept and evidence.family in _MODEL):
            own.setdefault(concept, []).append(evidence)
        elif evidence.family == "service":
            own.setdefault(f"service:{evidence.subject}", []).append(evidence)
        elif is_concept:
            silenced.setdefault(concept, []).append(evidence)
        elif evidence.family == "kpi":
            own.setdefault(f"kpi:{evidence.subject}", []).append(evidence)
        else:
            own.setdefault(moved[evidence.name], []).append(evidence)
    return [
        Group(fingerprint=f, own=tuple(own.get(f, ())), silenced=tuple(silenced.get(f, ())))
        for f in sorted(own.keys() | silenced.keys())
    ]


def _is_gap(evidence: Evidence, seen: Seen) -> bool:
    return evidence.source == _GAP or _GAP not in seen.judged


def _columns(evidence: Evidence) -> set[str]:
    return {f"{feed}.{column}" for feed, column in evidence.leaves}


def _of_fault(fault: Evidence, broken: Mapping[str, set[str]], spec: Spec) -> str:
    """Return the cause of a fault: its feed, one that is broken already, or where it shows."""
    if fault.subject == spec.name:
        return f"service:{spec.name}"
    if len(fault.feeds) == 1:
        return f"data:{fault.home}"
    hit = (f for f, columns in broken.items() if not columns.isdisjoint(_columns(fault)))
    return next(hit, f"data:{fault.subject}")


def _segments(
    evidence: Sequence[Evidence], known: Mapping[str, Incident], spec: Spec
) -> dict[str, tuple[str, bool]]:
    """Return the cause of what a segment explains which is new, or gone; and whether it is that.

    The widest segments come first: an airline new at one airport may be new altogether.
    """
    columns = {f: set(i.columns) for f, i in known.items() if i.cause == SEGMENT}
    told = [e for e in evidence if e.family == SEGMENT and e.severity == "ticket"]
    found: dict[str, tuple[str, bool]] = {}
    for each in [*sorted(told, key=lambda e: (len(e.levels), e.name)), *evidence]:
        own, is_change = _columns(each), each.family == SEGMENT and each.subject in spec.feeds
        is_of_column = each.family in _OF_COLUMN and not is_change
        causes = [
            fingerprint
            for fingerprint, of_cause in columns.items()
            if (each.kind == "news" and _levels(fingerprint) <= each.levels)
            or (is_of_column and own and own <= of_cause)
        ]
        if each in told:
            causes.append(f"{SEGMENT}:{each.segment}")
        if causes:
            is_itself = is_change and each.levels == _levels(causes[0])
            found[each.name] = causes[0], is_itself
            if is_itself:
                columns.setdefault(causes[0], set()).update(own)
    return found


def _levels(fingerprint: str) -> frozenset[str]:
    return frozenset(levels_of(fingerprint.partition(":")[2]))


def _drifts(
    evidence: Sequence[Evidence], known: Mapping[str, Incident], spec: Spec
) -> dict[str, str]:
    """Return the cause of each drift: the feed that moved; of no feature, the one that most did."""
    of_feeds = [e for e in evidence if e.home != spec.name and e.family not in _WHOLE]
    most = max(of_feeds, key=lambda e: (e.weight, e.name), default=None)
    is_open = (f for f, incident in known.items() if incident.cause == "drift")
    elsewhere = f"drift:{most.home}" if most else next(is_open, f"drift:{spec.name}")
    feeds = {e.name: f"drift:{e.home}" for e in of_feeds}
    return {e.name: feeds.get(e.name, elsewhere) for e in evidence}


def step(
    before: Iterable[Incident],
    seen: Seen,
    resolutions: Mapping[str, Decision],
    demoted: Mapping[str, Severity],
    last_good: LastGood,
    spec: Spec,
) -> list[Incident]:
    """Return the incidents at the end of a window, from those at the end of the one before.

    Parameters
    ----------
    before
        Open ones, and those that were resolved so lately that they may be opened again.
    resolutions
        What people resolved since, by the incident's id.
    demoted
        The highest severity that is left to a rule, by its name.
    last_good
        The key of the last window before in which something was looked at and right.
    """
    window, alerts = Window.parse(seen.window), spec.alerts
    known = {
        incident.fingerprint: incident
        for incident in (resolved(i, resolutions.get(i.id)) for i in before)
        if _may_return(incident, window, alerts.reopen_within_days)
    }
    groups = group(seen, [incident for incident in known.values() if incident.is_open], spec)
    after = {}
    for found in groups:
        severity = _severity([*found.own, *found.silenced], demoted)
        incident = known.get(found.fingerprint)
        if found.own:
            incident = _seen_again(incident, found, window, last_good, spec)
        assert incident is not None  # what is silenced belongs to one that is open
        after[found.fingerprint] = incident.model_copy(
            update={
                "severity": max(incident.severity, severity, key=RANK.__getitem__),
                "silenced": _joined(incident.silenced, (e.name for e in found.silenced)),
            }
        )
    seen_again = {found.fingerprint for found in groups if found.own}
    for fingerprint, incident in known.items():
        if fingerprint not in seen_again:
            incident = after.get(fingerprint, incident)
            after[fingerprint] = _waited(incident, seen, alerts.resolve_after_windows)
    moved = {"window": window.key}
    return [after[fingerprint].model_copy(update=moved) for fingerprint in sorted(after)]


def resolved(incident: Incident, decision: Decision | None) -> Incident:
    """Return an incident as a person's decision leaves it, if there is one."""
    if decision is None or not incident.is_open:
        return incident
    return incident.model_copy(
        update={
            "state": "resolved",
            "resolved": incident.window,
            "resolved_by": decision.author,
            "reason": str(decision.evidence["reason"]),
        }
    )


def _may_return(incident: Incident, window: Window, within_days: float) -> bool:
    if incident.resolved is None:
        return True
    return window.start - Window.parse(incident.resolved).end <= timedelta(days=within_days)


def _severity(evidence: Iterable[Evidence], demoted: Mapping[str, Severity]) -> Severity:
    left = (
        min(e.severity, demoted.get(e.source, e.severity), key=RANK.__getitem__) for e in evidence
    )
    return max(left, key=RANK.__getitem__)


def _seen_again(
    incident: Incident | None, found: Group, window: Window, last_good: LastGood, spec: Spec
) -> Incident:
    """Return a new incident, or one that goes on or has come back, with a window's evidence."""
    lead = max(found.own, key=lambda e: (RANK[e.severity], e.weight, e.name))
    own = found.own
    told = {
        "lead": lead.name,
        "value": lead.value,
        "threshold": lead.threshold,
        "unit": lead.unit,
        "rows": lead.rows,
        "text": lead.text,
    }
    if incident is None:
        name = f"{spec.name} {found.fingerprint} {window.key}"
        cause: Cause = found.fingerprint.partition(":")[0]  # type: ignore[assignment]
        is_verify = cause == "kpi" and lead.is_verify
        incident = Incident(
            window=window.key,
            id=hashlib.sha256(name.encode()).hexdigest()[:8],
            fingerprint=found.fingerprint,
            cause=cause,
            severity="digest",
            is_verify=is_verify,
            title=_title(cause, found.fingerprint.partition(":")[2], lead, is_verify=is_verify),
            owner_name=lead.owner.name,
            owner_email=lead.owner.email,
            last_good=last_good(lead),
            **told,
        )
    elif not incident.is_open:
        told |= {
            "state": "open",
            "severity": "digest",
            "reopened": incident.reopened + 1,
            "resolved": None,
            "resolved_by": None,
            "reason": None,
            "told": None,
        }
    has_columns = incident.cause in ("data", SEGMENT)
    columns = {c for e in own for c in _columns(e)} if has_columns else set()
    return incident.model_copy(
        update={
            **told,
            "quiet": 0,
            "subjects": _joined(incident.subjects, (e.place for e in own)),
            "columns": _joined(incident.columns, columns),
            "evidence": _joined(incident.evidence, (e.name for e in own)),
            "rules": _joined(incident.rules, (e.source for e in own)),
            "windows": _joined(incident.windows, [window.key]),
        }
    )


def _waited(incident: Incident, seen: Seen, enough: int) -> Incident:
    """Return an incident of which a window has no evidence of its own.

    It recovers only where one looked: the checks ran, or its rules could be judged, and none of
    its own evidence goes by another cause.
    """
    if not incident.is_open:
        return incident
    names = set(incident.evidence)
    is_back = any(evidence.name in names for evidence in seen.evidence)
    of_data = [rule for rule in incident.rules if rule.startswith("data.")]
    looked = seen.is_checked if of_data else not seen.judged.isdisjoint(incident.rules)
    if is_back or not looked or not names.isdisjoint(seen.unknown):
        return incident
    quiet = incident.quiet + 1
    over = {"state": "resolved", "resolved": seen.window, "resolved_by": RECOVERY}
    return incident.model_copy(update={"quiet": quiet, **(over if quiet >= enough else {})})


def _title(cause: Cause, subject: str, lead: Evidence, *, is_verify: bool) -> str:
    if is_verify:
        return f"Verify {subject}: it moved to the good, or is counted wrong"
    titles: dict[Cause, str] = {
        "data": f"Data fault in {subject}",
        "segment": f"Segment {subject} {lead.source.rpartition('_')[2]}, without a fault of data",
        "concept": f"Concept change: the model of {subject} no longer fits what happens",
        "drift": f"Drift in {subject}, without a fault of data",
        "kpi": f"KPI {subject} moved, without a fault of data",
        "service": f"Service {subject}",
    }
    return titles[cause]


def _joined(old: Iterable[str], new: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({*old, *new}))
