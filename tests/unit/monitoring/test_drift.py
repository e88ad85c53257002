import duckdb
import numpy as np
import pandas as pd
import pytest

from ratchet.monitoring import Drift, Pair, compare, pair_columns
from ratchet.monitoring.drift import RARE
from ratchet.spec import Spec
from ratchet.spec.types import Feature
from ratchet.training import build_profile

ROWS = 4000
LEVELS = [f"L{level:04d}" for level in range(3000)]


@pytest.fixture
def spec(spec: Spec) -> Spec:
    """The use case with a number and two labels, of which one has thousands of levels."""
    kinds = {"hour": "numeric", "carrier": "categorical", "product": "categorical"}
    features = {name: Feature(kind=kind, known_at="known_at") for name, kind in kinds.items()}
    slices = spec.evaluation.slices.model_copy(update={"columns": ()})
    evaluation = spec.evaluation.model_copy(update={"slices": slices})
    gold = spec.gold.model_copy(update={"features": features})
    return spec.model_copy(update={"gold": gold, "evaluation": evaluation})


def rows_of(seed: int, spec: Spec, rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            spec.gold.decided_at: pd.Timestamp("2013-01-01")
            + np.arange(rows) * pd.Timedelta("15m"),
            spec.gold.label: rng.random(rows) < 0.25,
            "hour": rng.normal(12, 4, rows),
            "carrier": rng.choice(["AA", "UA", "MQ"], rows),
            "product": rng.choice(LEVELS, rows),
            "answer": rng.beta(2, 5, rows),
        }
    )


@pytest.fixture
def profile(spec: Spec):
    rows = rows_of(1, spec, rows=8000)
    return build_profile(spec, rows, rows, rows["answer"])


def pairs_of(profile, frame: pd.DataFrame) -> dict[str, Pair]:
    with duckdb.connect() as connection:
        connection.register("frame", frame)
        return pair_columns(connection, "frame", profile.features)


def drifts_of(profile, frame: pd.DataFrame, spec: Spec) -> dict[str, Drift]:
    found = compare(profile, frame, frame["answer"], spec)
    assert [drift.name for drift in found] == [*spec.gold.features, "prediction"]
    return {drift.name: drift for drift in found}


def test_compare_same_distribution_is_ok(profile, spec):
    found = drifts_of(profile, rows_of(2, spec), spec)
    del found["product"]  # hundreds of groups of few rows: its size is chance, and it has a law
    assert {drift.state for drift in found.values()} == {"ok"}
    assert all(drift.psi is not None and drift.psi < 0.02 for drift in found.values())


def test_compare_shifted_numeric_drifts(profile, spec):
    moved = rows_of(2, spec).assign(hour=lambda rows: rows["hour"] + 4)
    assert drifts_of(profile, moved, spec)["hour"].state == "drift"


def test_compare_unseen_level_drifts(profile, spec):
    moved = rows_of(2, spec).replace({"carrier": {"MQ": "VX"}})
    assert drifts_of(profile, moved, spec)["carrier"].state == "drift"


