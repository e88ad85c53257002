"""Estimates without labels, and what labels say of them, in a lake whose model is known."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from fake_lake import WEEKS, FakeChampion, FakeLake

from ratchet.monitoring import Signal
from ratchet.monitoring.estimating import ESTIMATES, watch_estimates
from ratchet.monitoring.watching import SOURCES
from ratchet.problems import learn_expectations, problem_of
from ratchet.window import Window

FIRST, SECOND, THIRD = WEEKS
ROWS = 1400
EACH = timedelta(minutes=7)


def said(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).beta(1.2, 3, ROWS)


def true_of(probabilities: np.ndarray, seed: int) -> list[bool]:
    """Draw labels of which the probabilities are true."""
    return (np.random.default_rng(seed).random(len(probabilities)) < probabilities).tolist()


@pytest.fixture
def watched(fake_lake: FakeLake) -> FakeLake:
    """A lake whose champion is calibrated, and has shown it on a fortnight."""
    lake, problem = fake_lake, problem_of(fake_lake.spec)
    lake.minutes_apart = EACH / timedelta(minutes=1)
    p = said(0)
    decided = pd.DataFrame(
        {**problem.decide(p, pd.DataFrame()), "label": true_of(p, 1), "day": np.arange(ROWS) % 14}
    )
    expectations = learn_expectations(problem, decided, age_days=3)
    lake.champion = FakeChampion("1", 20.0, expectations)
    return lake


def run_week(lake: FakeLake, window: Window, seed: int) -> np.ndarray:
    p = said(seed)
    lake.score(window, {"champion": p.tolist(), "rule": [0.2] * ROWS}, champion="1")
    return p


def estimates(lake: FakeLake, window: Window) -> pd.DataFrame:
    return pd.read_parquet(lake.lake.monitoring / "estimates" / f"{window.key}.parquet")


def by_name(signals: list[Signal]) -> dict[str, Signal]:
    found = {signal.name: signal for signal in signals}
    assert len(found) == len(signals)
    return found


def test_watch_estimates_without_labels_says_what_answers_let_one_expect(watched: FakeLake):
    p = run_week(watched, FIRST, 2)
    found = by_name(watch_estimates(watched.spec, FIRST, watched.settings))
    assert set(found) == {"estimate.expected_cost:champion"}
    costs = watched.spec.costs
    acted = p >= costs.threshold
    by_hand = np.where(acted, 10 + 60 * p, 100 * p).mean()
    signal = found["estimate.expected_cost:champion"]
    assert (signal.is_enough, signal.rows) == (True, ROWS)
    assert signal.value == pytest.approx(by_hand)
    table = estimates(watched, FIRST)
    assert list(table) == ESTIMATES.names
    assert table["realised"].isna().all()
    of_all = table[table["day"].isna()].set_index("measure")
    assert set(of_all.index) == {"cost_per_unit", "label_share", "brier", "roc_auc"}
    assert (of_all["low"] < of_all["estimated"]).all()
    assert len(table["day"].dropna().unique()) == 7


def happens(lake: FakeLake, labels: Callable[[np.ndarray], list[bool]]) -> dict[str, Signal]:
    """Let labels of a week come true; return the signals of the week after."""
    p = run_week(lake, FIRST, 2)
    run_week(lake, SECOND, 3)
    lake.happen_each(FIRST, labels(p), known_after=timedelta(hours=6))
    return by_name(watch_estimates(lake.spec, SECOND, lake.settings))


def test_watch_estimates_same_world_has_no_gap(watched: FakeLake):
    gap = happens(watched, lambda p: true_of(p, 4))["estimate.gap:champion"]
    assert gap.is_enough
    assert gap.effect is not None
    assert gap.effect < gap.floor
    assert gap.p_value is not None
    assert gap.p_value > 0.01


def test_watch_estimates_changed_concept_is_a_gap_and_names_its_days(watched: FakeLake):
    def furloughs(p: np.ndarray) -> list[bool]:
        days = np.arange(ROWS) * EACH // timedelta(days=1)
        return true_of(np.where(np.isin(days, [2, 3, 4]), 0.4 + p, p).clip(0, 1), 4)

    found = happens(watched, furloughs)
    gap, cost = found["estimate.gap:champion"], found["performance.realised_cost:champion"]
    for signal in (gap, cost):
        assert signal.direction == "up"
        assert signal.effect is not None
        assert signal.null_limit is not None
        assert signal.p_value is not None
        assert signal.effect > signal.floor
        assert signal.p_value < 0.05
    assert gap.effect > gap.null_limit  # type: ignore[operator]
    assert gap.p_value < 0.001  # type: ignore[operator]
    assert "3 March, 4 March, 5 March." in gap.text


def test_watch_estimates_harder_features_are_no_gap(watched: FakeLake):
    """A storm that the features tell of raises both what is expected and what it costs."""
    p = (said(2) + 0.3).clip(0, 1)
    watched.score(FIRST, {"champion": p.tolist(), "rule": [0.2] * ROWS}, champion="1")
    run_week(watched, SECOND, 3)
    watched.happen_each(FIRST, true_of(p, 4), known_after=timedelta(hours=6))
    expected = by_name(watch_estimates(watched.spec, FIRST, watched.settings))
    found = by_name(watch_estimates(watched.spec, SECOND, watched.settings))
    assert expected["estimate.expected_cost:champion"].p_value < 0.001  # type: ignore[operator]
    assert found["performance.realised_cost:champion"].p_value < 0.001  # type: ignore[operator]
    assert found["estimate.gap:champion"].p_value > 0.01  # type: ignore[operator]


def test_watch_estimates_late_labels_are_too_little_to_tell(watched: FakeLake):
    """Of a tenth of the labels nothing is known at the age, and these are not like the others."""
    p = run_week(watched, FIRST, 2)
    run_week(watched, SECOND, 3)
    labels = true_of(p, 4)
    watched.happen_each(FIRST, labels[: ROWS * 9 // 10], known_after=timedelta(hours=6))
    found = by_name(watch_estimates(watched.spec, SECOND, watched.settings))
    for name in ("estimate.gap:champion", "performance.realised_cost:champion"):
        signal = found[name]
        assert not signal.is_enough
        assert signal.value is signal.p_value is signal.effect is None
        assert f"{ROWS // 10} labels are missing" in signal.text


def test_watch_estimates_label_that_is_known_too_late_counts_as_missing(watched: FakeLake):
    p = run_week(watched, FIRST, 2)
    run_week(watched, SECOND, 3)
    watched.happen_each(FIRST, true_of(p, 4), known_after=timedelta(days=4))
    watch_estimates(watched.spec, SECOND, watched.settings)
    assert set(estimates(watched, SECOND)["cohort"]) == {SECOND.key}


def test_watch_estimates_again_writes_the_same_and_sees_nothing_later(watched: FakeLake):
    happens(watched, lambda p: true_of(p, 4))
    path = watched.lake.monitoring / "estimates" / f"{SECOND.key}.parquet"
    before = path.read_bytes()
    p = run_week(watched, THIRD, 5)
    watched.happen_each(THIRD, true_of(p, 6), known_after=timedelta(hours=6))
    watch_estimates(watched.spec, THIRD, watched.settings)
    watch_estimates(watched.spec, SECOND, watched.settings)
    assert path.read_bytes() == before


def test_watch_estimates_earlier_weeks_widen_what_chance_makes(watched: FakeLake):
    """Days that differ as they always have are no alarm, whatever the short holdout showed."""
    p = run_week(watched, FIRST, 2)
    days = np.arange(ROWS) * EACH // timedelta(days=1)
    swing = np.where(days % 2 == 0, 1.6, 0.4)
    watched.happen_each(FIRST, true_of((p * swing).clip(0, 1), 4), timedelta(hours=6))
    p = run_week(watched, SECOND, 3)
    watched.happen_each(SECOND, true_of(p, 5), timedelta(hours=6))
    watch_estimates(watched.spec, SECOND, watched.settings)
    run_week(watched, THIRD, 6)
    gap = by_name(watch_estimates(watched.spec, THIRD, watched.settings))["estimate.gap:champion"]
    (watched.lake.monitoring / "estimates" / f"{SECOND.key}.parquet").unlink()
    alone = by_name(watch_estimates(watched.spec, THIRD, watched.settings))["estimate.gap:champion"]
    assert gap.value == alone.value
    assert gap.null_limit > 1.3 * alone.null_limit  # type: ignore[operator]


def test_watch_estimates_version_without_expectations_says_nothing(watched: FakeLake):
    run_week(watched, FIRST, 2)
    watched.champion = FakeChampion("1", 20.0)
    assert watch_estimates(watched.spec, FIRST, watched.settings) == []
    assert estimates(watched, FIRST).empty


def test_watch_estimates_without_predictions_says_nothing(watched: FakeLake):
    assert SOURCES["estimates"](watched.spec, FIRST, watched.settings) == []
