import numpy as np
import pytest
from model_lake import FIRST, fit, flights

from ratchet.problems import problem_of


@pytest.fixture(scope="module")
def rows(spec):
    return flights(spec, FIRST)


@pytest.fixture(scope="module", params=["logistic", "boosting"])
def model(request, spec, rows):
    return fit(spec, rows, request.param)


def test_estimator_category_never_seen_is_answered(spec, rows, model):
    changed = rows.head(50).assign(carrier="VX")
    assert len(problem_of(spec).answer(model, changed)) == 50


def test_estimator_missing_values_are_answered(spec, rows, model):
    changed = rows.head(50).copy()
    changed[["temperature_f", "wind_gust_mph"]] = np.nan
    changed["scheduled_weekday"] = None
    changed["carrier"] = changed["carrier"].where(changed.index % 2 == 0)
    assert len(problem_of(spec).answer(model, changed)) == 50


def test_estimator_absurd_number_counts_as_the_largest_seen(spec, rows, model):
    largest = rows.head(50).assign(wind_speed_mph=rows["wind_speed_mph"].max())
    absurd = largest.assign(wind_speed_mph=1048.36)
    expected = problem_of(spec).answer(model, largest)
    assert (problem_of(spec).answer(model, absurd) == expected).all()


def test_estimator_numbers_as_other_dtype_are_answered_the_same(spec, rows, model):
    changed = rows.astype({"distance_mi": object, "carrier": object})
    expected = problem_of(spec).answer(model, rows)
    assert (problem_of(spec).answer(model, changed) == expected).all()


def test_estimator_boosting_does_not_stop_early_by_a_random_split(spec):
    assert problem_of(spec).estimator("boosting").early_stopping is False
