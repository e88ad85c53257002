"""How often findings err, by a small simulation; benchmarks/monitoring.py has a large one."""

import numpy as np
import pytest

from ratchet.incidents.trial import Stream, delay, harmless
from ratchet.spec.alerts import Alerts, Persistence, Persistences

ALERTS = Alerts()
STREAM = Stream()
SEED = 2013


def test_harmless_year_of_a_hundred_features_finds_nothing_where_plain_tests_cry_wolf():
    """The issue's own simulation has 8,589 for p < .05, and 2,999 for Benjamini-Hochberg alone."""
    year = harmless(STREAM, ALERTS, years=1, seed=SEED)
    assert year.tests == 36_500
    assert year.found == 0
    assert 7_000 < year.plain < 11_000
    assert 1_500 < year.corrected < 4_500


def test_harmless_without_floor_and_persistence_would_find_what_is_harmless():
    at_once = Persistence(windows=1, of=1)
    naive = ALERTS.model_copy(update={"persistence": Persistences(feature_drift=at_once)})
    no_floor = Stream(floor_sd=1e-9)
    assert harmless(no_floor, naive, years=1, seed=SEED, days=14).found > 10


def test_delay_of_a_real_shift_is_two_days():
    found = delay(STREAM, ALERTS, shift_sd=0.15, runs=60, seed=SEED)
    assert found.found_within(2) >= 54
    assert found.found_within(7) == 60
    assert found.found_within(1) == 0  # it must last


def test_delay_of_what_lies_below_the_floor_is_never():
    assert delay(STREAM, ALERTS, shift_sd=0.05, runs=30, seed=SEED).found_within(14) == 0


def test_stream_draws_means_as_rows_would_give_them():
    """Means of rows, drawn one by one, have the error that `Stream` claims: within 10 %."""
    rng = np.random.default_rng(SEED)
    stream = Stream(features=3, rows=100, trained=2_000, wobble_sd=0)
    rows = rng.normal(size=(600, stream.rows)).mean(axis=1)
    trained = rng.normal(size=(600, stream.trained)).mean(axis=1)
    drawn = stream.days(600, rng)
    assert np.std(rows - trained) == pytest.approx(stream.error, rel=0.1)
    assert np.std(drawn) == pytest.approx(stream.error, rel=0.1)


@pytest.mark.simulation
def test_harmless_decade_finds_less_than_one_a_year():
    assert harmless(STREAM, ALERTS, years=10, seed=SEED).found_at_most < 1
