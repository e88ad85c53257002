from itertools import pairwise

import duckdb
import numpy as np
import pandas as pd
import pytest
from model_lake import FIRST, FLIGHTS_A_DAY, flights

from ratchet.spec import Spec
from ratchet.training import (
    Categorical,
    Numeric,
    Profile,
    build_profile,
    count_parts,
    sample_reference,
    segment_sql,
)
from ratchet.training.profile import FINE_BINS, MAX_LEVELS, SAMPLE_ROWS, coarser, quantile_edges

KEPT = (
    "temperature_f",
    "dew_point_f",
    "wind_speed_mph",
    "wind_gust_mph",
    "scheduled_hour",
    "origin_mean_delay_min",
    "carrier_rate_14d",
    "origin",
    "carrier",
    "scheduled_weekday",
)


@pytest.fixture
def spec(spec: Spec) -> Spec:
    """The use case with a few of its features."""
    features = {name: spec.gold.features[name] for name in KEPT}
    return spec.model_copy(update={"gold": spec.gold.model_copy(update={"features": features})})


def profile_of(spec: Spec, rows: pd.DataFrame) -> Profile:
    answers = pd.Series(np.linspace(0.05, 0.9, len(rows)))
    return build_profile(spec, rows, rows, answers)


def numeric(profile: Profile, name: str) -> Numeric:
    column = profile.features[name]
    assert isinstance(column, Numeric)
    return column


def categorical(profile: Profile, name: str) -> Categorical:
    column = profile.features[name]
    assert isinstance(column, Categorical)
    return column


def test_profile_numeric_counts_are_those_of_its_bins(spec):
    rows = flights(spec, FIRST)
    rows.loc[rows.index[:2], "wind_gust_mph"] = [np.inf, -np.inf]
    gusts = numeric(profile_of(spec, rows), "wind_gust_mph")
    values = rows["wind_gust_mph"].dropna().to_numpy()
    values = values[np.isfinite(values)]
    edges = [-np.inf, *gusts.edges, np.inf]
    by_hand = [int(((values > low) & (values <= high)).sum()) for low, high in pairwise(edges)]
    assert list(gusts.counts) == by_hand
    assert gusts.non_finite == 2
    assert sum(by_hand) + gusts.absent == gusts.rows == len(rows)


def test_profile_numeric_has_quantiles_and_extra_tails(spec):
    rows = flights(spec, FIRST, flights_a_day=200)
    delays = numeric(profile_of(spec, rows), "temperature_f")
    below = np.cumsum(delays.counts)[:-1] / len(rows)
    wanted = np.sort([*np.arange(1, FINE_BINS) / FINE_BINS, 0.001, 0.005, 0.01, 0.99, 0.995, 0.999])
    assert below == pytest.approx(wanted, abs=1.5 / len(rows))


def test_profile_coarse_bins_are_of_about_equal_rows(spec):
    rows = flights(spec, FIRST, flights_a_day=200)
    delays = numeric(profile_of(spec, rows), "temperature_f")
    counts = np.bincount(delays.cells(10), delays.counts)
    assert counts / len(rows) == pytest.approx(np.full(10, 0.1), abs=1 / FINE_BINS)
    assert len(delays.coarse_edges(10)) == 9


def test_coarser_of_one_value_or_none():
    assert coarser([0, 5, 0], 10).tolist() == [0, 1, 2]  # below and above it, new values show
    assert coarser([7], 10).tolist() == [0]
    assert coarser([0, 0], 10).tolist() == [0, 0]


def test_quantile_edges_value_that_recurs_has_a_bin_of_its_own():
    rng = np.random.default_rng(6)
    values = np.sort(np.concatenate([np.zeros(900), rng.exponential(size=100)]))
    edges = np.array(quantile_edges(values))
    assert 0.0 in edges
    assert np.nextafter(0.0, -1) in edges
    bins = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    assert bins[np.flatnonzero(edges == 0.0)[0]] == 900


def test_quantile_edges_few_values_are_told_apart_one_by_one():
    values = np.sort(np.repeat([5.0, 6.0, 7.0], [10, 500, 490]))
    edges = quantile_edges(values)
    assert {5.0, 6.0, 7.0} <= set(edges)
    assert len(edges) == 6


def test_quantile_edges_outlier_is_no_edge():
    values = np.sort([*np.random.default_rng(7).normal(size=5000), 1e30])
    assert max(quantile_edges(values)) < 5
    assert max(quantile_edges(np.sort([*np.tile([1.0, 2.0], 1000), 1e30]))) == 2.0


def test_profile_outlier_moves_neither_mean_nor_spread(spec):
    rows = flights(spec, FIRST)
    clean = numeric(profile_of(spec, rows), "temperature_f")
    rows.loc[rows.index[5], "temperature_f"] = 1e30
    dirty = numeric(profile_of(spec, rows), "temperature_f")
    assert dirty.maximum == 1e30
    assert (dirty.mean, dirty.spread) == pytest.approx((clean.mean, clean.spread), abs=0.01)


def test_profile_categorical_counts_levels(spec):
    rows = flights(spec, FIRST)
    rows.loc[rows.index[:3], "carrier"] = None
    carriers = categorical(profile_of(spec, rows), "carrier")
    assert carriers.missing == 3
    assert carriers.levels == rows["carrier"].value_counts().to_dict()
    assert carriers.other == 0


