"""What would fail after hours fails on a few rows."""

import numpy as np
import pytest
from model_lake import FIRST, flights

from ratchet.errors import TrainingError
from ratchet.problems import problem_of
from ratchet.training import run_smoke, train


@pytest.fixture(scope="module")
def rows(spec):
    return flights(spec, FIRST)


def with_params(spec, estimator, **params):
    declared = spec.training.estimators[estimator].model_copy(update={"params": params})
    training = spec.training.model_copy(update={"estimators": {estimator: declared}})
    return spec.model_copy(update={"training": training})


@pytest.mark.parametrize("estimator", ["logistic", "boosting"])
def test_smoke_is_silent_on_the_flagships_estimators(spec, rows, estimator):
    run_smoke(problem_of(spec), estimator, rows)


@pytest.mark.parametrize("estimator", ["logistic", "boosting"])
@pytest.mark.parametrize("known", [1, 20])
def test_smoke_is_silent_on_a_feature_that_few_rows_have(spec, rows, estimator, known):
    few = np.where(np.arange(len(rows)) % (len(rows) // known) == 7, 20.0, np.nan)
    run_smoke(problem_of(spec), estimator, rows.assign(wind_gust_mph=few))


@pytest.mark.parametrize(
    ("estimator", "params", "message"),
    [
        ("boosting", {"learning_rate": 1e-6}, "can't learn 10 rows by heart.*loss does not fall"),
        ("logistic", {"C": 1e-9}, "can't learn 10 rows by heart.*loss does not fall"),
        ("logistic", {"max_iter": 1}, "on 500 rows, did not converge.*raise params.max_iter"),
        ("boosting", {"max_leaf_nodes": -1}, "can't be fitted"),
    ],
)
def test_smoke_finds_params_with_which_nothing_is_learned(spec, rows, estimator, params, message):
    with pytest.raises(TrainingError, match=message):
        run_smoke(problem_of(with_params(spec, estimator, **params)), estimator, rows)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("distance_mi", "far", "distance_mi is numeric in the spec, and holds"),
        ("carrier", 7.0, "carrier is categorical in the spec, and holds float64"),
    ],
)
def test_smoke_finds_columns_of_another_type(spec, rows, column, values, message):
    with pytest.raises(TrainingError, match=message):
        run_smoke(problem_of(spec), "boosting", rows.assign(**{column: values}))


def test_smoke_finds_answers_that_are_none(spec, rows, monkeypatch):
    problem = problem_of(spec)
    monkeypatch.setattr(
        type(problem), "ask", lambda self, model, frame: np.full(len(frame), np.nan)
    )
    with pytest.raises(TrainingError, match=r"on 500 rows, .*some answers are missing"):
        run_smoke(problem, "boosting", rows)


def test_smoke_finds_params_with_which_a_model_can_not_be_stored(spec, rows):
    scored = with_params(spec, "boosting", max_iter=20, early_stopping=True, scoring="roc_auc")
    where = r"flights: training\.estimators\.boosting: the model can't be stored as data: "
    with pytest.raises(TrainingError, match=where):
        run_smoke(problem_of(scored), "boosting", rows)


def test_smoke_goes_before_the_fit(model_lake):
    wrong = with_params(model_lake.spec, "boosting", learning_rate=1e-6)
    with pytest.raises(TrainingError, match="by heart"):
        train(wrong, FIRST, model_lake.snapshot_id(FIRST), "boosting", model_lake.settings)
    assert not (model_lake.lake.work(FIRST) / "candidates").exists()
