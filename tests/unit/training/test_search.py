"""Parameters are searched for in time, within the training rows, and come out the same again."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from model_lake import FIRST, fit, flights, small

from ratchet.errors import TrainingError
from ratchet.problems import Problem, problem_of
from ratchet.spec.types import Search, Span
from ratchet.training import CANDIDATE_FILE, MODEL_FILE, TIMING_FILE, candidate_folder, train
from ratchet.training import search as module
from ratchet.training.search import candidates, search

CUT = datetime(2013, 2, 15, tzinfo=UTC)
SPACE = {"C": Span(low=0.0001, high=10.0, log=True)}


def searching(spec, *, space=SPACE, estimator="logistic", **budget):
    budget = {"trials": 3, "seconds": 600.0, "folds": 2, "fold_rows": 400, **budget}
    declared = spec.training.estimators[estimator]
    declared = declared.model_copy(update={"search": Search(space=space, **budget)})
    training = spec.training.model_copy(update={"estimators": {estimator: declared}})
    return spec.model_copy(update={"training": training})


@pytest.fixture(scope="module")
def rows(spec):
    found = flights(small(spec), FIRST)
    return found[found[spec.gold.label_known_at] <= CUT.replace(tzinfo=None)]


def run(spec, rows, kept, key="rows", estimator="logistic"):
    return search(problem_of(spec), estimator, rows, CUT, key, kept)


class KilledError(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def fits(monkeypatch):
    """Count the fits, and die at the one that `at` says."""
    seen, real = [], Problem.fit

    class Fits(list):
        at = None

    seen = Fits()

    def watched(problem, name, rows, *others):
        if len(seen) == seen.at:
            raise KilledError
        seen.append(rows)
        return real(problem, name, rows, *others)

    monkeypatch.setattr(Problem, "fit", watched)
    return seen


@pytest.fixture
def clock(monkeypatch):
    """Let each trial take ten seconds."""
    ticks = iter(range(0, 100_000, 10))
    monkeypatch.setattr(module, "_clock", lambda: float(next(ticks)))


def test_search_costs_are_those_of_models_fitted_by_hand(spec, rows, tmp_path):
    spec = searching(small(spec), trials=2, fold_rows=100_000)
    found, _ = run(spec, rows, tmp_path)
    gold, costs = spec.gold, spec.costs
    assert found.trials[0].params == spec.training.estimators["logistic"].params
    for trial in found.trials:
        spent = []
        for start in (CUT - timedelta(days=28), CUT - timedelta(days=14)):
            begin, end = (moment.replace(tzinfo=None) for moment in (start, start + timedelta(14)))
            past = rows[rows[gold.label_known_at] <= begin]
            asked = rows[(rows[gold.decided_at] >= begin) & (rows[gold.decided_at] < end)]
            model = fit(spec.with_params("logistic", trial.params), past, "logistic")
            acted = model.predict_proba(asked[list(gold.features)])[:, 1] >= costs.threshold
            late = asked[gold.label].to_numpy()
            by_cell = [
                [costs.negative_left_alone, costs.negative_acted_on],
                [costs.positive_left_alone, costs.positive_acted_on],
            ]
            spent += [by_cell[int(each[0])][int(each[1])] for each in zip(late, acted, strict=True)]
        assert trial.cost_per_unit == pytest.approx(np.mean(spent), abs=1e-9)
    assert found.rows == len(spent)
    assert found.params == min(found.trials, key=lambda trial: trial.cost_per_unit).params


def test_search_learns_only_from_what_was_known_before_each_fold(spec, rows, tmp_path, fits):
    found, _ = run(searching(small(spec)), rows, tmp_path)
    assert found.folds == (CUT - timedelta(days=28), CUT - timedelta(days=14))
    for number, learned in enumerate(fits):
        known = learned[spec.gold.label_known_at].max()
        assert known <= found.folds[number % 2].replace(tzinfo=None)
        assert len(learned) <= 400


def test_search_of_a_candidate_never_sees_the_holdout(model_lake):
    lake, gold = model_lake, model_lake.spec.gold
    spec = searching(lake.spec, trials=2)
    found = []
    for turn in range(2):
        candidate = train(spec, FIRST, lake.snapshot_id(FIRST), "logistic", lake.settings)
        found.append((candidate.snapshot_id, candidate.search, candidate.params))
        later = lake.rows[gold.label_known_at] > pd.Timestamp("2013-02-15")
        lake.rows.loc[later, gold.label] ^= turn == 0
        lake.publish()
    assert found[0][0] != found[1][0]
    assert found[0][1:] == found[1][1:]


def test_search_killed_and_run_again_ends_as_if_undisturbed(spec, rows, tmp_path, fits):
    spec = searching(small(spec))
    whole, _ = run(spec, rows, tmp_path / "whole")
    assert len(fits) == 6
    fits.clear()
    fits.at = 3
    with pytest.raises(KilledError):
        run(spec, rows, tmp_path / "killed")
    fits.at = None
    again, seconds = run(spec, rows, tmp_path / "killed")
    assert again == whole
    assert len(fits) == 3 + 4, "one trial was finished before, and is not tried again"
    assert len(seconds) == 3


def test_search_that_is_done_is_not_done_again_but_for_other_rows(spec, rows, tmp_path, fits):
    spec = searching(small(spec), trials=2)
    first = run(spec, rows, tmp_path)
    assert run(spec, rows, tmp_path) == first
    assert len(fits) == 4
    run(spec, rows, tmp_path, key="others")
    assert len(fits) == 8


def test_search_out_of_seconds_says_so_and_ends_the_same_again(spec, rows, tmp_path, fits, clock):
    spec = searching(small(spec), trials=4, seconds=15.0)
    found, seconds = run(spec, rows, tmp_path)
    assert (len(found.trials), found.ended_by, seconds) == (2, "seconds", [10.0, 10.0])
    assert run(spec, rows, tmp_path) == (found, seconds)
    assert len(fits) == 4
    enough = searching(small(spec), trials=4, seconds=41.0)
    more, _ = run(enough, rows, tmp_path)
    assert (len(more.trials), more.ended_by) == (4, "trials")
    assert more.trials[:2] == found.trials


def test_search_killed_when_seconds_run_short_goes_on_with_what_is_left(
    spec, rows, tmp_path, fits, clock
):
    spec = searching(small(spec), trials=4, seconds=15.0)
    fits.at = 3
    with pytest.raises(KilledError):
        run(spec, rows, tmp_path)
    fits.at = None
    found, _ = run(spec, rows, tmp_path)
    assert (len(found.trials), found.ended_by) == (2, "seconds")


def test_search_tells_how_far_it_is(spec, rows, tmp_path, caplog):
    with caplog.at_level("INFO", "ratchet.training.search"):
        run(searching(small(spec), trials=2), rows, tmp_path)
    first, last = (record.message for record in caplog.records)
    assert "logistic: trial 1 of 2, C 0.1, max_iter 200: " in first
    assert "points per flight; best " in last


def test_search_what_cannot_be_fitted_is_told_and_not_chosen(spec, rows, tmp_path):
    spec = searching(small(spec), trials=3, space={"max_iter": [1, 300]})
    found, _ = run(spec, rows, tmp_path)
    failed = {trial.params["max_iter"]: trial.failure for trial in found.trials}
    assert "did not converge" in failed[1]
    assert failed[300] is None
    assert found.params["max_iter"] != 1


def test_search_of_which_nothing_can_be_fitted_raises(spec, rows, tmp_path):
    spec = searching(small(spec), trials=2, space={"max_iter": [1]})
    with pytest.raises(TrainingError, match=r"nothing of search.space can be fitted.*converge"):
        run(spec, rows, tmp_path)


def test_search_without_a_fold_raises(spec, rows, tmp_path):
    few = rows[rows[spec.gold.decided_at] >= pd.Timestamp("2013-02-05")]
    with pytest.raises(TrainingError, match="no fold of 14 days can be made"):
        run(searching(small(spec)), few, tmp_path)


def test_candidates_keep_to_their_space_and_are_the_same_each_time(spec):
    space = {
        "learning_rate": Span(low=0.03, high=0.3, log=True),
        "l2_regularization": Span(low=0.0, high=1.0),
        "max_leaf_nodes": Span(low=4, high=40, log=True),
        "min_samples_leaf": Span(low=50, high=52),
        "max_iter": (20, 40),
    }
    spec = searching(spec, space=space, estimator="boosting", trials=400)
    first, *drawn = candidates(spec, "boosting")
    assert first == spec.training.estimators["boosting"].params
    assert len(drawn) == 399
    assert list(candidates(spec, "boosting")) == [first, *drawn]
    frame = pd.DataFrame(drawn)
    for name, span in list(space.items())[:4]:
        assert frame[name].between(span.low, span.high).all()
    assert set(frame["min_samples_leaf"]) == {50, 51, 52}
    assert set(frame["max_iter"]) == {20, 40}
    assert frame["max_leaf_nodes"].map(type).eq(int).all()
    # by factors: half of what is drawn lies below the geometric mean
    assert (frame["learning_rate"] < (0.03 * 0.3) ** 0.5).mean() == pytest.approx(0.5, abs=0.08)
    assert (frame["max_leaf_nodes"] < (4 * 41) ** 0.5).mean() == pytest.approx(0.5, abs=0.08)
    assert json.loads(json.dumps(drawn)) == drawn


def test_candidates_of_lists_alone_are_each_tried_once(spec):
    spec = searching(spec, space={"C": [0.01, 0.1], "fit_intercept": [True, False]}, trials=50)
    _, *drawn = candidates(spec, "logistic")
    assert sorted((each["C"], each["fit_intercept"]) for each in drawn) == [
        (0.01, False),
        (0.01, True),
        (0.1, False),
        (0.1, True),
    ]


def test_train_fits_with_what_was_found_and_keeps_all_trials(model_lake):
    spec = searching(model_lake.spec, space={"C": [1e-4, 1e-3, 1.0]}, trials=3)
    snapshot_id, settings = model_lake.snapshot_id(FIRST), model_lake.settings
    candidate = train(spec, FIRST, snapshot_id, "logistic", settings)
    folder = candidate_folder(spec, FIRST, "logistic", settings)
    files = [(folder / name).read_bytes() for name in (CANDIDATE_FILE, MODEL_FILE)]
    assert candidate.params == candidate.search.params
    assert len(candidate.search.trials) == 3
    assert len(json.loads((folder / TIMING_FILE).read_bytes())["trial_seconds"]) == 3
    chosen = spec.with_params("logistic", candidate.params)
    train(searching(chosen), FIRST, snapshot_id, "logistic", settings, candidate.search)
    assert [(folder / name).read_bytes() for name in (CANDIDATE_FILE, MODEL_FILE)] == files
