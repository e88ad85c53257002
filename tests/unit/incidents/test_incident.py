"""One cause is one incident, whatever follows from it; and when it is over."""

import pytest
from incidents_made import FIRST, changed, drift, evidence, fault, seen, week

from ratchet.decision import Decision
from ratchet.incidents import Incident
from ratchet.incidents.evidence import Evidence, Seen
from ratchet.incidents.incident import step
from ratchet.spec import Spec

COST = evidence("performance.realised_cost", "champion", severity="ticket", leaves=frozenset())
COST_OF_WEATHER = COST.model_copy(update={"leaves": frozenset({("weather", "temperature_f")})})
KPI = evidence("kpi.level", "departures", severity="ticket", is_verify=True)
LATENCY = evidence("service.latency", "scoring", severity="ticket")


def fold(spec: Spec, *windows: Seen, **given: object) -> list[Incident]:
    incidents: list[Incident] = []
    for window in windows:
        incidents = step(
            incidents,
            window,
            given.get("resolutions", {}),
            given.get("demoted", {}),
            lambda evidence: "2013-02-22T0000--2013-03-01T0000",
            spec,
        )
    return incidents


def only(incidents: list[Incident]) -> Incident:
    assert [i.fingerprint for i in incidents] == [incidents[0].fingerprint]
    return incidents[0]


def test_step_quiet_window_opens_nothing(spec: Spec):
    assert fold(spec, seen(FIRST)) == []


def test_step_dead_feed_is_one_incident_with_all_that_follows_from_it(spec: Spec):
    """Every check on the feed, its features, the news in it, and what the decisions made of it."""
    follows = (
        drift("temperature_f", "weather"),
        evidence("missingness.share", "feat_flights", column="wind_speed_mph").model_copy(
            update={"leaves": frozenset({("weather", "wind_speed_mph")})}
        ),
        drift("wind_speed_mph", "weather", "data.segment_mean", kind="news"),
        COST_OF_WEATHER,
    )
    found = only(
        fold(spec, seen(FIRST, fault("landing", "weather"), fault("volume", "weather"), *follows))
    )
    assert (found.fingerprint, found.cause) == ("data:weather", "data")
    assert found.title == "Data fault in weather"
    assert found.subjects == ("weather",)
    assert found.evidence == ("data.landing:weather", "data.volume:weather")
    assert set(found.silenced) == {e.name for e in follows}


def test_step_broken_column_silences_that_column_and_no_other(spec: Spec):
    broken = fault("unit", "weather", "temperature_f")
    other = drift("wind_speed_mph", "weather")
    data, drifted = fold(spec, seen(FIRST, broken, drift("temperature_f", "weather"), other))
    assert data.silenced == (drift("temperature_f", "weather").name,)
    assert (drifted.fingerprint, drifted.evidence) == ("drift:weather", (other.name,))


def test_step_two_broken_feeds_are_two_incidents(spec: Spec):
    found = fold(spec, seen(FIRST, fault("landing", "weather"), fault("landing", "movements")))
    assert [i.fingerprint for i in found] == ["data:movements", "data:weather"]


def test_step_fault_downstream_of_a_broken_feed_is_the_feeds(spec: Spec):
    both = frozenset({("weather", "temperature_f"), ("schedules", "origin")})
    table = fault("test", "int_flights", leaves=both, home="schedules")
    found = only(fold(spec, seen(FIRST, table, fault("landing", "weather"))))
    assert found.fingerprint == "data:weather"


def test_step_fault_that_no_feed_explains_is_its_tables(spec: Spec):
    both = frozenset({("weather", "temperature_f"), ("schedules", "origin")})
    table = fault("test", "int_flights", leaves=both, home="schedules")
    assert only(fold(spec, seen(FIRST, table))).fingerprint == "data:int_flights"


def test_step_worse_model_without_a_fault_is_a_concept_change_and_no_fault(spec: Spec):
    found = only(fold(spec, seen(FIRST, COST, KPI, drift("delay_min", "movements"))))
    assert (found.fingerprint, found.cause) == ("concept:flights", "concept")
    assert found.title.startswith("Concept change")
    assert set(found.silenced) == {KPI.name, drift("delay_min", "movements").name}


def test_step_cost_that_was_to_be_expected_is_drift_and_one_that_was_not_a_concept_change(
    spec: Spec,
):
    """A storm that the features tell of raises what is expected as well: there is no gap."""
    judged = frozenset({"estimate.gap", "performance.realised_cost", "feature_drift.ks"})
    gap = evidence("estimate.gap", "champion", severity="ticket")
    storm = drift("delay_min", "movements")
    harder = only(fold(spec, seen(FIRST, COST, storm, judged=judged)))
    assert (harder.fingerprint, harder.severity) == ("drift:movements", "ticket")
    other = only(fold(spec, seen(FIRST, COST, gap, storm, judged=judged)))
    assert (other.fingerprint, other.silenced) == ("concept:flights", (storm.name,))


