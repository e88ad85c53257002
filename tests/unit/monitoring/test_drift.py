import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy

from ratchet.monitoring import Drift, psi
from ratchet.monitoring.drift import compare
from ratchet.spec import Spec
from ratchet.spec.types import Feature
from ratchet.training import build_profile

ROWS = 2000


@pytest.fixture
def two_features(spec: Spec) -> Spec:
    features = {
        "hour": Feature(kind="numeric", known_at="known_at"),
        "carrier": Feature(kind="categorical", known_at="known_at"),
    }
    return spec.model_copy(update={"gold": spec.gold.model_copy(update={"features": features})})


def week(seed: int) -> tuple[pd.DataFrame, pd.Series]:
    random = np.random.default_rng(seed)
    hours = pd.Series(random.normal(12, 4, ROWS))
    carriers = pd.Series(random.choice(["AA", "UA", "MQ"], ROWS))
    return pd.DataFrame({"hour": hours, "carrier": carriers}), pd.Series(random.beta(2, 5, ROWS))


def drifts_of(spec: Spec, features: pd.DataFrame, answers: pd.Series) -> dict[str, Drift]:
    training, predictions = week(seed=1)
    profile = build_profile(training, predictions, spec)
    return {drift.name: drift for drift in compare(profile, features, answers, spec)}


def test_psi_of_ten_bins_agrees_with_both_kullback_leibler_divergences():
    # PSI is their sum (Jeffreys 1946); scipy.stats.entropy computes each on its own
    expected = np.full(10, 0.1)
    actual = np.array([0.04, 0.06, 0.08, 0.09, 0.1, 0.1, 0.11, 0.12, 0.14, 0.16])
    independent = entropy(actual, expected) + entropy(expected, actual)
    assert psi(expected.tolist(), actual.tolist()) == pytest.approx(independent)


def test_psi_worked_by_hand():
    # (.3 - .2) ln(.3 / .2) + (.7 - .8) ln(.7 / .8) = .1 * .405465 + .1 * .133531
    assert psi([0.2, 0.8], [0.3, 0.7]) == pytest.approx(0.0538997, abs=1e-7)


def test_psi_empty_bin_stays_finite():
    assert 0.25 < psi([0.5, 0.5, 0.0], [0.4, 0.4, 0.2]) < 10


def test_psi_shares_that_do_not_sum_to_one_raises():
    with pytest.raises(ValueError, match="shares must sum to 1"):
        psi([0.5, 0.5], [0.5, 0.4])


def test_psi_unequal_numbers_of_bins_raises():
    with pytest.raises(ValueError, match="argument 2 is longer"):
        psi([1.0], [0.5, 0.5])


def test_compare_same_distribution_is_ok(two_features: Spec):
    found = drifts_of(two_features, *week(seed=2))
    assert list(found) == ["hour", "carrier", "prediction"]
    assert {drift.state for drift in found.values()} == {"ok"}
    assert all(drift.psi is not None and drift.psi < 0.02 for drift in found.values())


def test_compare_shifted_numeric_drifts(two_features: Spec):
    features, answers = week(seed=2)
    found = drifts_of(two_features, features.assign(hour=features["hour"] + 4), answers)
    assert {name for name, drift in found.items() if drift.state == "drift"} == {"hour"}


def test_compare_unseen_level_drifts(two_features: Spec):
    features, answers = week(seed=2)
    found = drifts_of(two_features, features.replace({"carrier": {"MQ": "VX"}}), answers)
    assert {name for name, drift in found.items() if drift.state == "drift"} == {"carrier"}


def test_compare_values_gone_missing_drifts_and_says_how_many(two_features: Spec):
    features, answers = week(seed=2)
    features.loc[: ROWS // 4 - 1, "hour"] = np.nan
    hour = drifts_of(two_features, features, answers)["hour"]
    assert hour.state == "drift"
    assert hour.missing_change == pytest.approx(0.25)


def test_compare_too_few_rows_says_so_instead_of_a_number(two_features: Spec):
    features, answers = week(seed=2)
    few = two_features.monitoring.min_rows - 1
    found = drifts_of(two_features, features.head(few), answers.head(few))
    assert {(drift.state, drift.psi, drift.rows) for drift in found.values()} == {
        ("insufficient_data", None, few)
    }
