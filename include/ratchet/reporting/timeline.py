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
    "concept": "Concept",
    "drift": "Drift",
    "kpi": "KPI",
    "service": "Service",
}


def draw_timeline(summary: Summary, period: Window) -> str:
    """Draw cohorts, champions, verdicts, retrainings, rollbacks, findings and incidents as SVG."""
    causes = [cause for cause in CAUSES if any(i.cause == cause for i in summary.incidents)]
    rows = [COHORTS, CHAMPION, GATE, RETRAINING, ROLLBACK, FINDINGS]
    marks = [*_decided(summary.decisions), *_found(summary.findings)]
    spans = [
        *(_cohort(week, summary.spec) for week in summary.weeks),
        *(Span(CHAMPION, window, f"version {name}") for name, window in reigns(summary.weeks)),
        *(_incident(incident, period) for incident in summary.incidents),
    ]
    return timeline(
        [*rows, *(f"{CAUSES[cause]} incidents" for cause in causes)],
        [
            span
            for span in spans
            if span.window.start < period.end and period.start < span.window.end
        ],
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
    return Span(COHORTS, Window.parse(week.window), told, style)


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


def _incident(incident: Incident, period: Window) -> Span:
    begun = Window.parse(incident.windows[0])
    ended = period.end if incident.is_open else Window.parse(incident.window).end
    last = Window.parse(incident.windows[-1]).end
    window = Window(begun.start, max(last, min(ended, period.end)))
    style = "span bad" if incident.severity == "page" else "span"
    return Span(
        f"{CAUSES[incident.cause]} incidents",
        window,
        f"{incident.severity}: {incident.title} {incident.text}",
        style,
    )
