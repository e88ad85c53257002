from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from model_lake import FIRST, SECOND
from sklearn.metrics import roc_auc_score

from ratchet.errors import EvidenceError
from ratchet.evaluation import evaluate, judge, load_evidence
from ratchet.training import CANDIDATE_FILE, HOLDOUT_FILE, MODEL_FILE, candidate_folder
from ratchet.warehouse import load_snapshot


def run(lake, window=FIRST):
    return evaluate(lake.spec, window, lake.snapshot_id(window), lake.settings)


def folder(lake, estimator="logistic"):
    return candidate_folder(lake.spec, FIRST, estimator, lake.settings)


def test_evaluate_again_writes_the_same_bytes(trained_lake):
    path = trained_lake.lake.work(FIRST) / "evidence.json"
    best = load_evidence(trained_lake.spec, FIRST, trained_lake.settings).best
    paths = [path, folder(trained_lake, best) / "explanations.json"]
    before = [path.read_bytes() for path in paths]
    run(trained_lake)
    assert [path.read_bytes() for path in paths] == before


def test_evaluate_measures_what_was_answered_in_training(trained_lake):
    gold = trained_lake.spec.gold
    found = run(trained_lake)
    assert set(found.candidates) == {"logistic", "boosting"}
    for name, candidate in found.candidates.items():
        answers = pd.read_parquet(folder(trained_lake, name) / HOLDOUT_FILE)
        labelled = answers.merge(trained_lake.rows, on=gold.key)
        expected = roc_auc_score(labelled[gold.label], labelled["probability"])
        assert candidate.quality.metrics["roc_auc"] == pytest.approx(expected)
    assert found.baselines["constant"].metrics["roc_auc"] == 0.5
    assert found.champion is None
    costs = {name: c.quality.cost_per_unit for name, c in found.candidates.items()}
    assert costs[found.best] == min(costs.values())


def test_evaluate_champion_answers_the_same_rows(trained_lake, monkeypatch):
    seen = []

    def answers(rows):
        seen.append(rows)
        return np.full(len(rows), 0.2)

    champion = SimpleNamespace(
        version="7",
        judged_answers=answers,
        judged_train_end=datetime(2013, 2, 15, tzinfo=UTC),
    )
    monkeypatch.setattr("ratchet.registry.champion_at", lambda *_: champion)
    found = run(trained_lake)
    assert found.champion.version == "7"
    assert len(seen[0]) == found.holdout_rows == found.champion.quality.rows
    best = found.candidates[found.best]
    regret = best.quality.cost_per_unit - found.champion.quality.cost_per_unit
    assert best.against_champion.estimate == pytest.approx(regret)


def test_evaluate_champion_that_has_seen_the_holdout_raises(trained_lake, monkeypatch):
    champion = SimpleNamespace(
        version="7",
        judged_answers=lambda rows: np.full(len(rows), 0.2),
        judged_train_end=datetime(2013, 2, 22, tzinfo=UTC),
    )
    monkeypatch.setattr("ratchet.registry.champion_at", lambda *_: champion)
    with pytest.raises(EvidenceError, match="has seen labels of the holdout"):
        run(trained_lake)


def test_evaluate_candidate_of_another_snapshot_raises(trained_lake):
    path = folder(trained_lake) / CANDIDATE_FILE
    path.write_text(path.read_text().replace(trained_lake.snapshot_id(FIRST), "abc"))
    with pytest.raises(EvidenceError, match="was trained on snapshot abc"):
        run(trained_lake)


def test_evaluate_candidate_missing_raises(trained_lake):
    with pytest.raises(EvidenceError, match="train it again"):
        run(trained_lake, SECOND)


def test_evaluate_answers_to_other_rows_raises(trained_lake):
    path = folder(trained_lake) / HOLDOUT_FILE
    pd.read_parquet(path).iloc[1:].to_parquet(path)
    with pytest.raises(EvidenceError, match="answers other rows"):
        run(trained_lake)


@pytest.mark.parametrize("gap", [np.nan, np.inf])
def test_evaluate_rule_without_an_answer_raises(trained_lake, monkeypatch, gap):
    def broken(*args):
        return load_snapshot(*args).assign(carrier_hour_rate=gap)

    monkeypatch.setattr("ratchet.warehouse.load_snapshot", broken)
    with pytest.raises(EvidenceError, match="rule: carrier_hour_rate: some answers are missing"):
        run(trained_lake)


def test_evaluate_rule_without_a_column_raises(trained_lake, monkeypatch):
    def broken(*args):
        return load_snapshot(*args).drop(columns="carrier_hour_rate")

    monkeypatch.setattr("ratchet.warehouse.load_snapshot", broken)
    with pytest.raises(EvidenceError, match="no column carrier_hour_rate"):
        run(trained_lake)


def test_evaluate_model_that_can_not_be_loaded_is_refused(trained_lake):
    for estimator in trained_lake.spec.training.estimators:
        (folder(trained_lake, estimator) / MODEL_FILE).write_bytes(b"half a mod")
    decision = judge(run(trained_lake), trained_lake.spec)
    failed = [clause.name for clause in decision.clauses if not clause.passed]
    assert failed == [
        "nothing_missing",
        *(f"behaves_{name}" for name in trained_lake.spec.evaluation.behaviour),
        "served",
        "refuses_what_is_wrong",
        "same_answers",
        "fast_enough",
        "small_enough",
    ]


def test_evaluate_model_that_answers_otherwise_is_refused(trained_lake):
    for estimator in trained_lake.spec.training.estimators:
        path = folder(trained_lake, estimator) / HOLDOUT_FILE
        answers = pd.read_parquet(path)
        answers["probability"] *= 1 + 1e-15
        answers.to_parquet(path)
    decision = judge(run(trained_lake), trained_lake.spec)
    failed = [clause.name for clause in decision.clauses if not clause.passed]
    assert failed == ["same_answers"]
