"""What every kind of problem promises, on the same few rows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from ratchet.errors import EvidenceError
from ratchet.evaluation import measure
from ratchet.problems import fitted, problem_of
from ratchet.training import dump_model, load_model, run_smoke

KINDS = ("binary", "multiclass", "regression", "ranking", "segmentation")


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def problem(kind, spec_of):
    return problem_of(spec_of(kind))


@pytest.fixture(scope="module")
def rows(kind, rows_of):
    return rows_of(kind)


@pytest.fixture(scope="module")
def models(problem, rows):
    features = rows[list(problem.spec.gold.features)]
    target = problem.target(rows["label"])
    return {
        name: fitted(problem.estimator(name), features, target, None, name)
        for name in problem.spec.training.estimators
    }


def test_every_estimator_is_stored_without_code_and_answers_the_same(problem, rows, models):
    assert len(models) == 2
    for model in models.values():
        content = dump_model(model)
        answers = problem.answer(model, rows)
        assert problem.max_difference(problem.answer(load_model(content), rows), answers) == 0
        again = clone(model)
        target = problem.target(rows["label"])
        fitted(again, rows[list(problem.spec.gold.features)], target, None, "again")
        assert dump_model(again) == content


def test_missing_values_and_new_categories_are_answered(problem, rows, models):
    strange = rows.head(20).assign(x=np.nan, color="green")
    for model in models.values():
        assert len(problem.answer(model, strange)) == 20


def test_metrics_and_loss_per_row_belong_together(problem, rows, models):
    for name, model in models.items():
        quality, losses = measure(problem, problem.answer(model, rows), rows, name)
        assert list(quality.metrics) == list(problem.spec.costs.metrics)
        assert losses.shape == (len(rows),)
        assert quality.cost_per_unit == pytest.approx(losses.mean())
        assert (losses >= 0).all()


def test_models_and_baselines_know_more_than_the_constant(problem, rows, models):
    first, later = rows.head(200), rows.tail(200)
    baselines = problem.baselines(rows, first, later)
    assert list(baselines) == ["constant", "persistence", "rule"]
    constant = problem.losses(baselines["constant"], later).mean()
    assert problem.losses(baselines["rule"], later).mean() <= constant
    best = min(problem.losses(problem.answer(m, later), later).mean() for m in models.values())
    assert best < constant


def test_what_is_stored_gives_answers_and_losses_back(problem, rows, models, tmp_path):
    costs = problem.spec.costs
    answers = problem.answer(next(iter(models.values())), rows)
    decisions = problem.decide(answers, rows)
    assert list(decisions) == list(costs.columns)
    pd.DataFrame(decisions).to_parquet(tmp_path / "stored.parquet")
    stored = pd.read_parquet(tmp_path / "stored.parquet").assign(label=rows["label"])
    assert problem.max_difference(problem.answers_in(stored), answers) == 0
    losses = problem.losses_of(stored, stored["label"])
    assert np.array_equal(losses, problem.losses(answers, rows))
    measured = problem.measure(answers, rows, "all")
    realised = problem.realised(stored)
    assert realised == pytest.approx({name: measured[name] for name in costs.realised_metrics})
    assert problem.tell(dict(stored.iloc[0]))


def test_no_policy_costs_less_than_foresight(problem, rows, models):
    answers = problem.answer(next(iter(models.values())), rows)
    stored = pd.DataFrame(problem.decide(answers, rows)).assign(label=rows["label"])
    if "perfect" in problem.spec.costs.policies:
        perfect = problem.losses_of_policy("perfect", stored).sum()
        assert perfect <= problem.losses(answers, rows).sum()
    else:
        with pytest.raises(EvidenceError, match="not compared"):
            problem.losses_of_policy("perfect", stored)


def test_impossible_answers_are_refused(problem, rows):
    wrong = np.full(len(rows), np.nan)
    with pytest.raises(EvidenceError, match="some answers are missing"):
        problem.check(wrong, len(rows), "the model")
    with pytest.raises(EvidenceError, match="some answers are missing"):
        problem.check(problem.constant(rows["label"], len(rows) - 1), len(rows), "the model")
    problem.check(problem.constant(rows["label"], len(rows)), len(rows), "the constant")


def test_no_rows_and_missing_columns_are_refused(problem, rows, models):
    model = next(iter(models.values()))
    with pytest.raises(EvidenceError, match="there are no rows"):
        problem.answer(model, rows.head(0))
    with pytest.raises(EvidenceError, match="columns that are missing: color"):
        problem.answer(model, rows.drop(columns="color"))


def test_persistence_is_the_last_label_that_was_known_of_the_entity(problem, rows):
    later = rows.tail(50)
    found = problem.baselines(rows, rows.head(200), later)["persistence"]
    for position, (_, row) in enumerate(later.iterrows()):
        same = rows["route"] == row["route"]
        known = rows[same & (rows["label_known_at"] <= row["decision_at"])]
        expected = problem.from_labels(known["label"].tail(1))
        assert np.array_equal(found[position : position + 1], expected)


def test_persistence_of_an_entity_never_seen_is_the_constant(problem, rows):
    lonely = rows.tail(1).assign(route="east")
    snapshot = pd.concat([rows.iloc[:-1], lonely])
    found = problem.baselines(snapshot, rows.head(200), lonely)
    assert np.array_equal(found["persistence"], found["constant"])


def test_rule_without_an_answer_is_refused(problem, rows):
    gap = rows.assign(guess=rows["guess"].where(rows.index > 0))
    with pytest.raises(EvidenceError, match="guess"):
        problem.rule(gap)
    with pytest.raises(EvidenceError, match="no column guess"):
        problem.rule(rows.drop(columns="guess"))


def test_labels_that_teach_nothing_are_named(problem, rows, kind):
    if kind == "segmentation":
        assert problem.why_untrainable(rows["label"].head(0)) is None
        return
    assert problem.why_untrainable(rows["label"]) is None
    assert problem.why_untrainable(pd.Series([rows["label"].iloc[0]] * 3)) is not None


def test_smoke_is_silent_on_two_features_that_do_not_tell_ten_rows_apart(problem, rows_of, kind):
    rows = rows_of(kind, 1400)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(rows))[:900]
        for name in problem.spec.training.estimators:
            run_smoke(problem, name, rows.iloc[np.sort(order)])
