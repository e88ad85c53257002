"""What happened, drawn in order of time."""

import re
from pathlib import Path

import pytest
from fake_lake import WEEKS, FakeLake
from incidents_made import signal

from ratchet.incidents import Finding, Incident
from ratchet.reporting import Summary, summarise, write_html
from ratchet.reporting.timeline import draw_timeline


def incident(**changes: object) -> Incident:
    plain = {
        "window": WEEKS[2].key,
        "id": "abc123",
        "fingerprint": "data:weather",
        "cause": "data",
        "severity": "page",
        "is_verify": False,
        "title": "weather is broken",
        "owner_name": "Somebody",
        "owner_email": "somebody@ratchet.example",
        "silenced": ("feature_drift.ks:feat_flights.temperature_f",),
        "windows": (WEEKS[1].key,),
        "last_good": WEEKS[0].key,
        "lead": "impossible_value:weather.temperature_f",
        "value": 900.0,
        "threshold": 130.0,
        "unit": "F",
        "rows": 12,
        "text": "900 F; ask the station.",
    }
    return Incident(**{**plain, **changes})


@pytest.fixture
def eventful(told: FakeLake) -> Summary:
    """A summary with a finding, a page and a ticket."""
    found = Finding(**signal(window=WEEKS[2]).model_dump(), state="found", seen=2, looked=3)
    drift = incident(
        id="def456",
        cause="drift",
        severity="ticket",
        title="weather moved",
        windows=(WEEKS[2].key,),
    )
    summary = summarise(told.spec, told.settings)
    return summary.model_copy(update={"findings": (found,), "incidents": (incident(), drift)})


def test_draw_timeline_has_a_row_for_all_that_happened(eventful: Summary):
    assert eventful.period is not None
    drawn = draw_timeline(eventful, eventful.period)
    rows = re.findall(r'class="label end"[^>]*>([^<]*)<', drawn)
    assert rows == [
        "Cohorts",
        "Champion",
        "Gate",
        "Retraining",
        "Rollback",
        "Findings",
        "Data incidents",
        "Drift incidents",
    ]
    for expected in (
        "version 1: 35.00 points per flight, the rule 50.00; 100.0% of the labels",
        "2013-03-15: refused. On the same flights it costs 0.40 more",
        "2013-03-22: 1 × feature drift",
        "page, 2013-03-08 to 2013-03-15: weather is broken. 900 F; ask the station.",
        "ticket, 2013-03-15 to 2013-03-22: weather moved",
    ):
        assert expected in drawn
    assert drawn.count('class="span good"') == 2  # two cohorts, both cheaper than the rule
    assert drawn.count('class="span bad"') == 1  # the page


def test_draw_timeline_incident_that_began_before_is_cut_and_one_that_ended_is_left_out(
    eventful: Summary,
):
    assert eventful.period is not None
    history = "2012-12-31T0000--2013-03-01T0000"
    over = incident(state="resolved", windows=(history,), cause="kpi", title="it was over")
    lasts = incident(windows=(history,), title="it lasts")
    drawn = draw_timeline(eventful.model_copy(update={"incidents": (over, lasts)}), eventful.period)
    assert "it was over" not in drawn
    assert "KPI incidents" not in drawn
    (rect,) = re.findall(r'<rect class="span bad" x="([\d.]+)"', drawn)
    assert float(rect) == 176  # where the period begins


def test_draw_timeline_cohort_that_costs_more_than_the_rule_is_marked(eventful: Summary):
    assert eventful.period is not None
    first, *others = eventful.weeks
    dear = first.by_policy["decision"].model_copy(update={"cost_per_unit": 60.0})
    worse = first.model_copy(update={"by_policy": {**first.by_policy, "decision": dear}})
    changed = eventful.model_copy(update={"weeks": (worse, *others), "incidents": ()})
    drawn = draw_timeline(changed, eventful.period)
    assert (drawn.count('class="span good"'), drawn.count('class="span bad"')) == (1, 1)
    assert "incidents" not in drawn


def test_write_html_lists_incidents_with_cause_owner_and_what_follows(
    eventful: Summary, tmp_path: Path
):
    path = tmp_path / "page.html"
    write_html(eventful, path)
    page = path.read_text()
    for expected in ("<h2>Incidents</h2>", "weather is broken", "Somebody", "Follows from it:"):
        assert expected in page
    write_html(eventful.model_copy(update={"incidents": ()}), path)
    assert "<h2>Incidents</h2>" not in path.read_text()
