"""Each kind of leak is planted in real flights and found by name; clean flights are silent."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from three_weeks import LATER

from ratchet.quality.leakage import Labelled, check_leakage, check_unlabelled
from ratchet.warehouse import load_snapshot, read_features, take_snapshot
from ratchet.window import Window

LAST = LATER[-1]
LAST_DAY = Window.parse("2013-01-21T0000--2013-01-22T0000")


@pytest.fixture(scope="module")
def clean(three_weeks, flights_spec) -> pd.DataFrame:
    """Return real flights with labels; nothing but a snapshot is written."""
    snapshot = take_snapshot(flights_spec, LAST, three_weeks)
    return load_snapshot(flights_spec, snapshot.id, three_weeks)


@pytest.fixture
def rows(clean):
    return clean.copy()


@pytest.fixture
def noise(rows):
    return np.random.default_rng(5).normal(size=len(rows))


@pytest.fixture
def faults(flights_spec):
    """Return a function that names the faults of some rows, by check."""

    def find(rows):
        findings = list(check_leakage(Labelled(flights_spec, LAST, rows)))
        return {f.name.replace("feat_flights.", "") for f in findings if f.is_fault}

    return find


def test_check_leakage_clean_flights_are_silent_and_looked_at(flights_spec, clean):
    findings = list(check_leakage(Labelled(flights_spec, LAST, clean)))
    assert {f.check: f.state for f in findings} == {
        "separates_label": "ok",
        "missingness_separates_label": "ok",
        "value_settles_label": "ok",
        "signal_gone": "ok",
    }
    (separation,) = (f for f in findings if f.check == "separates_label")
    assert separation.observed is not None
    assert 0.6 < separation.observed < flights_spec.max_separation
    assert int(separation.text.split()[0].replace(",", "")) > 3000


def test_check_leakage_of_a_column_overall_is_named_once(rows, noise, faults):
    rows["dew_point_f"] = rows["is_disrupted"] + 0.3 * noise
    assert faults(rows) >= {"separates_label:dew_point_f"}
    assert not any("[" in name and "dew_point" in name for name in faults(rows))


def test_check_leakage_in_one_segment_is_named_though_the_whole_hardly_shows_it(rows, faults):
    late, small = rows["is_disrupted"], rows["carrier"] == "9E"
    before = roc_auc_score(late, rows["distance_mi"])
    rows.loc[small, "distance_mi"] = 1000.0 + late[small]
    lifted = roc_auc_score(late, rows["distance_mi"])
    assert 0 < small.mean() < 0.06
    assert abs(lifted - before) < 0.01
    assert faults(rows) == {"separates_label:distance_mi[carrier=9E]"}


def test_check_leakage_in_a_cell_of_numbers_is_named(rows, noise, faults):
    early = rows["scheduled_hour"] < 8
    rows.loc[early, "visibility_mi"] = rows["is_disrupted"] + 0.1 * noise
    found = faults(rows)
    assert any(name.startswith("separates_label:visibility_mi[scheduled_hour=") for name in found)


def test_check_leakage_of_values_in_no_order_is_named(rows, faults):
    rng = np.random.default_rng(6)
    odd = rng.choice([11.0, 13.0, 15.0, 17.0], len(rows))
    rows["humidity_pct"] = np.where(rows["is_disrupted"], odd, odd + 1)
    assert abs(roc_auc_score(rows["is_disrupted"], rows["humidity_pct"]) - 0.5) < 0.2
    assert "separates_label:humidity_pct" in faults(rows)


def test_check_leakage_of_a_category_is_named(rows, faults):
    rows["scheduled_weekday"] = np.where(rows["is_disrupted"], "Mon", rows["scheduled_weekday"])
    assert "separates_label:scheduled_weekday" in faults(rows)


def test_check_leakage_of_a_missing_value_in_a_segment_is_named(rows, faults):
    rows.loc[(rows["carrier"] == "9E") & ~rows["is_disrupted"], "temperature_f"] = np.nan
    assert "missingness_separates_label:temperature_f[carrier=9E]" in faults(rows)


def test_check_leakage_of_a_value_that_settles_the_label_is_named(rows, faults):
    """As a tail number is missing where a flight was cancelled: rare, and always disrupted."""
    some = rows["is_disrupted"] & (np.arange(len(rows)) % 8 == 0)
    rows.loc[some, "temperature_f"] = np.nan
    assert 300 < some.sum() < 0.05 * len(rows)
    assert faults(rows) == {"value_settles_label:temperature_f[missing]"}


def test_check_leakage_of_a_value_on_few_days_is_taken_for_weather(rows, faults):
    some = rows["is_disrupted"] & (rows["decision_at"] < "2013-01-09")
    rows.loc[some, "temperature_f"] = np.nan
    assert not any(name.startswith("value_settles_label") for name in faults(rows))


@pytest.mark.parametrize("afterwards", ["noise", "missing"])
def test_check_leakage_of_a_signal_gone_from_the_holdout_is_named(rows, noise, faults, afterwards):
    trained = rows["decision_at"] < "2013-01-08"
    rows["dew_point_f"] = np.where(trained, rows["is_disrupted"] + 0.8 * noise, noise)
    if afterwards == "missing":
        rows.loc[~trained, "dew_point_f"] = np.nan
    assert "signal_gone:dew_point_f" in faults(rows)


def test_check_leakage_with_few_rows_says_that_it_can_not_tell(flights_spec, clean):
    findings = list(check_leakage(Labelled(flights_spec, LAST, clean.iloc[:60])))
    states = {f.check: f.state for f in findings}
    assert states["separates_label"] == "not_enough_data"
    assert not any(f.is_fault for f in findings)


@pytest.fixture
def published(three_weeks, flights_spec):
    return read_features(flights_spec, LAST_DAY, three_weeks)


def test_check_unlabelled_clean_flights_are_silent(flights_spec, clean, published):
    (finding,) = check_unlabelled(Labelled(flights_spec, LAST, clean), published)
    assert (finding.check, finding.state) == ("missing_until_labelled", "ok")
    assert not finding.text.startswith("0 rows")


def test_check_unlabelled_value_filled_in_with_the_outcome_is_named(flights_spec, clean, published):
    labelled = published["flight_id"].isin(clean["flight_id"])
    published.loc[~labelled, "temperature_f"] = np.nan
    (finding,) = check_unlabelled(Labelled(flights_spec, LAST, clean), published)
    assert finding.name == "missing_until_labelled:feat_flights.temperature_f"
    assert finding.observed == 1.0
    assert finding.broken == finding.rows > 100


def test_check_unlabelled_too_few_rows_says_that_it_can_not_tell(flights_spec, clean, published):
    few = published[~published["flight_id"].isin(clean["flight_id"])].head(5)
    (finding,) = check_unlabelled(Labelled(flights_spec, LAST, clean), few)
    assert finding.state == "not_enough_data"
