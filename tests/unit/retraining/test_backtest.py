"""Policies on a history in which what is learned is soon wrong, and on one that stays as it was."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from model_lake import FIRST, SECOND, THIRD, ModelLake, flights, small

from ratchet.errors import EvidenceError
from ratchet.reporting import backtest_table, write_backtest
from ratchet.retraining import Backtest, published_until, windows_between
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.spec.types import Estimator
from ratchet.window import Window

WEEK = timedelta(days=7)
WEEKS = [
    SECOND,
    THIRD,
    *(Window(THIRD.start + n * WEEK, THIRD.end + n * WEEK) for n in range(1, 5)),
]
BREAK = WEEKS[1].start


def lake_of(spec: Spec, home: Path, *, breaks: bool) -> ModelLake:
    """Return a lake of which one feature changes its sign in the third week, or does not."""
    spec = small(spec)
    logistic = Estimator(type="logistic_regression", params={"C": 0.1, "max_iter": 200})
    training = spec.training.model_copy(
        update={
            "estimators": {"logistic": logistic},
            "max_history_days": 15,
            "min_rows": 500,
            "holdout_days": 7,
        }
    )
    gate = spec.gate.model_copy(update={"min_holdout_rows": 100})
    retraining = spec.retraining.model_copy(
        update={"min_new_labels": 200, "min_matured_labels": 500, "min_rare_labels": 50}
    )
    evaluation = spec.evaluation.model_copy(update={"folds": 0})
    spec = spec.model_copy(
        update={
            "training": training,
            "gate": gate,
            "retraining": retraining,
            "evaluation": evaluation,
        }
    )
    rows = pd.concat([flights(spec, window, n) for n, window in enumerate([FIRST, *WEEKS])])
    if breaks:
        late = rows[spec.gold.decided_at] >= pd.Timestamp(BREAK.replace(tzinfo=None))
        for name in ("origin_mean_delay_min", "wind_speed_mph"):
            rows.loc[late, name] *= -1
    lake = ModelLake(spec, Settings(home, home), rows.reset_index(drop=True))
    lake.publish()
    return lake


@dataclass
class Played:
    lake: ModelLake
    backtest: Backtest
    told: list[str]


def backtest_of(spec: Spec, home: Path, *, breaks: bool) -> Played:
    lake = lake_of(spec, home, breaks=breaks)
    told: list[str] = []
    return Played(lake, Backtest(lake.spec, [FIRST, *WEEKS], lake.settings, told.append), told)


@pytest.fixture(scope="module")
def broken(spec: Spec, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return backtest_of(spec, tmp_path_factory.mktemp("broken"), breaks=True)


def test_backtest_world_that_breaks_costs_the_frozen_model_most(broken: Played):
    results = {result.name: result for result in broken.backtest.results()}
    assert set(results) == {"never", "monthly", "weekly", "declared", "oracle"}
    never, weekly, oracle = (results[name] for name in ("never", "weekly", "oracle"))
    assert never.trainings == never.promotions == 1
    assert weekly.trainings == len(WEEKS)  # the first model's, and each week's but the last
    assert never.regret.estimate > 1
    assert weekly.regret.estimate < never.regret.estimate
    assert weekly.promotions > 1
    assert oracle.regret.estimate == 0
    assert all(result.regret.estimate >= 0 for result in results.values())
    assert weekly.staleness_days < never.staleness_days
    assert never.weekly[-1][0] == WEEKS[-1].end
    rows = len(WEEKS) * 420
    assert never.weekly[-1][1] == pytest.approx(never.regret.estimate * rows)
    cost = never.cost.estimate - oracle.cost.estimate
    assert cost == pytest.approx(never.regret.estimate)


def test_backtest_fits_each_window_once_and_again_never(broken: Played):
    fitted = [text for text in broken.told if text.startswith("training")]
    assert len(fitted) == len(set(fitted)) == len(WEEKS)
    again: list[str] = []
    spec, settings = broken.lake.spec, broken.lake.settings
    results = Backtest(spec, [FIRST, *WEEKS], settings, again.append).results()
    assert [text for text in again if text.startswith("training")] == []
    assert results == broken.backtest.results()


def test_backtest_declared_policy_asks_for_what_the_spec_says(broken: Played):
    played = broken.backtest.play("declared")
    reasons = [training.reason for training in played.trainings]
    assert reasons[0] == "first_model"
    assert "realised_performance" in reasons
    stricter = broken.lake.spec.retraining.model_copy(update={"min_matured_labels": 10**9})
    spec = broken.lake.spec.model_copy(update={"retraining": stricter})
    held = Backtest(spec, [FIRST, *WEEKS], broken.lake.settings).play("declared")
    assert [training.reason for training in held.trainings] == ["first_model"]


def test_backtest_is_told_as_a_table_and_as_a_page(broken: Played, tmp_path: Path):
    results = broken.backtest.results()
    table = backtest_table(results, broken.lake.spec)
    assert "As declared" in table
    assert f"{results[0].regret.estimate:.3f}" in table
    page = tmp_path / "backtest.html"
    write_backtest(results, broken.lake.spec, Window(WEEKS[0].start, WEEKS[-1].end), page)
    text = page.read_text()
    assert text.count("<polyline") + text.count("<path") >= 4
    assert "http" not in text.replace("http://www.w3.org", "")


def test_backtest_of_two_windows_is_refused(broken: Played):
    with pytest.raises(EvidenceError, match="three windows or more, not 2"):
        Backtest(broken.lake.spec, [FIRST, SECOND], broken.lake.settings)


def test_windows_between_joins_what_comes_before_and_ends_with_what_is_published(broken: Played):
    end = published_until(broken.lake.spec, broken.lake.settings)
    assert WEEKS[-1].end - timedelta(days=1) < end <= WEEKS[-1].end + timedelta(days=2)
    every = [FIRST, *WEEKS]
    assert windows_between(every, None, WEEKS[-1].end) == every
    joined = windows_between(every, THIRD.start, WEEKS[3].end)
    assert joined == [Window(FIRST.start, SECOND.end), *WEEKS[1:4]]


def test_backtest_costs_are_those_of_the_model_that_decides(broken: Played):
    backtest = broken.backtest
    fit = backtest.fit(FIRST)
    assert fit is not None
    rows = backtest.rows_of(SECOND)
    np.testing.assert_array_equal(backtest.play("never").losses[rows], fit.costs(rows))
