from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from model_lake import FIRST

from ratchet.errors import TrainingError
from ratchet.training import MODEL_FILE, candidate_folder, sample_weights, train

CUT = datetime(2013, 1, 15, tzinfo=UTC)


def weighted(spec, **fields):
    return spec.model_copy(update={"training": spec.training.model_copy(update=fields)})


@pytest.fixture
def rows(spec):
    decided = pd.to_datetime(["2013-01-15", "2013-01-08", "2013-01-01"])
    return pd.DataFrame({spec.gold.decided_at: decided, "stake": ["1", "2", "0"]})


def test_weights_are_none_where_all_rows_count_the_same(spec, rows):
    assert sample_weights(spec, rows, CUT) is None


def test_weights_halve_with_each_half_life(spec, rows):
    found = sample_weights(weighted(spec, half_life_days=7), rows, CUT)
    assert found.tolist() == pytest.approx(np.array([1, 0.5, 0.25]) / (1.75 / 3))


def test_weights_of_a_column_and_age_are_multiplied(spec, rows):
    found = sample_weights(weighted(spec, half_life_days=7, weight="stake"), rows, CUT)
    assert found.tolist() == pytest.approx(np.array([1, 1, 0]) / (2 / 3))


@pytest.mark.parametrize(
    "stakes",
    [["1", None, "2"], ["1", "-1", "2"], ["0", "0", "0"], ["1", "1e300", "2"], ["1", "inf", "2"]],
)
def test_weights_that_are_none_are_refused(spec, rows, stakes):
    with pytest.raises(TrainingError, match=r"training.weight: stake is missing or below 0"):
        sample_weights(weighted(spec, weight="stake"), rows.assign(stake=stakes), CUT)


def test_half_life_that_lets_no_row_count_is_named(spec, rows):
    with pytest.raises(TrainingError, match=r"training.half_life_days: 0.001 is so short"):
        sample_weights(weighted(spec, half_life_days=0.001), rows[1:], CUT)


@pytest.mark.parametrize("estimator", ["logistic", "boosting"])
def test_weights_change_the_model(model_lake, estimator):
    models = []
    for spec in (model_lake.spec, weighted(model_lake.spec, half_life_days=5)):
        train(spec, FIRST, model_lake.snapshot_id(FIRST), estimator, model_lake.settings)
        folder = candidate_folder(spec, FIRST, estimator, model_lake.settings)
        models.append((folder / MODEL_FILE).read_bytes())
    assert models[0] != models[1]
