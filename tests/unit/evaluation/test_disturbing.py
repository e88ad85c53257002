"""Each of these finds a model with the fault, and is silent about the honest one."""

import numpy as np
import pytest
from honest_model import honest

from ratchet.evaluation.disturbing import FAR, UNKNOWN, measure_behaviour, measure_robustness
from ratchet.evaluation.evidence import DISTURBANCES
from ratchet.spec.types import Canary, Direction, Invariance


def behave(stage, rule, declared):
    evaluation = stage.spec.evaluation.model_copy(update={"behaviour": {"it": declared}})
    problem = type(stage.problem)(stage.spec.model_copy(update={"evaluation": evaluation}))
    return measure_behaviour(problem, stage.model(rule), stage.rows, stage.features)["it"]


def robust(stage, rule):
    found = measure_robustness(stage.problem, stage.model(rule), stage.rows, stage.features)
    return {(each.feature, each.how): each for each in found}


DELAYS = Direction(
    test="direction", reason="r", add={"origin_mean_delay_min": 1}, least=0.05, most=0.6
)
WEEKDAY = Invariance(
    test="invariance",
    reason="r",
    feature="scheduled_weekday",
    values=("Mon", "Sun"),
    max_change=0.01,
)
WINDLESS = Canary(
    test="canary",
    reason="r",
    row={"origin_mean_delay_min": -2.0, "wind_speed_mph": 0.0},
    least=0.0,
    most=0.1,
)


@pytest.mark.parametrize(
    ("declared", "wrong"),
    [
        (DELAYS, lambda frame: 1 - honest(frame)),
        (DELAYS, lambda frame: np.full(len(frame), 0.3)),
        (WEEKDAY, lambda frame: np.where(frame["scheduled_weekday"] == "Sun", 0.4, 0.3)),
        (WINDLESS, lambda frame: np.full(len(frame), 0.3)),
        (WINDLESS, lambda frame: np.where(frame["temperature_f"].isna(), 0.9, honest(frame))),
    ],
)
def test_behaviour_wrong_model_fails_and_honest_one_passes(stage, declared, wrong):
    assert behave(stage, honest, declared).passed
    assert not behave(stage, wrong, declared).passed


def test_behaviour_canary_observes_the_answer_to_that_row(stage):
    # by hand: 1 / (1 + exp(2 + 1.3))
    assert behave(stage, honest, WINDLESS).observed == pytest.approx(0.03557, abs=1e-5)


def test_behaviour_invariance_observes_the_mean_change(stage):
    def moves_every_second(frame):
        is_sunday = frame["scheduled_weekday"] == "Sun"
        return 0.3 + 0.2 * (is_sunday & (frame["origin"] == "EWR"))

    at_ewr = (stage.rows["origin"].iloc[np.linspace(0, 839, 500).astype(int)] == "EWR").mean()
    found = behave(stage, moves_every_second, WEEKDAY)
    assert found.observed == pytest.approx(0.2 * at_ewr)


@pytest.mark.parametrize("error", [ValueError, KeyError, RuntimeError])
def test_behaviour_model_that_refuses_has_no_answer(stage, error):
    def refuses(frame):
        if frame["scheduled_weekday"].eq("Sun").all():
            raise error("no service on Sundays")
        return honest(frame)

    found = behave(stage, refuses, WEEKDAY)
    assert found.observed is None
    assert not found.passed


def test_robustness_covers_every_feature_and_way(stage):
    found = robust(stage, honest)
    assert len(found) == len(stage.features) * len(DISTURBANCES)
    assert {each.outcome for each in found.values()} == {"answered"}


def test_robustness_tells_what_the_model_leans_on(stage):
    found = robust(stage, honest)
    assert found["origin_mean_delay_min", "permuted"].cost_increase > 1
    assert found["origin_mean_delay_min", "missing"].cost_increase > 1
    assert found["humidity_pct", "permuted"].cost_increase == 0


def test_robustness_puts_numbers_and_categories_out_of_range(stage):
    seen = []

    def watching(frame):
        seen.append(frame)
        return honest(frame)

    robust(stage, watching)
    disturbed = seen[-1]
    highest = stage.rows["humidity_pct"].iloc[np.linspace(0, 839, 500).astype(int)]
    expected = highest.max() + FAR * (highest.max() - highest.min())
    assert disturbed["humidity_pct"].max() == pytest.approx(expected)
    assert (disturbed["origin"] == UNKNOWN).sum() == 500


def test_robustness_answer_that_is_none_is_impossible(stage):
    found = robust(stage, lambda frame: np.where(frame["humidity_pct"].isna(), np.nan, 0.3))
    assert found["humidity_pct", "missing"].outcome == "impossible"
    assert found["humidity_pct", "missing"].cost_increase is None
    others = {each.outcome for key, each in found.items() if key != ("humidity_pct", "missing")}
    assert others == {"answered"}


@pytest.mark.parametrize("error", [ValueError, KeyError, RuntimeError])
def test_robustness_model_that_refuses_is_asked_about_the_others(stage, error):
    def refuses(frame):
        if frame["origin"].eq(UNKNOWN).any():
            raise error("unknown origin")
        return honest(frame)

    found = robust(stage, refuses)
    refused = [key for key, each in found.items() if each.outcome == "refused"]
    assert refused == [("origin", "out_of_range")]