def test_step_news_alone_is_drift_by_feed_for_the_digest(spec: Spec):
    news = drift("carrier", "schedules", "data.segment_appeared", kind="news")
    whole = evidence("prediction_drift.ks", "champion", severity="ticket")
    found = only(fold(spec, seen(FIRST, news, drift("carrier", "schedules"))))
    assert (found.fingerprint, found.cause, found.severity) == (
        "drift:schedules",
        "drift",
        "digest",
    )
    assert only(fold(spec, seen(FIRST, news, whole))).severity == "ticket"


def test_step_new_segment_is_told_by_name_though_drift_of_its_feed_is_open(spec: Spec):
    """With what follows from it: its parts, the same in other tables, and drift of its column."""
    open_drift = drift("delay_min", "schedules")
    gold = changed("carrier=ZZ", "feat_flights", severity="digest", home="schedules")
    gold = gold.model_copy(update={"leaves": frozenset({("schedules", "carrier")})})
    parts = (changed("carrier=ZZ, origin=EWR"), changed("carrier=ZZ, origin=JFK", "movements"))
    own = (changed("carrier=ZZ"), changed("carrier=ZZ", "movements"))
    elsewhere = drift("carrier_mean_delay_min", "movements").model_copy(
        update={"leaves": frozenset({("movements", "delay_min"), ("schedules", "carrier")})}
    )
    moved = drift("carrier", "schedules")
    _, drifted, found = fold(
        spec,
        seen(FIRST, open_drift),
        seen(week(1), *parts, gold, *own, moved, elsewhere, open_drift),
    )
    assert (found.fingerprint, found.cause, found.severity) == (
        "segment:carrier=ZZ",
        "segment",
        "ticket",
    )
    assert found.title == "Segment carrier=ZZ appeared, without a fault of data"
    assert found.text == changed("carrier=ZZ").text
    assert set(found.evidence) == {e.name for e in own}
    assert set(found.silenced) == {e.name for e in (*parts, gold, moved)}
    assert set(found.columns) == {"schedules.carrier", "movements.carrier"}
    assert (drifted.fingerprint, drifted.windows) == ("drift:schedules", (FIRST.key, week(1).key))


def test_step_segment_is_a_cause_of_its_own_beside_another_and_a_concept_change(spec: Spec):
    first, second = changed("carrier=ZZ"), changed("carrier=YY")
    found = fold(spec, seen(FIRST, first), seen(week(1), second, COST))
    assert [i.fingerprint for i in found] == [
        "concept:flights",
        "segment:carrier=YY",
        "segment:carrier=ZZ",
    ]
    part = changed("carrier=XX, origin=EWR")
    assert only(fold(spec, seen(FIRST, part))).fingerprint == "segment:carrier=XX, origin=EWR"


def test_step_segment_of_few_rows_is_drift_and_that_of_a_broken_column_the_faults(spec: Spec):
    few = changed("destination=BGR", severity="digest")
    assert only(fold(spec, seen(FIRST, few))).fingerprint == "drift:schedules"
    broken = only(
        fold(spec, seen(FIRST, fault("code_swap", "schedules", "carrier"), changed("carrier=ZZ")))
    )
    assert (broken.fingerprint, broken.silenced) == (
        "data:schedules",
        (changed("carrier=ZZ").name,),
    )


def test_step_open_segment_silences_drift_of_its_column_which_is_told_once_it_is_over(spec: Spec):
    moved = drift("carrier", "schedules")
    more = changed("carrier=ZZ", family="data", severity="digest")
    more = more.model_copy(
        update={
            "name": "segment_volume:schedules[carrier=ZZ]",
            "leaves": frozenset(("schedules", c) for c in spec.feeds["schedules"].columns),
        }
    )
    weeks = [seen(FIRST, changed("carrier=ZZ"), more), *(seen(week(n), moved) for n in (1, 2))]
    found = only(fold(spec, *weeks))
    assert (found.state, found.columns) == ("resolved", ("schedules.carrier",))
    assert set(found.silenced) == {moved.name, more.name}
    drifted, over = fold(spec, *weeks, seen(week(3), moved))
    assert (drifted.fingerprint, drifted.windows) == ("drift:schedules", (week(3).key,))
    assert over.fingerprint == found.fingerprint


def test_step_kpi_that_moved_for_no_worse_is_to_be_verified(spec: Spec):
    found = only(fold(spec, seen(FIRST, KPI)))
    assert (found.cause, found.severity, found.is_verify) == ("kpi", "ticket", True)
    assert found.title == "Verify departures: it moved to the good, or is counted wrong"
    worse = KPI.model_copy(update={"is_verify": False})
    assert not only(fold(spec, seen(FIRST, worse))).is_verify


def test_step_alert_carries_the_leading_evidence_and_the_last_good_window(spec: Spec):
    worse = evidence("service.errors", "scoring", severity="page", value=0.2, rows=41)
    found = only(fold(spec, seen(FIRST, LATENCY, worse)))
    assert (found.severity, found.lead, found.value, found.rows) == ("page", worse.name, 0.2, 41)
    assert found.last_good == "2013-02-22T0000--2013-03-01T0000"


