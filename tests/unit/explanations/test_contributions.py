import numpy as np
import pandas as pd
import pytest
from model_lake import FIRST, fit, flights

from ratchet.explanations import contribute, reasons, typical
from ratchet.problems import problem_of
from ratchet.spec import Spec
from ratchet.spec.costs import MulticlassCosts, RegressionCosts


@pytest.fixture(scope="module")
def rows(spec):
    return flights(spec, FIRST)


@pytest.fixture(scope="module")
def features(spec, rows):
    return rows[list(spec.gold.features)]


@pytest.fixture(scope="module")
def reference(spec, features):
    numeric = [name for name, each in spec.gold.features.items() if each.kind == "numeric"]
    return typical(features, numeric)


class Own:
    """A use case's own model: two features alone move it, by .2 and by .1 of a probability."""

    def predict_proba(self, frame):
        answers = 0.3 + 0.2 * (frame["carrier"] == "AA") + 0.1 * (frame["distance_mi"] > 1)
        return np.stack([1 - answers, answers], axis=1)


def log_odds(answers):
    return np.log(answers / (1 - answers))


def test_typical_is_the_median_and_the_most_frequent(features, reference):
    assert reference["wind_gust_mph"] == features["wind_gust_mph"].median()
    assert reference["origin"] == features["origin"].mode()[0]


def test_typical_of_what_is_missing_everywhere_is_nothing(features):
    gone = features.assign(
        wind_gust_mph=np.nan, origin=features["origin"].mask(features.index >= 0)
    )
    found = typical(gone, ["wind_gust_mph"])
    assert (found["wind_gust_mph"], found["origin"]) == (None, None)
    assert found["carrier"] == features["carrier"].mode()[0]


@pytest.mark.parametrize("estimator", ["logistic", "boosting"])
def test_contributions_and_base_add_up_to_the_log_odds(spec, rows, features, reference, estimator):
    model, problem = fit(spec, rows, estimator), problem_of(spec)
    found = contribute(problem, model, features, reference)
    assert found.is_exact
    assert found.scale == "log-odds"
    expected = log_odds(problem.answer(model, rows))
    assert found.base + found.values.sum(axis=1) == pytest.approx(expected, abs=1e-9)
    strongest = np.abs(found.values).mean(axis=0).argsort()[-2:]
    assert {features.columns[i] for i in strongest} == {"origin_mean_delay_min", "wind_speed_mph"}


def test_contribution_of_a_linear_model_is_what_hiding_the_feature_takes(
    spec, rows, features, reference
):
    model, problem = fit(spec, rows, "logistic"), problem_of(spec)
    found = contribute(problem, model, features, reference)
    for name in ("carrier", "wind_gust_mph", "wind_speed_mph"):
        hidden = features.assign(**{name: reference[name]})
        moved = log_odds(problem.answer(model, features)) - log_odds(problem.answer(model, hidden))
        column = found.values[:, features.columns.get_loc(name)]
        assert column == pytest.approx(moved, abs=1e-9), name


def test_contribution_of_any_other_model_is_what_hiding_takes_from_the_answer(spec, features):
    reference = dict.fromkeys(features.columns, 0.0) | {
        "origin": "EWR",
        "carrier": "B6",
        "scheduled_weekday": "Mon",
    }
    found = contribute(problem_of(spec), Own(), features, reference)
    assert not found.is_exact
    assert found.scale == "probability"
    by_name = pd.DataFrame(found.values, columns=features.columns)
    assert by_name["carrier"].to_numpy() == pytest.approx(0.2 * (features["carrier"] == "AA"))
    assert by_name["distance_mi"].to_numpy() == pytest.approx(0.1 * (features["distance_mi"] > 1))
    assert (by_name.drop(columns=["carrier", "distance_mi"]) == 0).all(axis=None)


def other(spec: Spec, costs, estimator: dict) -> Spec:
    training = spec.model_dump()["training"] | {"estimators": {"it": estimator}}
    changed = spec.model_dump() | {"costs": costs.model_dump(), "training": training}
    return Spec.model_validate(changed)


FEW_TREES = {"max_iter": 5}


@pytest.mark.parametrize("kind, params", [("ridge", {}), ("hist_gradient_boosting", FEW_TREES)])
def test_contributions_to_a_number_are_in_its_unit(spec, rows, features, reference, kind, params):
    costs = RegressionCosts(
        problem="regression", unit="min", assumption="-", too_low_per_unit=1, too_high_per_unit=1
    )
    spec = other(spec, costs, {"type": kind, "params": params})
    problem = problem_of(spec)
    labels = 20 * rows["wind_speed_mph"] + 5
    model = problem.estimator("it").fit(features, labels)
    found = contribute(problem, model, features, reference)
    assert (found.scale, found.is_exact) == (spec.gold.label, True)
    expected = problem.answer(model, rows)
    assert found.base + found.values.sum(axis=1) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "kind, params", [("logistic_regression", {}), ("hist_gradient_boosting", FEW_TREES)]
)
def test_contributions_to_a_class_are_to_the_most_probable(
    spec, rows, features, reference, kind, params
):
    names = ["early", "late", "never"]
    matrix = {true: {chosen: float(true != chosen) for chosen in names} for true in names}
    costs = MulticlassCosts(problem="multiclass", unit="points", assumption="-", matrix=matrix)
    spec = other(spec, costs, {"type": kind, "params": params})
    problem = problem_of(spec)
    labels = pd.cut(rows["wind_speed_mph"], [-9, -0.5, 0.5, 9])
    model = problem.estimator("it").fit(features, labels.cat.codes)
    found = contribute(problem, model, features, reference)
    expected = model.decision_function(features).max(axis=1)
    assert found.base + found.values.sum(axis=1) == pytest.approx(expected, abs=1e-9)


def test_reasons_name_the_strongest_with_value_and_effect(spec, features):
    row = features.head(1).assign(carrier="AA", distance_mi=3.14159, origin=None)
    zeros = dict.fromkeys(features.columns, 0.0) | {"origin": "EWR", "carrier": "B6"}
    reference = zeros | {"scheduled_weekday": "Mon"}
    told = reasons(problem_of(spec), Own(), row, reference, 3)
    assert told == ["carrier=AA (+0.20); distance_mi=3.142 (+0.10)"]
    assert reasons(problem_of(spec), Own(), row, reference, 1) == ["carrier=AA (+0.20)"]
    missing = row.assign(carrier=None)
    swapped = reference | {"carrier": "AA"}
    told = reasons(problem_of(spec), Own(), missing, swapped, 1)
    assert told == ["carrier=missing (-0.20)"]