def test_profile_levels_beyond_the_most_frequent_are_one(spec, monkeypatch):
    monkeypatch.setattr("ratchet.training.profile.MAX_LEVELS", 2)
    rows = flights(spec, FIRST)
    counts = rows["carrier"].value_counts()
    carriers = categorical(profile_of(spec, rows), "carrier")
    assert set(carriers.levels) == set(counts.index[:2])
    assert carriers.other == counts.iloc[2:].sum()
    assert MAX_LEVELS == 10_000


def test_profile_column_without_values_has_no_edges(spec):
    rows = flights(spec, FIRST).assign(dew_point_f=np.nan)
    empty = numeric(profile_of(spec, rows), "dew_point_f")
    assert (empty.edges, empty.counts, empty.spread, empty.transport) == ((), (0,), None, None)
    assert empty.missing == len(rows)


def test_profile_constant_column_has_no_law_of_distances(spec):
    rows = flights(spec, FIRST).assign(dew_point_f=4.0)
    constant = numeric(profile_of(spec, rows), "dew_point_f")
    assert constant.counts == (0, len(rows), 0)
    assert (constant.mean, constant.spread, constant.transport) == (4.0, 0.0, None)


def test_profile_design_effect_of_days_that_share_a_shock(spec):
    rows = flights(spec, FIRST)
    days = rows[spec.gold.decided_at].dt.day_of_year.to_numpy()
    rng = np.random.default_rng(8)
    rows["temperature_f"] = rng.normal(size=400)[days] + 0.5 * rng.normal(size=len(rows))
    profile = profile_of(spec, rows)
    shocked, plain = numeric(profile, "temperature_f"), numeric(profile, "dew_point_f")
    # variance of a week's mean: (1 / 7) of the shocks' and 1 / 420 of the noise's
    expected = (1 + 0.25 / FLIGHTS_A_DAY) / 1.25 * FLIGHTS_A_DAY
    assert shocked.design.mean == pytest.approx(expected, rel=0.8)
    assert plain.design.mean < 3
    assert (shocked.design.days, shocked.design.degrees) == (7, 8)


def test_profile_daily_windows_have_blocks_of_a_day(spec):
    schedule = spec.schedule.model_copy(update={"cron": "0 0 * * *"})
    profile = profile_of(spec.model_copy(update={"schedule": schedule}), flights(spec, FIRST))
    assert profile.label.design.days == 1
    assert profile.label.design.degrees == FIRST.days - 1


def test_profile_segments_add_up_to_all_rows(spec):
    rows = flights(spec, FIRST)
    profile = profile_of(spec, rows)
    origins = {name: of for name, of in profile.segments.items() if name.startswith("origin=")}
    assert set(origins) == {"origin=EWR", "origin=JFK", "origin=LGA"}
    assert sum(of.rows for of in origins.values()) == len(rows)
    gusts = numeric(profile, "wind_gust_mph")
    parts = [of.columns["wind_gust_mph"] for of in origins.values()]
    counts = np.sum([part.counts for part in parts], axis=0)
    assert counts.tolist() == np.bincount(gusts.cells(profile.bins), gusts.counts).tolist()
    assert sum(part.absent for part in parts) == gusts.absent


def test_segment_sql_numbers_are_cut_and_missing_is_a_level(spec):
    rows = flights(spec, FIRST)
    with duckdb.connect() as connection:
        connection.execute("create table t (hour double, origin varchar)")
        connection.execute(
            "insert into t values (5, 'EWR'), (9, null), (9.5, 'JFK'), (null, 'JFK'), ('nan', 'x')"
        )
        sql = segment_sql(["origin", "hour"], {"hour": [9.0]})
        found = connection.execute(f"select {sql} from t").fetchall()
        assert [name for (name,) in found] == [
            "origin=EWR,hour=to 9",
            "origin=missing,hour=to 9",
            "origin=JFK,hour=above 9",
            "origin=JFK,hour=missing",
            "origin=x,hour=missing",
        ]
        profile = profile_of(spec, rows)
        connection.register("rows", rows.head(300))
        keys = [["origin"], ["carrier", "origin"]]
        by_origin, by_both = count_parts(connection, "rows", profile.features, profile.bins, keys)
    assert by_origin.keys() == {("EWR",), ("JFK",), ("LGA",)}
    for parts in (by_origin, by_both):
        assert sum(int(of["carrier"].sum()) for of in parts.values()) == 300


def test_profile_is_small_and_reads_back(spec):
    profile = profile_of(spec, flights(spec, FIRST))
    text = profile.model_dump_json()
    assert Profile.model_validate_json(text) == profile
    assert set(profile.features) == set(spec.gold.features)
    assert len(text) < 150_000
    assert isinstance(profile.label, Categorical)
    assert isinstance(profile.prediction, Numeric)


def test_sample_reference_is_the_same_every_time(spec):
    rows = flights(spec, FIRST, flights_a_day=100)
    sample = sample_reference(spec, rows)
    assert len(sample) == SAMPLE_ROWS
    assert sample[spec.gold.decided_at].is_monotonic_increasing
    pd.testing.assert_frame_equal(sample, sample_reference(spec, rows))
