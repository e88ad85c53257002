import numpy as np
import pandas as pd
import pytest
from model_lake import FIRST, fit, flights

from ratchet.errors import EvidenceError
from ratchet.explanations import explain, told_once
from ratchet.problems import problem_of


class Knows:
    """A model that reads one column, which tells the label; sure enough to act on it, or not."""

    def __init__(self, *columns):
        self.columns = list(columns)

    def predict_proba(self, frame):
        answers = 0.01 + 0.98 * (frame[self.columns].mean(axis=1) > 0)
        return np.stack([1 - answers, answers], axis=1)


@pytest.fixture(scope="module")
def rows(spec):
    frame = flights(spec, FIRST)
    return frame.assign(**{spec.gold.label: frame["origin_waiting"] > 0})


def by_features(found):
    return {each.features: each for each in found.importance}


def test_explain_only_what_is_read_matters_and_costs_what_chance_does(spec, rows):
    found = explain(problem_of(spec), Knows("origin_waiting"), rows, rows.tail(2400))
    importance = by_features(found)
    assert len(importance) == len(spec.gold.features)
    waiting = importance.pop(("origin_waiting",))
    assert found.importance[0] == waiting
    # half of the rows have the label. Known: 0 or 70 points. Dealt out anew: half of each are told
    # the other way, 10 instead of 0, and 100 instead of 70: 1/4 * 10 + 1/4 * 30
    assert waiting.low < 10 < waiting.high
    assert waiting.high - waiting.low < 1.5
    assert {each.cost_increase for each in importance.values()} == {0.0}
    assert next(iter(found.dependence)) == "origin_waiting"


def test_explain_features_that_tell_the_same_matter_together(spec, rows):
    twins = rows.assign(carrier_waiting=rows["origin_waiting"] + 1e-9)
    found = explain(problem_of(spec), Knows("origin_waiting", "carrier_waiting"), twins, twins)
    importance = by_features(found)
    pair = ("origin_waiting", "carrier_waiting")
    assert importance[pair].low < 10 < importance[pair].high
    assert importance[("origin_waiting",)].high < importance[pair].low
    assert told_once(found.importance)[0].features == pair
    assert not {("origin_waiting",), ("carrier_waiting",)} & {
        each.features for each in told_once(found.importance)
    }


def test_explain_dependence_is_the_mean_answer_with_all_rows_set_to_a_value(spec, rows):
    rows = flights(spec, FIRST)
    model, problem = fit(spec, rows, "logistic"), problem_of(spec)
    found = explain(problem, model, rows, rows.tail(500))
    for name in ("origin_mean_delay_min", "wind_speed_mph"):
        bins = found.dependence[name]
        assert sum(each.share for each in bins) == pytest.approx(1)
        for each in bins[::4]:
            expected = problem.answer(model, rows.tail(500).assign(**{name: each.value})).mean()
            assert each.answers[spec.gold.label] == pytest.approx(expected, abs=1e-12)
        means = [each.answers[spec.gold.label] for each in bins]
        assert means == sorted(means)


def test_explain_dependence_tells_missing_values_and_levels(spec, rows):
    found = explain(problem_of(spec), Knows("wind_gust_mph"), rows, rows.tail(1000))
    gusts = found.dependence["wind_gust_mph"]
    assert gusts[-1].value is None
    assert gusts[-1].share == pytest.approx(rows.tail(1000)["wind_gust_mph"].isna().mean())
    model = fit(spec, rows.assign(is_disrupted=rows["origin"] == "JFK"), "boosting")
    (levels,) = (
        bins
        for name, bins in explain(
            problem_of(spec), model, rows, rows.assign(is_disrupted=rows["origin"] == "JFK")
        ).dependence.items()
        if name == "origin"
    )
    assert {each.value for each in levels} == {"EWR", "JFK", "LGA"}
    told = {each.value: each.answers["is_disrupted"] for each in levels}
    assert told["JFK"] > 0.9 > 0.1 > told["EWR"]


def test_explain_reliability_is_what_became_of_each_probability(spec, rows):
    found = explain(problem_of(spec), Knows("origin_waiting"), rows, rows.tail(600))
    last = rows.tail(600)["origin_waiting"] > 0
    low, high = found.reliability
    assert (low.said, low.occurred, low.rows) == (pytest.approx(0.01), 0.0, (~last).sum())
    assert (high.said, high.occurred, high.rows) == (pytest.approx(0.99), 1.0, last.sum())
    shuffled = rows.assign(is_disrupted=rows["carrier"] == "AA")
    found = explain(problem_of(spec), Knows("origin_waiting"), rows, shuffled)
    for each in found.reliability:
        assert each.low < 0.2 < each.high < 0.3


def test_explain_again_gives_the_same(spec, rows):
    model, problem = fit(spec, rows, "logistic"), problem_of(spec)
    first = explain(problem, model, rows, rows)
    assert explain(problem, model, rows, rows) == first
    assert first.rows == 3000 < len(rows)


def test_explain_rows_of_one_day_raise(spec, rows):
    with pytest.raises(EvidenceError, match="are of one day"):
        explain(problem_of(spec), Knows("origin_waiting"), rows, rows.head(50))


def test_explain_sample_keeps_what_is_decided_on_together(spec, rows, monkeypatch):
    from ratchet.explanations.explaining import _sample

    problem = problem_of(spec)
    monkeypatch.setattr(type(spec.costs), "read_columns", ("group",))
    grouped = rows.assign(group=np.arange(len(rows)) // 7)
    sampled = _sample(problem, grouped)
    sizes = sampled.groupby("group").size()
    whole = grouped.groupby("group").size()
    assert (sizes == whole[sizes.index]).all()
    assert 2900 < len(sampled) <= 3000
    assert isinstance(sampled, pd.DataFrame)
