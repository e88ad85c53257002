"""The same rows come out, in whatever order windows are built."""

from pathlib import Path

import duckdb
import pytest
from three_weeks import BASE, LATER, build_all, prepare

from ratchet.settings import Settings
from ratchet.spec import Spec

FIRST, SECOND, THIRD = LATER


@pytest.fixture(scope="module")
def shuffled(
    flights_spec: Spec, flights_inbox: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    settings = prepare(flights_spec, flights_inbox, tmp_path_factory.mktemp("shuffled"))
    for window in (BASE, THIRD, FIRST, SECOND):
        build_all(flights_spec, window, settings)
    return settings


def tables(settings: Settings) -> list[str]:
    with duckdb.connect(settings.lake("flights").published, read_only=True) as connection:
        found = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() "
            "where schema_name in ('bronze', 'silver', 'gold') order by all"
        ).fetchall()
    return [name for (name,) in found]


def test_windows_in_any_order_give_the_rows_of_all_at_once(three_weeks, shuffled):
    assert tables(shuffled) == tables(three_weeks)
    assert {"silver.int_flights__rates", "gold.feat_flights"} <= set(tables(shuffled))
    with duckdb.connect() as connection:
        for name, settings in (("whole", three_weeks), ("parts", shuffled)):
            path = settings.lake("flights").published
            connection.execute(f"attach '{path}' as {name} (read_only)")
        for table in tables(shuffled):
            whole, parts, different = connection.execute(
                f"""
                select
                    (select count(*) from whole.{table}),
                    (select count(*) from parts.{table}),
                    (select count(*) from (from whole.{table} except all from parts.{table}))
                """
            ).fetchone()
            assert whole > 0, f"{table} is empty: nothing was compared"
            assert (parts, different) == (whole, 0), table
