"""What people say of incidents, and what becomes of a rule that they find to be noise."""

from datetime import UTC, datetime

import pytest
from incidents_made import FIRST, evidence, seen, week

from ratchet.decision import Decision
from ratchet.errors import IncidentError
from ratchet.incidents import Incident, mark, open_incidents, resolve, silence
from ratchet.incidents.incident import step
from ratchet.incidents.people import demoted, due_demotions, is_silenced, precision
from ratchet.ledger import Ledger
from ratchet.settings import Settings
from ratchet.spec import Spec

KPI = evidence("kpi.level", "departures", severity="page")


@pytest.fixture
def watched(spec: Spec, settings: Settings) -> Settings:
    """Return a lake in which one window was looked at."""
    open_incidents(spec, FIRST, settings)
    return settings


def incident(spec: Spec, number: int = 0, **changes: object) -> Incident:
    (opened,) = step([], seen(week(number), KPI), {}, {}, lambda _: None, spec)
    return opened.model_copy(update=changes)


def marks(spec: Spec, settings: Settings, *verdicts: str) -> list[Decision]:
    """Mark one incident of each week."""
    return [
        mark(spec, incident(spec, number), verdict, "looked", "ann", settings)
        for number, verdict in enumerate(verdicts)
    ]


def test_resolve_is_a_decision_with_author_and_reason(spec: Spec, settings: Settings):
    decision = resolve(spec, incident(spec), "a marathon", "ann", settings)
    (kept,) = Ledger(settings.lake("flights").ledger).decisions("incident")
    assert kept == decision
    assert (kept.verdict, kept.author, kept.evidence["reason"]) == ("resolved", "ann", "a marathon")
    assert "a marathon" in kept.reasons[0]


def test_resolve_what_is_over_is_refused(spec: Spec, settings: Settings):
    over = incident(spec, state="resolved", resolved_by="recovery")
    with pytest.raises(IncidentError, match="resolved by recovery already"):
        resolve(spec, over, "again", "ann", settings)


def test_silence_ends_before_it_begins_is_refused(spec: Spec, watched: Settings):
    with pytest.raises(IncidentError, match="give a later end"):
        silence(spec, "kpi.level", FIRST.end, "known", "ann", watched)


def test_silence_before_anything_was_looked_at_is_refused(spec: Spec, settings: Settings):
    with pytest.raises(IncidentError, match="no window was monitored"):
        silence(spec, "kpi.level", FIRST.end, "known", "ann", settings)


@pytest.mark.parametrize("rule", ["kpi.level", "kpi.*", "kpi:departures"])
def test_silence_holds_for_its_rule_until_its_end(spec: Spec, watched: Settings, rule: str):
    until = datetime(2013, 3, 22, tzinfo=UTC)
    silences = [silence(spec, rule, until, "known", "ann", watched)]
    held = [is_silenced(incident(spec, n), silences, week(n)) for n in range(4)]
    assert held == [False, True, True, False]  # week 0 was told already; week 3 ends later


def test_silence_of_one_rule_leaves_an_incident_of_two_alone(spec: Spec, watched: Settings):
    until = datetime(2014, 1, 1, tzinfo=UTC)
    silences = [silence(spec, "kpi.level", until, "known", "ann", watched)]
    both = incident(spec, rules=("kpi.guardrail", "kpi.level"))
    assert not is_silenced(both, silences, week(1))


def test_due_demotions_noisy_rule_is_demoted_once_and_then_starts_anew(
    spec: Spec, settings: Settings
):
    """Of four, one useful: .25 is under the declared half."""
    assert (spec.alerts.min_marked, spec.alerts.min_precision) == (4, 0.5)
    marked = marks(spec, settings, "noise", "useful", "noise", "noise")
    assert due_demotions(spec, marked, [], week(3)) == []  # the fourth was marked in that week
    (due,) = due_demotions(spec, marked, [], week(4))
    assert (due.subject, due.clauses[0].observed) == ({"rule": "kpi.level", "to": "ticket"}, 0.25)
    assert due_demotions(spec, marked, [due], week(5)) == []
    assert demoted([due], week(3)) == {}
    assert demoted([due], week(4)) == {"kpi.level": "ticket"}
    more = [d.model_copy(update={"window": week(n).key}) for n, d in enumerate(marked, start=4)]
    (again,) = due_demotions(spec, [*marked, *more], [due], week(8))
    assert again.subject["to"] == "digest"


@pytest.mark.parametrize("verdicts", [("noise",) * 3, ("noise", "useful") * 2])
def test_due_demotions_few_marks_or_half_useful_demote_nothing(
    spec: Spec, settings: Settings, verdicts: tuple[str, ...]
):
    assert due_demotions(spec, marks(spec, settings, *verdicts), [], week(9)) == []


def test_due_demotions_last_word_on_an_incident_counts(spec: Spec, settings: Settings):
    opened = [incident(spec, n) for n in range(4)]
    first = [mark(spec, i, "noise", "looked", "ann", settings) for i in opened]
    second = [mark(spec, i, "useful", "it was one", "bob", settings) for i in opened]
    assert len(due_demotions(spec, first, [], week(9))) == 1
    assert due_demotions(spec, first + second, [], week(9)) == []
    assert precision(first + second) == 0.5
