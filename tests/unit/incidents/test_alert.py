"""Few people, few things: what is told, when, and what waits for the digest."""

from collections.abc import Callable

from incidents_made import FIRST, evidence, seen, week

from ratchet.incidents import Alert, Incident
from ratchet.incidents.alert import digests, ends_week, tell
from ratchet.incidents.evidence import Evidence
from ratchet.incidents.incident import step
from ratchet.spec import Spec
from ratchet.window import Window

TICKET = evidence("kpi.level", "departures", severity="ticket")
PAGE = evidence("service.errors", "scoring", severity="page")
NEWS = evidence("feature_drift.ks", "feat_flights", column="origin")


def told(
    spec: Spec,
    *windows: tuple[Evidence, ...],
    silent: Callable[[Incident, Window], bool] = lambda incident, window: False,
) -> list[list[Alert]]:
    """Return what there is to tell, week after week."""
    incidents: list[Incident] = []
    alerts = []
    for number, found in enumerate(windows):
        window = week(number)
        after = step(incidents, seen(window, *found), {}, {}, lambda _: None, spec)
        of_week, incidents = tell(
            incidents, after, [], lambda i, w=window: silent(i, w), window, spec.alerts
        )
        alerts.append(of_week)
    return alerts


def events(alerts: list[list[Alert]]) -> list[list[tuple[str, str]]]:
    return [[(alert.event, alert.route) for alert in of_week] for of_week in alerts]


def test_tell_once_when_it_opens_and_once_when_it_is_over(spec: Spec):
    story = told(spec, (TICKET,), (TICKET,), (), ())
    assert events(story) == [[("opened", "ticket")], [], [], [("resolved", "digest")]]
    assert story[3][0].text == "Resolved by recovery."


def test_tell_again_when_it_gets_worse_or_comes_back(spec: Spec):
    worse = TICKET.model_copy(update={"severity": "page"})
    assert events(told(spec, (TICKET,), (worse,), (TICKET,))) == [
        [("opened", "ticket")],
        [("worse", "page")],
        [],
    ]
    again = told(spec, (PAGE,), (), (), (PAGE,))
    assert events(again) == [
        [("opened", "page")],
        [],
        [("resolved", "ticket")],
        [("reopened", "page")],
    ]
    assert len({alert.id for of_week in again for alert in of_week}) == 3


def test_tell_what_is_silenced_once_the_silence_has_ended(spec: Spec):
    story = told(spec, (TICKET,), (TICKET,), silent=lambda _, window: window == FIRST)
    assert events(story) == [[], [("opened", "ticket")]]
    never = told(spec, (TICKET,), (), (), silent=lambda *_: True)
    assert events(never) == [[], [], []]  # who was not told when it began is not told when it ended


def test_tell_carries_value_threshold_window_rows_last_good_owner_and_what_to_do(spec: Spec):
    ((alert,),) = told(spec, (TICKET,))
    assert (alert.value, alert.threshold, alert.unit, alert.rows) == (0.5, 0.1, "share", 7000)
    assert (alert.window, alert.rule) == (FIRST.key, "kpi.level:departures")
    assert alert.owner_email == "somebody@ratchet.example"
    assert alert.text == "It moved; look at it."
    assert alert.channels == ("log",)


def test_tell_drift_waits_for_the_digest(spec: Spec):
    ((alert,),) = told(spec, (NEWS,))
    assert (alert.route, alert.channels) == ("digest", ())


def test_tell_tickets_over_the_budget_are_held_back_and_pages_never(spec: Spec):
    many = [evidence("kpi.level", f"kpi_{n}", severity="ticket") for n in range(7)]
    after = step([], seen(FIRST, *many, PAGE), {}, {}, lambda _: None, spec)
    assert spec.alerts.budget_per_week == 5
    alerts, _ = tell([], after, [], lambda _: False, FIRST, spec.alerts)
    held = [alert for alert in alerts if alert.held]
    assert {(a.severity, a.route, a.channels) for a in held} == {("ticket", "digest", ())}
    assert len(held) == 2
    earlier = [alert for alert in alerts if not alert.held]
    later, _ = tell([], after, earlier, lambda _: False, FIRST, spec.alerts)
    assert sorted((a.route, a.held) for a in later if not a.held) == [("page", None)]


def test_digests_one_for_each_owner_of_whom_there_is_anything_to_tell(spec: Spec):
    other = TICKET.owner.model_copy(update={"name": "Other", "email": "other@ratchet.example"})
    drifted = NEWS.model_copy(update={"owner": other})
    after = step([], seen(FIRST, TICKET, drifted), {}, {}, lambda _: None, spec)
    alerts, incidents = tell([], after, [], lambda _: False, FIRST, spec.alerts)
    useful = {"somebody@ratchet.example": "Of 4 marked, 75% were useful."}
    mine, others = sorted(
        digests("flights", incidents, alerts, useful, FIRST, spec.alerts),
        key=lambda alert: alert.owner_email,
        reverse=True,
    )
    assert mine.title == "flights, 2013-03-01 → 2013-03-08: 1 open, 0 resolved"
    assert "Tickets: 1 of 5" in mine.text
    assert "Of 4 marked, 75% were useful." in mine.text
    assert "Drift" in others.text
    assert "Nobody has marked" in others.text
    assert {alert.channels for alert in (mine, others)} == {("log",)}
    assert digests("flights", [], [], {}, FIRST, spec.alerts) == []


def test_ends_week_of_weekly_windows_each_and_of_daily_ones_sunday():
    assert ends_week(FIRST)
    days = [Window.parse(f"2013-03-{d:02}T0000--2013-03-{d + 1:02}T0000") for d in range(1, 15)]
    assert [day.start.strftime("%a") for day in days if ends_week(day)] == ["Sun", "Sun"]
