"""The gate's own error rates, on made-up flights; `make gate-trial` has those on the real ones."""

import numpy as np
import pandas as pd
import pytest
from model_lake import FIRST, SECOND, flights, small
from simulated import chance

from ratchet.evaluation.trial import (
    BAD,
    loss_by_blur,
    run_trial,
    scale_that_costs,
    set_scene,
)
from ratchet.problems import problem_of

SEEDS, BETTER = 1, 24
OWN_FAULT = {
    "leaky": {"not_too_good", "gain_is_plausible"},
    "shuffled labels": {"not_too_bad", "better_than_baseline"},
    "trained on the future": {"a model has seen labels of the holdout"},
    "stale": {"newer_than_champion"},
    "broken in one slice": {"no_key_slice_too_bad"},
    "overfitted": {"better_than_champion", "calibrated"},
    "miscalibrated": {"rightly_sure"},
    "NaN for some rows": {"missing or are no probabilities"},
    "wrong schema": {"served"},
    "slow": {"fast_enough"},
    "nondeterministic": {"same_answers"},
    "constant": {"not_too_bad", "better_than_baseline"},
}


@pytest.fixture(scope="module")
def scenes(spec):
    spec = small(spec)
    # the queue says nothing in made-up flights, so no model can know in which direction it counts
    behaviour = {n: b for n, b in spec.evaluation.behaviour.items() if n != "waiting_counts"}
    # the slow candidate really takes longer than allowed, and other tests allow a minute
    serving = spec.evaluation.serving.model_copy(update={"max_row_ms": 2_000})
    evaluation = spec.evaluation.model_copy(
        update={"behaviour": behaviour, "folds": 0, "serving": serving}
    )
    problem = problem_of(spec.model_copy(update={"evaluation": evaluation}))
    rows = pd.concat([flights(spec, window, i, 250) for i, window in enumerate((FIRST, SECOND))])
    return [set_scene(rows.reset_index(drop=True), SECOND, problem, "logistic")]


@pytest.fixture(scope="module")
def outcomes(scenes):
    worthwhile = scenes[0].spec.gate.comparison.worthwhile_per_unit
    scale = scale_that_costs(scenes, worthwhile, draws=8, seed=1)
    assert loss_by_blur(scenes, scale, draws=40, seed=2) == pytest.approx(worthwhile, abs=0.1)
    return list(run_trial(scenes, scale, SEEDS, BETTER, seed=3))


def test_trial_no_bad_candidate_is_promoted(outcomes):
    bad = [outcome for outcome in outcomes if outcome.kind in BAD]
    assert len(bad) == SEEDS * len(BAD) >= 12
    assert [outcome for outcome in bad if outcome.is_promoted] == []


@pytest.mark.parametrize("kind", BAD)
def test_trial_bad_candidate_is_refused_for_its_own_fault(outcomes, kind):
    for outcome in outcomes:
        if outcome.kind == kind:
            told = " ".join(outcome.reasons)
            assert any(fault in told for fault in OWN_FAULT[kind]), told


def test_trial_better_candidates_are_promoted_and_equal_ones_are_not(outcomes, scenes):
    promoted = {
        kind: sum(outcome.is_promoted for outcome in outcomes if outcome.kind == kind)
        for kind in ("better", "equal")
    }
    assert chance(promoted["better"], BETTER, 0.9, 1.0)
    assert chance(promoted["equal"], BETTER, 0.0, scenes[0].spec.gate.comparison.level)


def test_trial_all_kinds_have_their_fault_named():
    assert OWN_FAULT.keys() == BAD.keys()
    assert np.unique(list(BAD)).size >= 12
