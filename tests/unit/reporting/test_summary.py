import pytest
from fake_lake import WEEKS, FakeLake
from incidents_made import graph_of, signal

from ratchet.incidents import judge_window, open_incidents
from ratchet.monitoring import write_signals
from ratchet.reporting import summarise


def test_summarise_costs_every_policy_on_the_champions_weeks(told: FakeLake):
    summary = summarise(told.spec, told.settings)
    costs = {policy: row.cost_per_unit for policy, row in summary.overall.items()}
    # acted and disrupted 70, acted in vain 10, left and disrupted 100; four flights, two disrupted
    assert costs == {
        "decision": (70 + 70) / 4,
        "first": (70 + 100 + 10) / 4,
        "rule": 200 / 4,
        "never": 200 / 4,
        "always": (70 + 70 + 10 + 10) / 4,
        "perfect": (70 + 70) / 4,
    }
    assert summary.state == "complete"
    assert summary.saved_per_unit("first") == 10
    assert [week.saved("rule") for week in summary.weeks] == [60, 60]


def test_summarise_weeks_begin_with_the_first_champion(told: FakeLake):
    summary = summarise(told.spec, told.settings)
    assert [week.window for week in summary.weeks] == [window.key for window in WEEKS[1:]]
    assert [week.version for week in summary.weeks] == ["1", "1"]
    assert summary.overall["decision"].total == 8
    assert summary.message == (
        "8 flights in 2 windows, 2013-03-08 → 2013-03-22; 100.0% of their labels are known."
    )


def test_summarise_decisions_stand_in_order_of_their_windows(told: FakeLake):
    summary = summarise(told.spec, told.settings)
    assert [(d.kind, d.verdict) for d in summary.decisions] == [
        ("retrain", "requested"),
        ("release", "accepted"),
        ("promotion", "promoted"),
        ("release", "refused"),
    ]


def test_summarise_counts_rows_and_says_why_they_are_quarantined(told: FakeLake):
    feeds = {feed.feed: feed for feed in summarise(told.spec, told.settings).feeds}
    assert set(feeds) == set(told.spec.feeds)
    weather = feeds["weather"]
    assert (weather.landed, weather.accepted, weather.quarantined) == (12, 9, 3)
    assert weather.reason == "wind_gust_mph: 900 is over 253"
    assert (feeds["planes"].landed, feeds["planes"].reason) == (0, None)


def test_summarise_puts_drift_beside_its_week(told: FakeLake, monkeypatch: pytest.MonkeyPatch):
    """A feature that moved has lasted from the second week on, and counts once."""
    graph = graph_of(told.spec)
    monkeypatch.setattr("ratchet.lineage.load_graph", lambda *_: graph)
    quiet = {"effect": 0.0, "p_value": 1.0}
    for window in WEEKS[1:]:
        answers = {"family": "prediction_drift", "rule": "psi", "value": 0.04, **quiet}
        signals = [
            signal(window=window),
            signal(window=window, rule="psi"),
            signal("wind_speed_mph", window, segment="origin=EWR"),
            signal("dew_point_f", window, **quiet),
            signal("probability", window, **answers),
        ]
        write_signals(told.spec, window, "drift", signals, told.settings)
        judge_window(told.spec, window, told.settings)
        open_incidents(told.spec, window, told.settings)
    weeks = summarise(told.spec, told.settings).weeks
    assert [(w.prediction_psi, w.drifted_features) for w in weeks] == [(0.04, 0), (0.04, 1)]


def test_summarise_week_that_was_not_measured_has_no_drift(told: FakeLake):
    weeks = summarise(told.spec, told.settings).weeks
    assert {(week.prediction_psi, week.drifted_features) for week in weeks} == {(None, None)}


def test_summarise_empty_lake_says_that_nothing_was_scored(fake_lake: FakeLake):
    summary = summarise(fake_lake.spec, fake_lake.settings)
    assert (summary.state, summary.weeks, summary.decisions) == ("nothing_scored", (), ())
    assert summary.message == "Nothing has been scored yet, so there is nothing to compare."


@pytest.mark.parametrize("champion, state", [(None, "no_champion"), ("1", "no_labels")])
def test_summarise_before_results_says_what_is_missing(
    fake_lake: FakeLake, champion: str | None, state: str
):
    role = "champion" if champion else "rule"
    fake_lake.score(WEEKS[0], {role: [0.1, 0.9]}, champion=champion)
    summary = summarise(fake_lake.spec, fake_lake.settings)
    assert summary.state == state
    assert summary.saved_per_unit("never") is None
