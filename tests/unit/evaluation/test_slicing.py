"""Planted in one part of the data, found there; nowhere else, nothing is found."""

from types import SimpleNamespace

import numpy as np
import pytest
from honest_model import honest
from sklearn.metrics import roc_auc_score

from ratchet.evaluation.slicing import levels_of, measure_groups, measure_slices
from ratchet.problems import Answers

LEVEL = 0.05
LOSS = 20.0


def slices(stage, worse):
    """Return what is found where a candidate loses 20 points per flight, and gains elsewhere."""
    noise = np.random.default_rng(1).normal(0, 10, len(stage.rows))
    planted = np.where(worse, LOSS, -LOSS / 2) if np.any(worse) else 0.0
    return measure_slices(
        stage.problem, stage.rows, honest(stage.rows), noise + planted, stage.days, "champion 3"
    )


def texts(column, spec):
    names, codes = levels_of(column, spec)
    return names[codes]


def proven(found):
    return {(each.column, each.level) for each in found if each.adjusted_p_value <= LEVEL}


def test_slices_where_nothing_is_worse_are_silent(stage):
    found = slices(stage, np.zeros(len(stage.rows)))
    assert found.searched > 100
    assert not proven(found.declared)
    assert not proven(found.found)


def test_slices_declared_one_that_is_worse_is_found(stage):
    found = slices(stage, stage.rows["carrier"] == "AA")
    assert proven(found.declared) == {("carrier", "AA")}
    assert (found.declared[0].column, found.declared[0].level) == ("carrier", "AA")
    assert found.declared[0].low < LOSS < found.declared[0].high


def test_slices_pair_that_nobody_declared_is_the_worst_found(stage):
    warm = stage.rows["temperature_f"] > stage.rows["temperature_f"].quantile(0.75)
    found = slices(stage, (stage.rows["origin"] == "EWR") & warm)
    worst = found.found[0]
    assert worst.column == "origin and temperature_f"
    assert worst.level.startswith("EWR and above ")
    assert worst.adjusted_p_value <= LEVEL


def test_slices_with_too_few_rows_or_days_are_not_tested(stage):
    rare = stage.rows.assign(origin=np.where(stage.rows.index < 49, "ACK", stage.rows["origin"]))
    losses = np.where(rare["origin"] == "ACK", LOSS, 0.0)
    found = measure_slices(stage.problem, rare, honest(rare), losses, stage.days, "rule")
    assert "ACK" not in {each.level for each in (*found.declared, *found.metrics)}


def test_slices_metric_of_a_key_slice_is_that_of_its_rows(stage):
    answers, label = honest(stage.rows), stage.spec.gold.label
    found = measure_slices(
        stage.problem, stage.rows, answers, np.zeros(len(answers)), stage.days, "rule"
    )
    assert {each.column for each in found.metrics} == {"origin", "carrier", "scheduled_hour"}
    for each in found.metrics:
        inside = texts(stage.rows[each.column], stage.spec) == each.level
        expected = roc_auc_score(stage.rows[label][inside], answers[inside])
        assert each.estimate == pytest.approx(expected)
        assert each.rows == inside.sum()
    assert [each.shrunken for each in found.metrics] == sorted(e.shrunken for e in found.metrics)


@pytest.mark.parametrize("broken", ["nothing but the least", "anybody's answer"])
def test_slices_key_slice_whose_answers_mean_nothing_has_the_metric_of_chance(stage, broken):
    answers, inside = honest(stage.rows).copy(), (stage.rows["origin"] == "EWR").to_numpy()
    anybodys = np.random.default_rng(2).permutation(answers[inside])
    answers[inside] = answers.min() if broken == "nothing but the least" else anybodys
    found = measure_slices(
        stage.problem, stage.rows, answers, np.zeros(len(answers)), stage.days, "rule"
    )
    at_origins = {each.level: each.shrunken for each in found.metrics if each.column == "origin"}
    assert at_origins.pop("EWR") == pytest.approx(0.5, abs=0.08)
    assert min(at_origins.values()) > 0.65


def test_slices_without_labels_of_both_kinds_have_no_metric(stage):
    rows = stage.rows.assign(**{stage.spec.gold.label: stage.rows["origin"] == "EWR"})
    found = measure_slices(
        stage.problem, rows, honest(rows), np.zeros(len(rows)), stage.days, "rule"
    )
    assert "origin" not in {each.column for each in found.metrics}
    assert "carrier" in {each.column for each in found.metrics}


