from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from model_lake import FIRST

from ratchet.errors import EvidenceError, TrainingError
from ratchet.problems import problem_of
from ratchet.training import earlier_folds, split
from ratchet.warehouse import load_snapshot

CUT = pd.Timestamp("2013-02-15")


def snapshot(lake):
    return load_snapshot(lake.spec, lake.snapshot_id(FIRST), lake.settings)


def test_split_label_known_after_the_cut_is_in_neither_part(model_lake):
    gold = model_lake.spec.gold
    train, holdout, cut = split(snapshot(model_lake), model_lake.spec, FIRST)
    assert cut == datetime(2013, 2, 15, tzinfo=UTC)
    assert train[gold.label_known_at].max() <= CUT <= holdout[gold.decided_at].min()
    rows = model_lake.rows
    between = (rows[gold.decided_at] < CUT) & (rows[gold.label_known_at] > CUT)
    assert between.any()
    assert not set(rows.loc[between, gold.key]) & {*train[gold.key], *holdout[gold.key]}


def test_split_label_known_after_the_window_is_in_no_holdout(model_lake):
    gold = model_lake.spec.gold
    everything = model_lake.rows
    _, holdout, _ = split(everything, model_lake.spec, FIRST)
    end = pd.Timestamp("2013-03-01")
    assert (everything[gold.decided_at] >= end).any()
    assert holdout[gold.decided_at].max() < end
    assert holdout[gold.label_known_at].max() <= end


def test_split_max_history_forgets_older_rows(model_lake):
    spec = model_lake.spec
    training = spec.training.model_copy(update={"max_history_days": 20})
    train, _, _ = split(snapshot(model_lake), spec.model_copy(update={"training": training}), FIRST)
    assert train[spec.gold.decided_at].min() == CUT - timedelta(days=20)


def test_split_too_few_rows_raises(model_lake):
    with pytest.raises(TrainingError, match=r"training.min_rows is 1,000"):
        split(snapshot(model_lake).iloc[:900], model_lake.spec, FIRST)


def test_split_one_kind_of_label_raises(model_lake):
    rows = snapshot(model_lake)
    rows[model_lake.spec.gold.label] = False
    with pytest.raises(TrainingError, match="same is_disrupted"):
        split(rows, model_lake.spec, FIRST)


def test_split_no_holdout_raises(model_lake):
    rows = snapshot(model_lake)
    early = rows[rows[model_lake.spec.gold.decided_at] < CUT]
    with pytest.raises(EvidenceError, match="no row decided from 2013-02-15"):
        split(early, model_lake.spec, FIRST)


def test_split_label_known_at_once_is_in_one_part(model_lake):
    gold = model_lake.spec.gold
    rows = snapshot(model_lake)
    rows[gold.label_known_at] = rows[gold.decided_at]
    assert (rows[gold.decided_at] == CUT).any()
    train, holdout, cut = split(rows, model_lake.spec, FIRST)
    assert not set(train[gold.key]) & set(holdout[gold.key])
    for fold in earlier_folds(problem_of(model_lake.spec), train, cut, 2, 10_000):
        assert not set(fold.past[gold.key]) & set(fold.rows[gold.key])


def test_split_missing_label_is_named(model_lake):
    rows = snapshot(model_lake)
    rows[model_lake.spec.gold.label] = rows[model_lake.spec.gold.label].astype(object)
    rows.loc[7, model_lake.spec.gold.label] = None
    with pytest.raises(TrainingError, match=r"gold.label: is_disrupted is missing in 1 rows"):
        split(rows, model_lake.spec, FIRST)
