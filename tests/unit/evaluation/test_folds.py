"""Each fold knows what was known then, and nothing that came later."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from model_lake import FIRST, flights, small

from ratchet.evaluation.folds import walk_forward
from ratchet.problems import Problem, problem_of

CUT = datetime(2013, 2, 15, tzinfo=UTC)
FORTNIGHT = timedelta(days=14)


@pytest.fixture(scope="module")
def train(spec):
    rows = flights(spec, FIRST)
    return rows[rows[spec.gold.label_known_at] <= CUT.replace(tzinfo=None)]


def problem(spec, **changes):
    declared = small(spec)
    evaluation = declared.evaluation.model_copy(update=changes)
    return problem_of(declared.model_copy(update={"evaluation": evaluation}))


class Watching:
    """Keep what problems are fitted on."""

    def __init__(self, monkeypatch):
        self.seen, fit = [], Problem.fit

        def watched(problem, name, rows, *others):
            self.seen.append(rows)
            return fit(problem, name, rows, *others)

        monkeypatch.setattr(Problem, "fit", watched)


def test_folds_join_before_the_cut_and_learn_from_what_was_known(spec, train, monkeypatch):
    watching = Watching(monkeypatch)
    first, last = walk_forward(problem(spec), train, CUT, "logistic")
    assert (first.start, first.end) == (CUT - 2 * FORTNIGHT, CUT - FORTNIGHT)
    assert (last.start, last.end) == (CUT - FORTNIGHT, CUT)
    for fold, rows in zip((first, last), watching.seen, strict=True):
        known = train.loc[rows.index, spec.gold.label_known_at]
        assert known.max() <= pd.Timestamp(fold.start).tz_localize(None)
        assert len(rows) == fold.train_rows
    # 60 flights a day, of which those of the last days are not yet known at the cut
    assert first.quality.rows == 14 * 60
    assert first.saving > 0


def test_folds_learn_from_the_last_rows_alone(spec, train, monkeypatch):
    watching = Watching(monkeypatch)
    walk_forward(problem(spec, folds=1, fold_rows=500), train, CUT, "logistic")
    begin = (CUT - FORTNIGHT).replace(tzinfo=None)
    known = train[train[spec.gold.label_known_at] <= begin]
    assert watching.seen[0].index.tolist() == known.index[-500:].tolist()


def test_folds_of_labels_that_nothing_tells_save_nothing(spec, train):
    label = spec.gold.label
    shuffled = train[label].to_numpy()[np.random.default_rng(0).permutation(len(train))]
    (fold,) = walk_forward(
        problem(spec, folds=1), train.assign(**{label: shuffled}), CUT, "logistic"
    )
    assert fold.saving < 0.5
    assert fold.quality.metrics["roc_auc"] == pytest.approx(0.5, abs=0.06)


def test_folds_before_the_first_label_are_left_out(spec, train):
    found = walk_forward(problem(spec, folds=4), train, CUT, "logistic")
    assert [fold.end for fold in found] == [CUT - 2 * FORTNIGHT, CUT - FORTNIGHT, CUT]
