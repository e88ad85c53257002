import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ratchet.quality import compare_segments
from ratchet.statistics import benjamini_hochberg

PERIODS = 9
Q = 0.01


def rows(seed=0, levels=200, per_cell=20):
    """Return rows of like segments: a number, a boolean, and a text of which a part is missing."""
    generator = np.random.default_rng(seed)
    size = levels * PERIODS * per_cell
    return pd.DataFrame(
        {
            "period": generator.integers(0, PERIODS, size),
            "shop": generator.integers(0, levels, size).astype(str),
            "price": generator.normal(50, 10, size),
            "is_sold": generator.uniform(size=size) < 0.3,
            "note": np.where(generator.uniform(size=size) < 0.05, None, "x"),
        }
    )


def run(frame, keys=(("shop",),), min_rows=10):
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("shown", frame)
        connection.execute("create table data as from shown")
        tests = compare_segments(connection, "data", list(keys), min_rows)
    return tests.assign(found=benjamini_hochberg(tests["p_value"], Q))


def found(frame, **options):
    tests = run(frame, **options)
    chosen = tests[tests["found"]]
    return set(zip(chosen["segment"], chosen["measure"], chosen["column"].fillna(""), strict=True))


def now(frame, shop, rows=None):
    """Return the index of a shop's rows in the window, or of the first of them."""
    return frame.index[(frame["period"] == 0) & (frame["shop"] == shop)][:rows]


@pytest.fixture
def frame():
    return rows()


def test_compare_segments_clean_data_finds_nothing_and_tests_all(frame):
    tests = run(frame)
    assert not tests["found"].any()
    # volume; missing of three columns; one mean; one rate
    assert len(tests) == 200 * (1 + 3 + 1 + 1)
    assert tests["p_value"].notna().all()


@pytest.mark.parametrize("seed", range(3))
def test_compare_segments_p_values_are_no_smaller_than_chance_allows(seed):
    tests = run(rows(seed, levels=500, per_cell=15))
    for _, p in tests.groupby("measure")["p_value"]:
        for level in (0.1, 0.01):
            limit = stats.binom.ppf(0.999, p.count(), level)
            assert (p <= level).sum() <= limit


def test_compare_segments_volume_lost_is_found(frame):
    gone = now(frame, "7")
    assert found(frame.drop(gone[2:])) == {("shop=7", "volume", "")}


def test_compare_segments_missing_in_one_segment_is_found(frame):
    frame.loc[now(frame, "7"), "note"] = None
    assert found(frame) == {("shop=7", "missing", "note")}


def test_compare_segments_not_a_number_is_missing(frame):
    frame.loc[now(frame, "7")[::2], "price"] = np.nan
    frame.loc[now(frame, "7")[1::2], "price"] = np.inf
    # in pandas NaN is NULL on its way into DuckDB: cast what came to keep both kinds
    assert ("shop=7", "missing", "price") in found(frame)


def test_compare_segments_mean_moved_is_found(frame):
    frame.loc[now(frame, "7"), "price"] += 25
    assert found(frame) == {("shop=7", "mean", "price")}


def test_compare_segments_rate_moved_is_found():
    frame = rows(levels=100, per_cell=40)
    frame.loc[now(frame, "7"), "is_sold"] = True
    assert found(frame) == {("shop=7", "rate", "is_sold")}


def test_compare_segments_movement_of_all_is_no_segments_fault(frame):
    window = frame["period"] == 0
    frame.loc[window, "price"] += 25
    frame.loc[window & (frame.index % 2 == 0), "note"] = None
    frame = frame.drop(frame.index[window][::3])
    assert found(frame) == set()


def test_compare_segments_fault_of_a_large_segment_is_not_told_of_the_others():
    frame = rows(levels=3, per_cell=500)
    frame.loc[now(frame, "1"), "price"] += 25
    assert found(frame) == {("shop=1", "mean", "price")}


def test_compare_segments_absurd_value_makes_no_finding(frame):
    frame.loc[now(frame, "7", 1), "price"] = 1e12
    frame.loc[now(frame, "8", 1), "price"] = -1e300
    assert found(frame) == set()


