import pandas as pd
import pytest
from fake_lake import WEEKS, FakeLake

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


def test_summarise_puts_drift_beside_its_week(told: FakeLake):
    window = WEEKS[2].key
    rows = [("prediction", "prediction", "ok", 0.04), ("hour", "numeric", "drift", 0.5)]
    frame = pd.DataFrame(rows, columns=["name", "kind", "state", "psi"])
    folder = told.lake.monitoring / "drift"
    folder.mkdir(parents=True)
    frame.assign(observed_window=window).to_parquet(folder / f"{window}.parquet")
    weeks = {week.window: week for week in summarise(told.spec, told.settings).weeks}
    assert (weeks[window].prediction_psi, weeks[window].drifted_features) == (0.04, 1)
    assert weeks[WEEKS[1].key].prediction_psi is None


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
