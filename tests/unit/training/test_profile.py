import json
from itertools import pairwise

import numpy as np
from model_lake import FIRST, flights

from ratchet.training import build_profile


def test_profile_numeric_counts_are_those_of_its_bins(spec):
    rows = flights(spec, FIRST)
    profile = build_profile(rows, rows[spec.rule.column], spec)["features"]["wind_gust_mph"]
    values = rows["wind_gust_mph"].dropna().to_numpy()
    edges = [-np.inf, *profile["edges"], np.inf]
    by_hand = [int(((values >= low) & (values < high)).sum()) for low, high in pairwise(edges)]
    assert profile["counts"] == by_hand
    assert len(by_hand) == spec.monitoring.bins
    assert max(by_hand) - min(by_hand) <= 1
    assert sum(by_hand) + profile["missing"] == profile["rows"] == len(rows)


def test_profile_repeated_values_make_fewer_bins(spec):
    rows = flights(spec, FIRST).assign(precipitation_in=0.0)
    rows.loc[rows.index[:5], "precipitation_in"] = 0.4
    profile = build_profile(rows, rows[spec.rule.column], spec)["features"]["precipitation_in"]
    assert profile["edges"] == [0.0]
    assert profile["counts"] == [0, len(rows)]


def test_profile_categorical_counts_levels(spec):
    rows = flights(spec, FIRST)
    rows.loc[rows.index[:3], "carrier"] = None
    profile = build_profile(rows, rows[spec.rule.column], spec)["features"]["carrier"]
    assert profile["missing"] == 3
    assert profile["counts"] == rows["carrier"].value_counts().to_dict()


def test_profile_column_without_values_has_no_edges(spec):
    rows = flights(spec, FIRST).assign(dew_point_f=np.nan)
    profile = build_profile(rows, rows[spec.rule.column], spec)["features"]["dew_point_f"]
    assert (profile["edges"], profile["counts"]) == ([], [0])
    assert profile["missing"] == len(rows)


def test_profile_is_small_json_of_all_features_and_predictions(spec):
    rows = flights(spec, FIRST)
    profile = build_profile(rows, rows[spec.rule.column].head(100), spec)
    assert set(profile["features"]) == set(spec.gold.features)
    assert profile["predictions"]["rows"] == 100
    assert len(json.dumps(profile, allow_nan=False)) < 20_000
