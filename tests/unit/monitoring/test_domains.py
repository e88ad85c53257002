import numpy as np
import pandas as pd
import pytest
from simulated import chance

from ratchet.monitoring.domains import tell_apart

MOMENT = "at"


def days_of(rng, first: str, days: int, rows: int, shock: float = 0.0) -> pd.DataFrame:
    """Rows of days that share a shock in x."""
    day = np.repeat(np.arange(days), rows)
    moments = pd.Timestamp(first) + day * pd.Timedelta("1D")
    return pd.DataFrame(
        {
            MOMENT: moments + rng.integers(0, 24, len(day)) * pd.Timedelta("1h"),
            "x": shock * rng.normal(size=days)[day] + rng.normal(size=len(day)),
            "y": rng.normal(size=len(day)),
            "shop": pd.Series(rng.choice(["a", "b", "c"], len(day)), dtype=object),
        }
    )


def told(rng, shock: float = 0.0, change=lambda rows: rows, days: int = 7):
    reference = days_of(rng, "2013-01-01", 30, 40, shock)
    current = change(days_of(rng, "2013-03-01", days, 120, shock))
    return tell_apart(reference, current, MOMENT, seed=1)


def mirror(rows: pd.DataFrame) -> pd.DataFrame:
    """Let x and y go together, so that neither column alone has changed."""
    return rows.assign(y=(rows["x"] + 0.5 * rows["y"]) / 1.25**0.5)


def test_tell_apart_same_rows_are_not_told_apart():
    found = told(np.random.default_rng(1))
    assert abs(found.auc - 0.5) < found.limit
    assert found.p_value > 0.01
    assert found.clusters == 7


def test_tell_apart_new_association_is_found_though_no_column_changed():
    found = told(np.random.default_rng(1), change=mirror)
    assert found.auc - 0.5 > found.limit
    assert found.p_value < 0.001


def test_tell_apart_new_level_is_found():
    found = told(np.random.default_rng(1), change=lambda rows: rows.assign(shop="d"))
    assert found.auc == pytest.approx(1)
    assert found.p_value < 0.001


def test_tell_apart_missing_values_are_found():
    found = told(
        np.random.default_rng(1),
        change=lambda rows: rows.assign(y=rows["y"].where(np.arange(len(rows)) % 2 == 0)),
    )
    assert found.p_value < 0.001


def test_tell_apart_is_the_same_every_time():
    assert told(np.random.default_rng(2)) == told(np.random.default_rng(2))


def test_tell_apart_two_days_are_clustered_by_hour():
    assert told(np.random.default_rng(3), days=2).clusters >= 20


def test_tell_apart_one_hour_says_nothing():
    rng = np.random.default_rng(3)
    reference = days_of(rng, "2013-01-01", 30, 40)
    hour = days_of(rng, "2013-03-01", 1, 200).assign(at=pd.Timestamp("2013-03-01"))
    assert tell_apart(reference, hour, MOMENT, seed=1) is None


def rejections(draws: int, shock: float, level: float) -> int:
    rng = np.random.default_rng(4)
    return sum(told(rng, shock).p_value < level for _ in range(draws))


@pytest.mark.parametrize("shock", [0.0, 0.7])
def test_tell_apart_days_that_differ_are_no_drift(shock):
    assert chance(rejections(20, shock, 0.05), 20, 0.0, 0.08)


@pytest.mark.simulation
@pytest.mark.parametrize("shock", [0.0, 0.7])
def test_tell_apart_rejection_rates(shock):
    assert chance(rejections(1000, shock, 0.05), 1000, 0.01, 0.08)
