"""Every kind of problem is examined by the same code, and its faults are found."""

import numpy as np
import pandas as pd
import pytest
from model_lake import FIRST, flights, small

from ratchet.evaluation.disturbing import measure_behaviour, measure_robustness
from ratchet.evaluation.slicing import measure_groups
from ratchet.problems import problem_of
from ratchet.spec.costs import (
    MulticlassCosts,
    RankingCosts,
    RegressionCosts,
    SegmentationCosts,
)
from ratchet.spec.types import Canary, Direction, Invariance
from ratchet.statistics import measure_calibration

UNIT = {"unit": "points", "assumption": "A test's."}
COSTS = {
    "regression": RegressionCosts(
        problem="regression", too_low_per_unit=1, too_high_per_unit=1, **UNIT
    ),
    "ranking": RankingCosts(
        problem="ranking", group="scheduled_weekday", per_relevance=1, seen=(1,) * 40, **UNIT
    ),
    "multiclass": MulticlassCosts(
        problem="multiclass",
        matrix={t: {c: float(t != c) for c in "abc"} for t in "abc"},
        **UNIT,
    ),
    "segmentation": SegmentationCosts(problem="segmentation", per_distance=1, **UNIT),
}
DELAY = "origin_mean_delay_min"


def label_of(kind, rows):
    """Return labels that the delay so far tells, but for the sign of a little noise."""
    value = rows[DELAY] + np.random.default_rng(3).normal(0, 0.3, len(rows))
    classes = np.select([value < -0.5, value > 0.5], ["a", "c"], "b")
    return {
        "regression": value,
        "ranking": (value > 0.5).astype(float),
        "multiclass": pd.Series(classes, rows.index),
        "segmentation": pd.Series(classes, rows.index),
    }[kind]


class Model:
    """Answer by the delay so far; at LGA otherwise, if it is unfair."""

    def __init__(self, kind, unfair=False, gap=None):
        self.kind, self.unfair, self.gap = kind, unfair, gap

    def _value(self, frame):
        value = frame[DELAY].fillna(0).to_numpy(float)
        if self.unfair:
            value = np.where(frame["origin"] == "LGA", -value, value)
        return value

    def predict(self, frame):
        value = self._value(frame)
        if self.kind == "segmentation":
            found = np.select([value < -0.5, value > 0.5], ["a", "c"], "b").astype(object)
            return np.where(frame["humidity_pct"].isna(), self.gap or found, found)
        return np.where(frame["humidity_pct"].isna() & (self.gap is not None), np.nan, value)

    def predict_proba(self, frame):
        value = self._value(frame)
        answers = np.full((len(frame), 3), 0.05)
        answers[np.arange(len(frame)), 1 + (value > 0.5) - (value < -0.5).astype(int)] = 0.9
        if self.gap is not None:
            answers[frame["humidity_pct"].isna()] = np.nan
        return answers


@pytest.fixture(params=COSTS)
def kind(request):
    return request.param


@pytest.fixture
def staged(spec, kind):
    declared = small(spec).model_copy(update={"costs": COSTS[kind]})
    rows = flights(declared, FIRST).tail(840).reset_index(drop=True)
    rows[declared.gold.label] = label_of(kind, rows)
    return problem_of(declared), rows, list(declared.gold.features)


def test_kind_groups_that_are_treated_alike_do_not_differ_and_others_do(kind, staged):
    problem, rows, _ = staged
    days = rows[problem.spec.gold.decided_at].to_numpy("datetime64[D]")
    name = {
        "regression": "distance",
        "ranking": "seen_share_of_relevant",
        "multiclass": "right_share",
        "segmentation": "cost_per_unit",
    }[kind]
    found = []
    for unfair in (False, True):
        answers = problem.answer(Model(kind, unfair), rows)
        groups = measure_groups(problem, rows, answers, np.zeros(len(rows)), days)
        rate = groups["origin=LGA"].rates[name]
        found.append(rate.low <= 0 <= rate.high)
    # which segment a unit is put into costs what it is unlike its segment, wherever it flies
    assert found == [True, kind == "segmentation"]


def test_kind_answers_that_are_none_are_impossible(kind, staged):
    problem, rows, features = staged
    gap = 7 if kind == "segmentation" else "a gap"
    for model, expected in ((Model(kind), "answered"), (Model(kind, gap=gap), "impossible")):
        found = measure_robustness(problem, model, rows, features)
        (outcome,) = {
            each.outcome
            for each in found
            if (each.feature, each.how) == ("humidity_pct", "missing")
        }
        assert outcome == ("answered" if kind == "segmentation" else expected)


def test_kind_behaviour_is_of_what_is_watched(kind, staged):
    problem, rows, features = staged
    is_number = kind in ("regression", "ranking")
    bounds = {"least": 0.9, "most": 1.1} if is_number else {"among": ("c",)}
    tests = {
        "delayed": Canary(test="canary", reason="r", row={DELAY: 1.0}, **bounds),
        "early": Canary(test="canary", reason="r", row={DELAY: -1.0}, **bounds),
        "origin": Invariance(
            test="invariance", reason="r", feature="origin", values=("EWR", "LGA"), max_change=0.1
        ),
    }
    if is_number:
        tests["delay"] = Direction(
            test="direction", reason="r", add={DELAY: 1}, least=0.9, most=1.1
        )
    evaluation = problem.spec.evaluation.model_copy(update={"behaviour": tests})
    problem = problem_of(problem.spec.model_copy(update={"evaluation": evaluation}))
    fair = measure_behaviour(problem, Model(kind), rows, features)
    unfair = measure_behaviour(problem, Model(kind, unfair=True), rows, features)
    assert {name for name, each in fair.items() if not each.passed} == {"early"}
    assert not unfair["origin"].passed


def test_kind_with_probabilities_has_a_calibration_and_no_other(kind, staged):
    problem, rows, _ = staged
    labels = rows[problem.spec.gold.label]
    found = problem.probabilities(problem.answer(Model(kind), rows), labels)
    assert (found is not None) == problem.spec.costs.has_probabilities
    if found is not None:
        days = rows[problem.spec.gold.decided_at].to_numpy("datetime64[D]")
        # by hand: it says .9 whatever it answers, and is right as often as the noise lets it
        true = np.select([rows[DELAY] < -0.5, rows[DELAY] > 0.5], ["a", "c"], "b")
        right = float((true == labels).mean())
        measured = measure_calibration(*found, days, 10)
        assert measured.bias == pytest.approx(0.9 - right)