@pytest.mark.parametrize("follows", [True, False])
def test_step_consequence_counts_though_it_is_silenced(spec: Spec, follows: bool):
    costly = COST_OF_WEATHER.model_copy(update={"severity": "page"})
    parts = (fault("landing", "weather"), *([costly] if follows else []))
    assert only(fold(spec, seen(FIRST, *parts))).severity == ("page" if follows else "ticket")


def test_step_what_goes_on_is_the_same_incident_and_grows_only_worse(spec: Spec):
    first = only(fold(spec, seen(FIRST, KPI)))
    later = only(
        fold(spec, seen(FIRST, KPI), seen(week(1), KPI.model_copy(update={"severity": "page"})))
    )
    assert (later.id, later.severity) == (first.id, "page")
    assert later.windows == (FIRST.key, week(1).key)
    again = only(
        fold(spec, seen(FIRST, KPI.model_copy(update={"severity": "page"})), seen(week(1), KPI))
    )
    assert again.severity == "page"


def test_step_recovers_after_enough_windows_in_which_it_was_looked_for(spec: Spec):
    blind = seen(week(1), judged=frozenset())
    too_few = seen(week(1), unknown=frozenset({KPI.name}))
    first = seen(FIRST, KPI)
    assert only(fold(spec, first, seen(week(1)))).state == "open"
    over = only(fold(spec, first, seen(week(1)), seen(week(2))))
    assert (over.state, over.resolved_by, over.resolved) == ("resolved", "recovery", week(2).key)
    for unseen in (blind, too_few):
        waits = only(fold(spec, first, unseen, seen(week(2))))
        assert (waits.state, waits.quiet) == ("open", 1)


def test_step_fault_recovers_only_where_data_was_checked(spec: Spec):
    first = seen(FIRST, fault("landing", "weather"))
    unchecked = [seen(week(n), is_checked=False) for n in (1, 2, 3)]
    assert only(fold(spec, first, *unchecked)).state == "open"
    assert only(fold(spec, first, seen(week(1)), seen(week(2)))).state == "resolved"


def test_step_open_fault_goes_on_to_silence_what_it_left_behind(spec: Spec):
    """Rates over two weeks are wrong for a while after the feed has come back."""
    found = only(
        fold(
            spec,
            seen(FIRST, fault("landing", "weather")),
            seen(week(1), drift("temperature_f", "weather")),
        )
    )
    assert (found.quiet, found.silenced) == (1, (drift("temperature_f", "weather").name,))


def test_step_what_comes_back_within_a_week_is_opened_again(spec: Spec):
    over = [seen(FIRST, KPI), seen(week(1)), seen(week(2))]
    again = only(fold(spec, *over, seen(week(3), KPI)))
    assert (again.state, again.reopened, again.resolved) == ("open", 1, None)
    assert again.windows == (FIRST.key, week(3).key)
    within = only(fold(spec, *over, seen(week(3)), seen(week(4), KPI)))
    assert within.reopened == 1
    anew = only(fold(spec, *over, seen(week(3)), seen(week(4)), seen(week(5), KPI)))
    assert (anew.reopened, anew.windows) == (0, (week(5).key,))


def test_step_person_resolves_with_a_reason_and_evidence_opens_it_again(spec: Spec):
    first = only(fold(spec, seen(FIRST, KPI)))
    decision = Decision(
        kind="incident",
        use_case="flights",
        window=FIRST.key,
        verdict="resolved",
        clauses=(),
        subject={"incident": first.id},
        evidence={"reason": "a marathon"},
        author="ann",
    )
    quiet = only(step([first], seen(week(1)), {first.id: decision}, {}, lambda _: None, spec))
    assert (quiet.state, quiet.resolved_by, quiet.reason) == ("resolved", "ann", "a marathon")
    back = only(step([first], seen(week(1), KPI), {first.id: decision}, {}, lambda _: None, spec))
    assert (back.state, back.reopened, back.reason) == ("open", 1, None)


def test_step_demoted_rule_has_less_of_a_say(spec: Spec):
    page = KPI.model_copy(update={"severity": "page"})
    assert only(fold(spec, seen(FIRST, page), demoted={"kpi.level": "digest"})).severity == "digest"
    assert only(fold(spec, seen(FIRST, page), demoted={"kpi.other": "digest"})).severity == "page"


def test_step_drift_that_goes_by_a_fault_now_is_not_over(spec: Spec):
    moved = drift("temperature_f", "weather")
    found = fold(
        spec,
        seen(FIRST, moved),
        *(seen(week(n), fault("unit", "weather", "temperature_f"), moved) for n in (1, 2, 3)),
    )
    assert {i.fingerprint: i.state for i in found} == {
        "data:weather": "open",
        "drift:weather": "open",
    }


def test_step_late_run_is_the_services(spec: Spec):
    late = evidence("data.deadline", "flights", kind="fault", severity="ticket")
    assert only(fold(spec, seen(FIRST, late))).cause == "service"


def test_step_is_the_same_again(spec: Spec):
    windows = [seen(FIRST, KPI, LATENCY), seen(week(1), fault("landing", "weather"))]
    assert fold(spec, *windows) == fold(spec, *windows)


def test_evidence_feeds_are_those_of_its_columns():
    found: Evidence = fault("landing", "weather")
    assert found.feeds == {"weather"}