def test_compare_values_gone_missing_drifts_and_says_how_many(profile, spec):
    thinned = rows_of(2, spec)
    thinned.loc[: ROWS // 4 - 1, "hour"] = np.nan
    hour = drifts_of(profile, thinned, spec)["hour"]
    assert hour.state == "drift"
    assert hour.missing_change == pytest.approx(0.25)


def test_compare_too_few_rows_says_so_instead_of_a_number(profile, spec):
    few = spec.monitoring.min_rows - 1
    found = drifts_of(profile, rows_of(2, spec).head(few), spec)
    assert {(drift.state, drift.psi, drift.rows) for drift in found.values()} == {
        ("insufficient_data", None, few)
    }


def test_compare_column_that_is_empty_now_has_no_psi_but_drifts(profile, spec):
    empty = rows_of(2, spec).assign(hour=np.nan)
    hour = drifts_of(profile, empty, spec)["hour"]
    assert (hour.state, hour.psi, hour.missing_change) == ("drift", None, 1.0)


def test_pair_same_distribution_stays_below_each_limit(profile, spec):
    for pair in pairs_of(profile, rows_of(3, spec)).values():
        measures = [pair.stability(10), pair.information(10), pair.missing()]
        measures += [found for found in (pair.gap(), pair.transport()) if found]
        assert all(found.value <= found.limit for found in measures)
        assert all(found.p_value > 0.001 for found in measures)


def test_pair_new_level_is_a_bin_of_its_own(profile, spec):
    rows = rows_of(3, spec)
    rows.loc[:39, "carrier"] = "VX"
    pair = pairs_of(profile, rows)["carrier"]
    assert (pair.names[-1], pair.before[-1], pair.now[-1]) == ("VX", 0, 40)
    found = pair.stability(10)
    assert found.bins == 4
    assert found.value > found.limit


def test_pair_level_of_what_was_not_all_kept_counts_as_rare(spec, monkeypatch):
    monkeypatch.setattr("ratchet.training.profile.MAX_LEVELS", 2)
    rows = rows_of(1, spec)
    profile = build_profile(spec, rows, rows, rows["answer"])
    pair = pairs_of(profile, rows.replace({"carrier": {"AA": "VX"}}))["carrier"]
    assert (pair.names[-1], len(pair.names)) == (RARE, 3)
    assert pair.now.sum() == ROWS


def test_pair_three_percent_of_nan_are_missing_values(profile, spec):
    rows = rows_of(3, spec)
    rows.loc[: int(0.03 * ROWS) - 1, "hour"] = np.nan
    with duckdb.connect() as connection:
        # a NaN in DuckDB, not a NULL
        connection.execute(
            "create table t as select unnest(?::double[]) as hour", [rows["hour"].tolist()]
        )
        hour = {"hour": profile.features["hour"]}
        pair = pair_columns(connection, "(select hour from t)", hour)["hour"]
    found = pair.missing()
    assert found.value == pytest.approx(0.03)
    assert found.value > found.limit
    assert pair.gap().value < pair.gap().limit


def test_pair_absurd_outlier_makes_no_drift_and_hides_none(profile, spec):
    calm = rows_of(3, spec)
    shifted = calm.assign(hour=lambda rows: rows["hour"] + 1.0)
    for rows, is_drift in ((calm, False), (shifted, True)):
        without = pairs_of(profile, rows)["hour"]
        rows.loc[7, "hour"] = 1e30
        pair = pairs_of(profile, rows)["hour"]
        assert pair.transport().value == pytest.approx(without.transport().value, abs=0.002)
        assert pair.shift == pytest.approx(without.shift, abs=0.01)
        for found in (pair.gap(), pair.transport(), pair.stability(10)):
            assert (found.value > found.limit) == is_drift


def test_pair_shift_of_an_eighth_of_a_spread_is_measured(profile, spec):
    rows = rows_of(3, spec).assign(hour=lambda rows: rows["hour"] + 0.5)
    pair = pairs_of(profile, rows)["hour"]
    assert pair.shift == pytest.approx(0.5, abs=0.15)
    assert pair.transport().value == pytest.approx(0.125, abs=0.04)
    assert pair.tell().startswith("mean 1")


def test_pair_tells_the_level_that_moved_most(profile, spec):
    moved = rows_of(3, spec).replace({"carrier": {"MQ": "UA"}})
    told = pairs_of(profile, moved)["carrier"].tell()
    assert told.startswith(("MQ: 33.", "UA: 33."))
    assert told.endswith((" 0.0% now", " 67.1% now"))


def test_pair_larger_blocks_of_dependent_rows_weigh_no_more(profile, spec):
    rows = pd.concat([rows_of(3, spec)] * 4)
    column = profile.features["hour"]
    design = column.design.model_copy(update={"below": 30.0})
    dependent = column.model_copy(update={"design": design})
    with duckdb.connect() as connection:
        connection.register("frame", rows)
        hour = {"hour": dependent}
        once, in_four = (pair_columns(connection, "frame", hour, days) for days in (7, 28))
    limits = [found["hour"].gap().limit for found in (once, in_four)]
    # the variance of a week's mean is mostly that between weeks, however many rows it has
    assert limits[0] / limits[1] == pytest.approx(2, rel=0.3)


def test_pair_of_labels_has_no_distance(profile, spec):
    pair = pairs_of(profile, rows_of(3, spec))["carrier"]
    assert (pair.gap(), pair.transport(), pair.shift) == (None, None, 0.0)


def test_pair_of_no_rows_has_no_values(profile, spec):
    for pair in pairs_of(profile, rows_of(3, spec).head(0)).values():
        assert (pair.rows, pair.has(1)) == (0, False)
