import json
import shutil

import pandas as pd
import pytest
from model_lake import FIRST

from ratchet.errors import TrainingError
from ratchet.training import (
    CANDIDATE_FILE,
    HOLDOUT_FILE,
    MODEL_FILE,
    PROFILE_FILE,
    SAMPLE_FILE,
    candidate_folder,
    train,
)

COMPARED = (CANDIDATE_FILE, HOLDOUT_FILE, MODEL_FILE, PROFILE_FILE, SAMPLE_FILE)


def run(lake, estimator="logistic", spec=None):
    spec = spec or lake.spec
    candidate = train(spec, FIRST, lake.snapshot_id(FIRST), estimator, lake.settings)
    folder = candidate_folder(spec, FIRST, estimator, lake.settings)
    return candidate, {name: (folder / name).read_bytes() for name in COMPARED}


def with_params(spec, estimator, **params):
    declared = spec.training.estimators[estimator].model_copy(update={"params": params})
    estimators = {**spec.training.estimators, estimator: declared}
    training = spec.training.model_copy(update={"estimators": estimators})
    return spec.model_copy(update={"training": training})


@pytest.mark.parametrize("estimator", ["logistic", "boosting"])
def test_train_again_writes_the_same_bytes(model_lake, estimator):
    first = run(model_lake, estimator)
    leftover = candidate_folder(model_lake.spec, FIRST, estimator, model_lake.settings) / "left"
    leftover.write_text("by a task that was killed")
    assert run(model_lake, estimator) == first
    assert not leftover.exists()


def test_train_describes_its_rows_once_and_the_same_for_each_estimator(model_lake):
    profiles = model_lake.lake.work(FIRST) / "profiles"
    own = {}
    for estimator in ("logistic", "boosting"):
        own[estimator] = run(model_lake, estimator)[1][PROFILE_FILE]
        shutil.rmtree(profiles)
    run(model_lake, "logistic")
    assert run(model_lake, "boosting")[1][PROFILE_FILE] == own["boosting"] != own["logistic"]
    (kept,) = profiles.iterdir()
    kept.write_text('{"of": "another version"}')
    assert run(model_lake, "boosting")[1][PROFILE_FILE] == own["boosting"] == kept.read_bytes()
    spec = model_lake.spec
    coarser = spec.monitoring.model_copy(update={"bins": 5})
    other = run(model_lake, spec=spec.model_copy(update={"monitoring": coarser}))[1]
    assert json.loads(other[PROFILE_FILE])["bins"] == 5


def test_train_labels_known_later_change_nothing_in_the_model(model_lake):
    gold = model_lake.spec.gold
    _, files = run(model_lake)
    later = model_lake.rows[gold.label_known_at] > pd.Timestamp("2013-02-15")
    model_lake.rows.loc[later, gold.label] = ~model_lake.rows.loc[later, gold.label]
    model_lake.publish()
    assert run(model_lake)[1][MODEL_FILE] == files[MODEL_FILE]


def test_train_record_says_what_it_was_made_of(model_lake):
    candidate, files = run(model_lake, "boosting")
    assert candidate.params == model_lake.spec.training.estimators["boosting"].params
    assert list(candidate.features) == list(model_lake.spec.gold.features)
    assert candidate.train_start == pd.Timestamp("2012-12-31", tz="UTC")
    assert candidate.train_end == pd.Timestamp("2013-02-15", tz="UTC")
    assert 0.7 < candidate.train_metrics["roc_auc"] < 1
    assert set(candidate.versions) == {"python", "numpy", "pandas", "scikit-learn", "skops"}
    assert json.loads(files[CANDIDATE_FILE])["snapshot_id"] == model_lake.snapshot_id(FIRST)


def test_train_not_converged_raises(model_lake):
    spec = with_params(model_lake.spec, "logistic", max_iter=1)
    with pytest.raises(TrainingError, match=r"did not converge.*params.max_iter"):
        run(model_lake, spec=spec)


@pytest.mark.parametrize(
    ("estimator", "params"),
    [("logistic", {"depth": 3}), ("boosting", {"learning_rate": -1.0})],
)
def test_train_wrong_params_raises(model_lake, estimator, params):
    spec = with_params(model_lake.spec, estimator, **params)
    with pytest.raises(TrainingError, match=f"estimators.{estimator}.* can't be (made|fitted)"):
        run(model_lake, estimator, spec)


@pytest.mark.parametrize("estimator", ["logistic", "boosting"])
def test_train_feature_without_any_value_raises(model_lake, estimator):
    model_lake.rows["wind_gust_mph"] = float("nan")
    model_lake.publish()
    with pytest.raises(TrainingError, match="wind_gust_mph has no value in any training row"):
        run(model_lake, estimator)


def test_train_labels_of_one_kind_at_the_end_are_measured_on_all_rows(model_lake):
    rows, gold = model_lake.rows, model_lake.spec.gold
    last = rows[gold.decided_at].between("2013-01-25", "2013-02-15", inclusive="left")
    rows.loc[last, gold.label] = False
    model_lake.publish()
    candidate, _ = run(model_lake)
    assert 0.5 < candidate.train_metrics["roc_auc"] < 1


@pytest.mark.parametrize("huge", [1e100, 1e300])
def test_train_huge_numbers_are_described_as_not_finite(model_lake, huge):
    rows = model_lake.rows
    rows.loc[rows.index[::20], "distance_mi"] = huge
    rows.loc[rows.index[1::20], "distance_mi"] = -huge
    model_lake.publish()
    described = json.loads(run(model_lake)[1][PROFILE_FILE])["features"]["distance_mi"]
    assert described["non_finite"] == pytest.approx(described["rows"] / 10, abs=2)
    assert described["maximum"] < 10
