import duckdb
import numpy as np
import pandas as pd
import pytest

from ratchet.training import count_bins, count_levels

VALUES = [1.0, 2.0, np.nan, np.inf, -np.inf, None, -1e70, 1e70, 1.5]


@pytest.fixture
def connection():
    with duckdb.connect() as opened:
        opened.execute("create table rows (x double, y double, shop varchar)")
        opened.executemany(
            "insert into rows values (?, ?, ?)",
            [(x, 0.0, "b" if at % 3 else None) for at, x in enumerate(VALUES)],
        )
        yield opened


def test_count_bins_an_edge_belongs_below_and_what_is_not_finite_to_no_bin(connection):
    found = count_bins(connection, "rows", {"x": [1.0, 1.5, 2.0], "y": []})[()]
    assert found["x"].counts.tolist() == [2, 1, 1, 1]  # -1e70 and 1; 1.5; 2; 1e70
    assert (found["x"].missing, found["x"].non_finite) == (1, 3)
    assert (found["y"].counts.tolist(), found["y"].missing) == ([len(VALUES)], 0)


def test_count_bins_what_has_no_finite_square_is_not_finite(connection):
    huge = "(select unnest([1.0, 1e300, -1e300, 1.7e308]) as x)"
    found = count_bins(connection, huge, {"x": [0.0]})[()]["x"]
    assert (found.counts.tolist(), found.missing, found.non_finite) == ([0, 1], 0, 3)


def test_count_bins_by_group_is_that_of_each_groups_rows(connection):
    grouped = count_bins(connection, "rows", {"x": [1.5]}, ["shop"])
    assert set(grouped) == {("b",), (None,)}
    alone = count_bins(connection, "(from rows where shop is null)", {"x": [1.5]})[()]["x"]
    found = grouped[(None,)]["x"]
    assert found.counts.tolist() == alone.counts.tolist()
    assert found[1:] == alone[1:]


def test_count_bins_no_rows_or_no_columns_is_nothing(connection):
    assert count_bins(connection, "(from rows where false)", {"x": [1.0]}) == {}
    assert count_bins(connection, "rows", {}) == {}


def test_count_bins_column_without_any_value_is_all_missing(connection):
    found = count_bins(connection, "(select null::double as x from rows)", {"x": [1.0]})[()]["x"]
    assert (found.counts.tolist(), found.missing) == ([0, 0], len(VALUES))


def test_count_bins_agrees_with_numpy():
    rng = np.random.default_rng(5)
    values = rng.normal(size=5000).round(2)
    edges = np.unique(np.quantile(values, np.linspace(0.01, 0.99, 50)))
    with duckdb.connect() as connection:
        connection.register("rows", pd.DataFrame({"x": values}))
        found = count_bins(connection, "rows", {"x": edges.tolist()})[()]["x"]
    assert found.counts.tolist() == np.bincount(np.searchsorted(edges, values, "left")).tolist()


def test_count_levels_are_text_and_missing_is_none(connection):
    assert count_levels(connection, "rows", "shop") == {(): {"b": 6, None: 3}}
    assert count_levels(connection, "(select true as x)", "x") == {(): {"true": 1}}
    assert count_levels(connection, "(from rows where false)", "shop") == {}
    by_group = count_levels(connection, "rows", "shop", ["'all'"])
    assert by_group == {("all",): {"b": 6, None: 3}}