@pytest.mark.parametrize("least", range(100, 500, 7))
def test_compare_segments_whole_numbers_in_a_narrow_range_are_compared(least):
    frame = rows(least, levels=20)
    price = np.random.default_rng(least).integers(least, 3 * least + 2, len(frame))
    assert (run(frame.assign(price=price))["measure"] == "mean").sum() == 20


def test_compare_segments_absurd_value_hides_no_finding(frame):
    frame.loc[now(frame, "7"), "price"] += 25
    frame.loc[now(frame, "7", 1), "price"] = -1e12
    frame.loc[frame.index[(frame["period"] == 3) & (frame["shop"] == "7")][:1], "price"] = 1e12
    assert found(frame) == {("shop=7", "mean", "price")}


def test_compare_segments_window_is_not_in_its_own_reference(frame):
    before = run(frame).set_index(["segment", "measure", "column"])["expected"]
    frame.loc[frame["period"] == 0, ["is_sold", "note"]] = [True, None]
    after = run(frame).set_index(["segment", "measure", "column"])["expected"]
    assert after["shop=7", "rate", "is_sold"] == before["shop=7", "rate", "is_sold"]
    assert after["shop=7", "missing", "note"] == before["shop=7", "missing", "note"]


def test_compare_segments_restless_segments_are_judged_by_their_own_past():
    frame = rows(levels=200)
    generator = np.random.default_rng(1)
    is_restless = frame["shop"].astype(int) < 20
    weekly = generator.normal(0, 20, (200, PERIODS))
    frame.loc[is_restless, "price"] += weekly[frame["shop"].astype(int), frame["period"]][
        is_restless
    ]
    assert found(frame) == set()
    frame.loc[now(frame, "100"), "price"] += 25
    assert found(frame) == {("shop=100", "mean", "price")}


def test_compare_segments_new_and_gone_segments_have_their_state(frame):
    frame = frame[(frame["shop"] != "3") | (frame["period"] == 0)]
    frame = frame[(frame["shop"] != "4") | (frame["period"] != 0)]
    volume = run(frame).query("measure == 'volume'").set_index("segment")
    assert volume["change"].dropna().to_dict() == {"shop=3": "appeared", "shop=4": "disappeared"}
    assert volume.loc[["shop=3", "shop=4"], "found"].all()


def test_compare_segments_key_whose_levels_come_and_go_finds_nothing_in_it(frame):
    names = frame["shop"] + np.where(
        frame["shop"].astype(int) < 50, "/" + frame["period"].astype(str), ""
    )
    volume = run(frame.assign(shop=names)).query("measure == 'volume'")
    assert (~volume["segment"].str.contains("/")).sum() == 150
    assert volume["change"].isna().all()
    assert not volume["found"].any()


@pytest.mark.parametrize("kept", [3, 0])
def test_compare_segments_short_past_is_not_enough_data(frame, kept):
    tests = run(frame[frame["period"] <= kept])
    assert tests["p_value"].isna().all()
    assert not tests["is_enough"].any()


def test_compare_segments_few_rows_are_not_enough_data():
    tests = run(rows(per_cell=1))
    assert not tests["is_enough"].any()
    assert tests.query("measure != 'volume'")["p_value"].isna().all()


def test_compare_segments_empty_window_is_no_segments_fault(frame):
    tests = run(frame[frame["period"] > 0])
    assert tests["p_value"].isna().all()
    assert tests["change"].isna().all()


def test_compare_segments_missing_level_is_a_segment(frame):
    frame.loc[now(frame, "7"), "shop"] = None
    assert ("shop=(missing)", "volume", "") in found(frame)


def test_compare_segments_key_of_two_columns_finds_what_each_alone_hides(frame):
    frame["day"] = frame.index % 7
    both = (frame["shop"] == "7") & (frame["day"] == 2)
    frame = frame[~both | (frame["period"] == 0)]
    tests = run(frame, keys=[("shop",), ("day",), ("shop", "day")], min_rows=3)
    changes = tests[tests["change"].notna()]
    assert changes["segment"].tolist() == ["shop=7, day=2"]


def test_compare_segments_same_rows_give_the_same_bits(frame):
    pd.testing.assert_frame_equal(run(frame), run(frame))
