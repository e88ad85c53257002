"""What happened to a use case, one row for each kind of thing, in order of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from ratchet.decision import Decision
from ratchet.incidents import Finding, Incident
from ratchet.reporting.charts import Mark, Shape, Span, timeline
from ratchet.reporting.summary import Summary, Week
from ratchet.reporting.wording import number, why
from ratchet.spec import Spec
from ratchet.window import Window

COHORTS, CHAMPION, GATE = "Cohorts", "Champion", "Gate"
RETRAINING, ROLLBACK, FINDINGS = "Retraining", "Rollback", "Findings"
CAUSES = {
    "data": "Data",
    "segment": "Segment",
    "concept": "Concept",
    "drift": "Drift",
    "kpi": "KPI",
    "service": "Service",
}


def draw_timeline(summary: Summary, period: Window) -> str:
    """Draw cohorts, champions, verdicts, retrainings, rollbacks, findings and incidents as SVG."""
    incidents = [span for each in summary.incidents if (span := _incident(each, period))]
    drawn = {span.row for span in incidents}
    causes = [row for row in (f"{cause} incidents" for cause in CAUSES.values()) if row in drawn]
    rows = [COHORTS, CHAMPION, GATE, RETRAINING, ROLLBACK, FINDINGS]
    marks = [*_decided(summary.decisions), *_found(summary.findings)]
    spans = [
        *(_cohort(week, summary.spec) for week in summary.weeks),
        *(
            Span(CHAMPION, window, f"version {name}", f"version {name}, {window}")
            for name, window in reigns(summary.weeks)
        ),
        *incidents,
    ]
    return timeline(
        [*rows, *causes],
        spans,
        [mark for mark in marks if period.start <= mark.moment <= period.end],
        period,
        "What happened, in order of time",
    )


def reigns(weeks: Sequence[Week]) -> list[tuple[str, Window]]:
    """Return each champion with the time in which it decided."""
    found = []
    for version, group in groupby(weeks, key=lambda week: week.version):
        windows = [Window.parse(week.window) for week in group]
        found.append((version, Window(windows[0].start, windows[-1].end)))
    return found


def _cohort(week: Week, spec: Spec) -> Span:
    decided, rule = week.by_policy["decision"], week.by_policy.get("rule")
    ours = decided.cost_per_unit
    others = rule.cost_per_unit if rule else None
    style = "span"
    if ours is not None and others is not None:
        style = "span good" if ours <= others else "span bad"
    told = (
        f"version {week.version}: {number(ours, '.2f')} {spec.costs.unit} per {spec.gold.unit}, "
        f"the rule {number(others, '.2f')}; {decided.labelled / decided.total:.1%} of the labels"
    )
    window = Window.parse(week.window)
    return Span(COHORTS, window, "", f"{window}, {told}", style)


def _decided(decisions: Sequence[Decision]) -> Iterator[Mark]:
    shapes: dict[tuple[str, str], tuple[str, Shape]] = {
        ("release", "accepted"): (GATE, "dot"),
        ("release", "refused"): (GATE, "cross"),
        ("approval", "refused"): (GATE, "cross"),
        ("promotion", "promoted"): (CHAMPION, "dot"),
        ("retrain", "requested"): (RETRAINING, "diamond"),
        ("rollback", "rolled back"): (ROLLBACK, "cross"),
    }
    for decision in decisions:
        if drawn := shapes.get((decision.kind, decision.verdict)):
            reason = decision.evidence.get("reason") if decision.kind == "retrain" else None
            named = f" ({reason})" if reason else ""
            text = f"{decision.verdict}{named}. {why(decision)}"
            yield Mark(drawn[0], Window.parse(decision.window).end, drawn[1], text)


def _found(findings: Sequence[Finding]) -> Iterator[Mark]:
    for window, group in groupby(findings, key=lambda finding: finding.window):
        families = Counter(finding.family.replace("_", " ") for finding in group)
        text = ", ".join(f"{count} × {family}" for family, count in families.most_common())
        yield Mark(FINDINGS, Window.parse(window).end, "dot", text)


def _incident(incident: Incident, period: Window) -> Span | None:
    """Draw an incident from its first window on; None if it was over before the period."""
    first, last = (Window.parse(incident.windows[place]) for place in (0, -1))
    begun = max(first.start, period.start)
    ended = period.end if incident.is_open else min(last.end, period.end)
    if ended <= begun:
        return None
    return Span(
        f"{CAUSES[incident.cause]} incidents",
        Window(begun, ended),
        "",
        f"{incident.severity}, {first.start:%Y-%m-%d} to {last.end:%Y-%m-%d}: {incident.title}. "
        f"{incident.text}",
        "span bad" if incident.severity == "page" else "span",
    )