def test_levels_of_numbers_are_quantiles_and_gaps_have_their_own(stage):
    found = texts(stage.rows["wind_gust_mph"], stage.spec)
    names, counts = np.unique(found, return_counts=True)
    known = stage.rows["wind_gust_mph"].notna().sum()
    assert len(names) == 5
    assert counts[names == "missing"] == [len(stage.rows) - known]
    assert counts[names != "missing"] == pytest.approx(known / 4, abs=1)


def test_levels_of_numbers_that_are_mostly_one_value_do_not_tear_it_apart(stage):
    mostly_dry = stage.rows["precipitation_in"].where(stage.rows.index % 10 == 0, 0.0).abs()
    found = texts(mostly_dry, stage.spec)
    assert len(np.unique(found[mostly_dry == 0])) == 1


def test_levels_of_numbers_that_differ_late_have_names_of_their_own(stage):
    late = 1234560 + stage.rows.index.to_series(name="distance_mi") / 100
    names, counts = np.unique(texts(late, stage.spec), return_counts=True)
    assert names.tolist() == ["above 1234566", "to 1234562", "to 1234564", "to 1234566"]
    assert counts.tolist() == [210] * 4


def groups(stage, answers: Answers):
    losses = stage.problem.losses(answers, stage.rows)
    rule = stage.problem.losses(stage.problem.rule(stage.rows), stage.rows)
    return measure_groups(stage.problem, stage.rows, answers, losses - rule, stage.days)


def test_groups_honest_model_leaves_nobody_behind(stage):
    found = groups(stage, honest(stage.rows))
    assert set(found) == {"origin=EWR", "origin=JFK", "origin=LGA"}
    for group in found.values():
        assert group.against_baseline.adjusted_p_value > LEVEL


def test_groups_one_that_is_acted_on_in_the_wrong_cases_is_found(stage):
    at_lga = (stage.rows["origin"] == "LGA").to_numpy()
    answers = honest(stage.rows)
    wrong = np.where(answers < stage.spec.costs.threshold, 0.9, 0.0)
    found = groups(stage, np.where(at_lga, wrong, answers))
    worse = {n for n, g in found.items() if g.against_baseline.adjusted_p_value <= LEVEL}
    assert worse == {"origin=LGA"}


def test_groups_one_that_is_alone_in_the_holdout_is_compared_with_the_baseline(stage):
    alone = SimpleNamespace(**vars(stage) | {"rows": stage.rows.assign(origin="JFK")})
    found = groups(alone, honest(alone.rows))
    assert list(found) == ["origin=JFK"]
    assert found["origin=JFK"].rates == {}
    assert found["origin=JFK"].against_baseline.rows == len(alone.rows)


def test_groups_one_that_is_acted_on_more_often_differs_from_the_others(stage):
    at_lga = (stage.rows["origin"] == "LGA").to_numpy()
    found = groups(stage, np.where(at_lga, 0.9, honest(stage.rows)))
    rate = found["origin=LGA"].rates["acted_share_of_negatives"]
    positive = stage.rows[stage.spec.gold.label].to_numpy(bool)
    others = (honest(stage.rows) >= 0.25)[~at_lga & ~positive].mean()
    assert rate.value == 1.0
    assert rate.difference == pytest.approx(1.0 - others)
    assert 0 < rate.low < rate.difference < rate.high


def test_groups_difference_has_the_error_of_two_means_when_days_do_not_matter(stage):
    """With one row a day, the error is Welch's; within a fiftieth of it on 840 rows."""
    from scipy.stats import ttest_ind

    days = np.arange(len(stage.rows)).astype("datetime64[D]")
    answers = honest(stage.rows)
    losses = stage.problem.losses(answers, stage.rows)
    found = measure_groups(stage.problem, stage.rows, answers, losses, days)
    rate = found["origin=EWR"].rates["cost_per_unit"]
    inside = (stage.rows["origin"] == "EWR").to_numpy()
    welch = ttest_ind(losses[inside], losses[~inside], equal_var=False).confidence_interval(0.95)
    assert rate.low == pytest.approx(welch.low, abs=0.02 * (welch.high - welch.low))
    assert rate.high == pytest.approx(welch.high, abs=0.02 * (welch.high - welch.low))
