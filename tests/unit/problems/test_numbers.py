"""Metrics and costs against numbers that a hand, or the paper beside them, works out."""

import math

import numpy as np
import pandas as pd
import pytest

from ratchet.problems import problem_of


def test_multiclass_chooses_what_is_expected_to_cost_least(spec_of):
    problem = problem_of(spec_of("multiclass"))
    answers = np.array([[0.8, 0.1, 0.1], [0.6, 0.1, 0.3], [0.1, 0.8, 0.1]])
    decisions = problem.decide(answers, pd.DataFrame(index=range(3)))
    # expected costs of a, b, c: 10, 11, 17; 28, 15, 13; 17, 4, 10
    assert decisions["chosen_class"].tolist() == ["a", "c", "b"]
    assert problem.losses_of(decisions, ["c", "b", "b"]).tolist() == [90, 10, 0]
    rows = pd.DataFrame({"label": ["a", "b", "c"]})
    found = problem.metrics(np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.2, 0.2, 0.6]]), rows)
    assert found["log_loss"] == pytest.approx(-(math.log(0.7) + math.log(0.4) + math.log(0.6)) / 3)
    assert found["balanced_accuracy"] == pytest.approx(2 / 3)  # the second goes to a
    # each class against the rest: a .7 over .5 and .2; b .4 over .2 and .2; c .6 over both
    assert found["roc_auc"] == pytest.approx(1.0)


def test_multiclass_certainty_of_a_class_that_the_costs_do_not_know_is_refused(spec_of):
    problem = problem_of(spec_of("multiclass"))
    assert "holds ['d'], which costs.matrix" in problem.why_untrainable(pd.Series(["a", "d"]))
    assert "no row has the label ['c']" in problem.why_untrainable(pd.Series(["a", "b"]))


def test_regression_costs_by_the_amount_at_two_prices(spec_of):
    problem = problem_of(spec_of("regression"))
    rows = pd.DataFrame({"label": [10.0, 10.0, 14.0]})
    answers = np.array([8.0, 13.0, 14.0])
    assert problem.losses(answers, rows).tolist() == [6, 3, 0]  # 2 below at 3, 3 above at 1
    found = problem.metrics(answers, rows)
    assert found["mae"] == pytest.approx(5 / 3)
    assert found["rmse"] == pytest.approx(math.sqrt(13 / 3))
    # the labels lie -4/3, -4/3 and 8/3 off their mean
    assert found["r2"] == pytest.approx(1 - 13 / (2 * 16 / 9 + 64 / 9))
    # the newsvendor's quantile, 3 / (3 + 1)
    labels = pd.Series(np.arange(101.0))
    assert problem.constant(labels, 2).tolist() == [75, 75]


def test_regression_compares_within_entities(spec_of):
    problem = problem_of(spec_of("regression"))
    rows = pd.DataFrame(
        {
            "label": [1.0, 2.0, 3.0, 101.0, 102.0, 103.0],
            "x": [0.0, 0, 0, 50, 50, 60],
            "route": ["near"] * 3 + ["far"] * 3,
        }
    )
    compared = problem.comparable(rows)
    assert compared["label"].tolist() == [-1, 0, 1, -1, 0, 1]
    assert compared["x"].tolist() == [0, 0, 0, 0, 0, 10]
    assert problem.is_event(compared).tolist() == [False, False, True] * 2


def test_ranking_is_that_of_the_formula(spec_of):
    problem = problem_of(spec_of("ranking"))
    rows = pd.DataFrame({"query": ["q", "q", "q", "r", "r"], "label": [3.0, 2.0, 0.0, 0.0, 1.0]})
    answers = np.array([0.1, 0.9, 0.5, 0.7, 0.2])
    decisions = problem.decide(answers, rows)
    assert decisions["position"].tolist() == [3, 1, 2, 1, 2]
    # worth 30, 20, 0 | 0, 10, seen by nobody, all, half | all, half
    assert problem.losses(answers, rows).tolist() == [30, 0, 0, 0, 5]
    found = problem.metrics(answers, rows)
    # two positions count; best: 3 / log2(2) + 2 / log2(3), and 1 / log2(2)
    first = 2 / (3 + 2 / math.log2(3))
    assert found["ndcg"] == pytest.approx((first + 1 / math.log2(3)) / 2)
    assert found["mrr"] == pytest.approx((1 + 1 / 2) / 2)


def test_ranking_of_equal_scores_keeps_the_order(spec_of):
    problem = problem_of(spec_of("ranking"))
    rows = pd.DataFrame({"query": ["q"] * 3, "label": [0.0, 1.0, 2.0]})
    assert problem.decide(np.zeros(3), rows)["position"].tolist() == [1, 2, 3]


def test_segments_cost_their_squared_distance_in_scaled_units(spec_of):
    problem = problem_of(spec_of("segmentation"))
    rows = pd.DataFrame({"x": [0.0, 0.0, 4.0, 4.0], "color": ["red"] * 4, "label": list("aabb")})
    together = np.array(["s"] * 4, dtype=object)
    apart = np.array(["s", "s", "t", "t"], dtype=object)
    # x has a standard deviation of 2 around 2: each row lies 1 off, at a price of 2
    assert problem.losses(together, rows).tolist() == [2, 2, 2, 2]
    assert problem.losses(apart, rows).tolist() == [0, 0, 0, 0]
    found = problem.metrics(apart, rows)
    assert found == pytest.approx({"agreement": 1.0, "silhouette": 1.0, "inertia": 0.0})
    assert problem.metrics(together, rows)["agreement"] == 0.0


def test_segments_that_come_again_on_other_rows_are_stable(spec_of, rows_of):
    problem = problem_of(spec_of("segmentation"))
    rows = rows_of("segmentation")
    far = rows.assign(x=np.where(rows["color"] == "red", 100.0, -100.0) + rows["x"].fillna(0))
    far = far.assign(x=np.where(np.arange(len(far)) % 2, 1000.0, -1000.0) + far["x"])
    features = far[["x", "color"]]
    model = problem.estimator("means").set_params(kmeans__n_clusters=2).fit(features)
    assert problem.measure_fit(model, far)["stability"] == pytest.approx(1.0)
