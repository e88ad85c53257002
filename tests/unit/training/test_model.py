from collections import Counter

import numpy as np
import pytest
import skops.io
from model_lake import FIRST, fit, flights

from ratchet.errors import EvidenceError, ReleaseError
from ratchet.problems import problem_of
from ratchet.training import dump_model, load_model


@pytest.fixture(scope="module")
def rows(spec):
    return flights(spec, FIRST)


@pytest.fixture(scope="module")
def models(spec, rows):
    return {name: fit(spec, rows, name) for name in spec.training.estimators}


@pytest.mark.parametrize("name", ["logistic", "boosting"])
def test_dump_model_equal_models_give_equal_bytes(spec, rows, models, name):
    assert dump_model(models[name]) == dump_model(fit(spec, rows, name))


@pytest.mark.parametrize("name", ["logistic", "boosting"])
def test_load_model_answers_as_before(spec, rows, models, name):
    model = models[name]
    expected = problem_of(spec).answer(model, rows)
    loaded = load_model(dump_model(model))
    assert (problem_of(spec).answer(loaded, rows) == expected).all()
    assert dump_model(loaded) == dump_model(model)


def test_load_model_untrusted_type_raises():
    with pytest.raises(ReleaseError, match="not trusted"):
        load_model(skops.io.dumps(Counter()))


def test_load_model_broken_file_raises(models):
    content = dump_model(models["logistic"])
    with pytest.raises(ReleaseError, match="can't be read"):
        load_model(content[: len(content) // 2])


def test_answer_missing_column_raises(spec, rows, models):
    with pytest.raises(EvidenceError, match="missing: origin_waiting"):
        problem_of(spec).answer(models["boosting"], rows.drop(columns="origin_waiting"))


def test_answer_no_rows_raises(spec, rows, models):
    with pytest.raises(EvidenceError, match="no rows"):
        problem_of(spec).answer(models["logistic"], rows.head(0))


class Broken:
    def predict_proba(self, frame):
        return np.full((len(frame), 2), np.nan)


def test_answer_nan_raises(spec, rows):
    with pytest.raises(EvidenceError, match="missing or are no probabilities"):
        problem_of(spec).answer(Broken(), rows)
