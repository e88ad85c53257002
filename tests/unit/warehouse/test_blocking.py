"""A failing test blocks what rests on it, and nothing else, until someone resolves it."""

import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from three_weeks import LATER, build_all

from ratchet.errors import BuildError
from ratchet.ledger import Ledger
from ratchet.quality import Finding, write_findings
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.warehouse import blocking, publish, read_blocks, unblock, why_blocked
from ratchet.warehouse.blocking import UNFINISHED, Cause

_, BAD, GOOD = LATER
TEST = "stg_flights__weather_holds_what_landed"
# by hand, from the models' refs: what reads weather, directly or not
ON_WEATHER = {
    "bronze.stg_flights__weather",
    "silver.int_flights__weather",
    "gold.feat_flights",
    "gold.mon_landing",
    "gold.mon_freshness",
}
# finds the same again where landings are added up
ALSO = "mon_landing_adds_up"
FEATURES, OUTCOMES = "feat_flights", "fct_outcomes"


def rewrite(path: Path, query: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"create table changed as {query.format(path=path)}")
        connection.execute(f"copy changed to '{path}' (format parquet)")


def copied(settings: Settings, folder: Path) -> Settings:
    shutil.copytree(settings.home / "lake", folder / "lake")
    return Settings(folder, folder)


def rows(settings: Settings, query: str, *, of: str = "published") -> list[tuple]:
    path = getattr(settings.lake("flights"), of)
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute(query).fetchall()


def weather_of(settings: Settings, *, of: str = "published") -> int:
    query = f"select count(*) from bronze.stg_flights__weather where _window = '{BAD.key}'"
    return rows(settings, query, of=of)[0][0]


def content(settings: Settings, table: str) -> pa.Table:
    path = settings.lake("flights").published
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute(f"from {table} order by all").to_arrow_table()


@pytest.fixture(scope="module")
def blocked(
    three_weeks: Settings, flights_spec: Spec, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Return a lake in which a window was refined again after seven rows of weather were lost.

    Some arrivals of it were corrected, too, which has nothing to do with the weather.
    """
    settings = copied(three_weeks, tmp_path_factory.mktemp("blocked"))
    lake = settings.lake("flights")
    rewrite(lake.landing("weather", BAD) / "accepted.parquet", "from '{path}' offset 7")
    rewrite(
        lake.landing("movements", BAD) / "accepted.parquet",
        "select * replace (if(event = 'arrived' and delay_min = 40, 2000, delay_min) as delay_min) "
        "from '{path}'",
    )
    build_all(flights_spec, BAD, settings)
    return settings


@pytest.fixture(scope="module")
def followed(
    blocked: Settings, flights_spec: Spec, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Return the lake after the next window, in which all is well."""
    settings = copied(blocked, tmp_path_factory.mktemp("followed"))
    build_all(flights_spec, GOOD, settings)
    return settings


def test_failing_test_blocks_what_rests_on_it_and_nothing_else(blocked, flights_spec):
    blocks = read_blocks(flights_spec, blocked)
    assert {b.table_name for b in blocks if b.blocked_by == TEST} == ON_WEATHER
    assert {b.table_name for b in blocks if b.blocked_by == ALSO} == {"gold.mon_landing"}
    assert {(b.window, b.state, b.rows) for b in blocks} == {(BAD.key, "blocked", 1)}
    decision = Ledger(blocked.lake("flights").ledger).decisions("data")[-1]
    assert (decision.window, decision.verdict) == (BAD.key, "blocked")
    assert decision.reasons == [f"{t} found 1 rows that must not be there" for t in (TEST, ALSO)]


def test_blocked_tables_keep_their_last_good_content_and_others_are_published(blocked, three_weeks):
    assert weather_of(blocked, of="warehouse") + 7 == weather_of(blocked) > 0
    for table in sorted(ON_WEATHER):
        assert content(blocked, table).equals(content(three_weeks, table)), table
    corrected = "select count(*) from gold.fct_outcomes where arrival_delay_min = 2000"
    assert rows(three_weeks, corrected) == [(0,)]
    assert rows(blocked, corrected)[0][0] > 0


def test_tasks_on_blocked_tables_are_told_why_and_others_are_not(blocked, flights_spec):
    reason = why_blocked(flights_spec, BAD, (FEATURES, OUTCOMES), blocked)
    assert reason is not None
    assert f"gold.feat_flights is blocked by {TEST} (1 rows) in 2013-01-14 → 2013-01-18" in reason
    assert why_blocked(flights_spec, BAD, (OUTCOMES,), blocked) is None
    # what was published before still stands
    assert why_blocked(flights_spec, LATER[0], (FEATURES,), blocked) is None
    assert why_blocked(flights_spec, GOOD, (FEATURES,), blocked) is not None


def test_blocks_are_a_table_of_gold_with_the_rows_that_were_found(blocked):
    query = (
        "select blocked_window, table_name, blocked_by, state, found_rows, rows_path, "
        "blocked_since_at::varchar, reason from gold.mon_blocks where table_name like 'gold.f%'"
    )
    (block,) = rows(blocked, query)
    path = f"work/{BAD.key}/dbt/bronze/failed/{TEST}.parquet"
    since = "2013-01-18 00:00:00"
    assert block == (BAD.key, "gold.feat_flights", TEST, "blocked", 1, path, since, None)
    found = blocked.lake("flights").root / path
    landed, held = duckdb.execute(
        f"select accepted_rows, bronze_rows from read_parquet('{found}')"
    ).fetchone()
    assert landed - held == 7


def test_next_window_brings_no_row_of_the_blocked_one_and_waits(followed, flights_spec):
    assert {b.window for b in read_blocks(flights_spec, followed) if b.state == "blocked"} == {
        BAD.key,
        GOOD.key,  # the test looks at all windows, so that it finds what was lost again
    }
    assert weather_of(followed) == weather_of(followed, of="warehouse") + 7
    assert rows(followed, 'select "window", released_by from control.waiting order by 1') == [
        (BAD.key, None),
        (GOOD.key, None),
    ]


def test_accepted_finding_is_recorded_once_and_published_with_the_windows_behind_it(
    followed, flights_spec, tmp_path
):
    settings = copied(followed, tmp_path)
    ledger = Ledger(settings.lake("flights").ledger)
    before = len(ledger.decisions())
    accept = (flights_spec, BAD, TEST, "the station was down", "jane", settings)
    decision = unblock(*accept)
    assert unblock(*accept) == decision
    assert ledger.decisions()[before:] == [decision]
    also = unblock(flights_spec, BAD, ALSO, "follows from it", "jane", settings)
    assert decision.reasons == [f"jane accepts 1 rows of {TEST}: the station was down"]
    # a decision publishes nothing by itself
    assert {b.state for b in read_blocks(flights_spec, settings)} == {"blocked"}

    for window in (GOOD, BAD):  # what one of them found is just what was accepted for the other
        build_all(flights_spec, window, settings)

    assert weather_of(settings) == weather_of(settings, of="warehouse") > 0
    assert why_blocked(flights_spec, GOOD, (FEATURES,), settings) is None
    assert rows(settings, 'select "window", released_by from control.waiting order by 1') == [
        (BAD.key, BAD.key),
        (GOOD.key, BAD.key),
    ]
    # a task that was killed here runs again, and announces the same windows
    assert publish(flights_spec, BAD, settings).windows == (BAD.key, GOOD.key)
    blocks = read_blocks(flights_spec, settings)
    assert {(b.state, b.blocked_by, b.reason) for b in blocks} == {
        ("unblocked", TEST, decision.reasons[0]),
        ("unblocked", ALSO, also.reasons[0]),
    }
    accepted = ledger.decisions("data")[-1]
    assert (accepted.window, accepted.verdict) == (BAD.key, "accepted")
    assert accepted.subject["accepted"] == f"{ALSO}, {TEST}"


def test_accepted_rows_cover_no_other_rows(blocked, flights_spec, tmp_path):
    settings = copied(blocked, tmp_path)
    unblock(flights_spec, BAD, TEST, "looks right", "jane", settings)
    found = next(b for b in read_blocks(flights_spec, settings) if b.blocked_by == TEST).rows_path
    path = settings.lake("flights").root / found
    assert blocking.acceptance_of_rows(flights_spec, TEST, path, settings)
    assert not blocking.acceptance_of_rows(flights_spec, "another_test", path, settings)
    rewrite(path, "select * replace (bronze_rows - 1 as bronze_rows) from '{path}'")
    assert not blocking.acceptance_of_rows(flights_spec, TEST, path, settings)
    rewrite(path, "select *, 1 as added from '{path}'")
    assert not blocking.acceptance_of_rows(flights_spec, TEST, path, settings)


def test_unblocking_what_is_not_blocked_names_what_is(blocked, flights_spec):
    with pytest.raises(BuildError, match=f"nothing is blocked by 'a_typo'; name one of {ALSO}, "):
        unblock(flights_spec, BAD, "a_typo", "why not", "jane", blocked)
    with pytest.raises(BuildError, match="nothing is blocked by"):
        unblock(flights_spec, GOOD, TEST, "why not", "jane", blocked)
    assert Ledger(blocked.lake("flights").ledger).decisions("unblock") == []


def test_window_whose_build_was_killed_is_in_no_copy_that_others_publish(copy, flights_spec):
    before = rows(copy, "select count(*) from gold.feat_flights")
    blocking.begin(flights_spec, BAD, "silver", copy)  # as far as it came
    with duckdb.connect(copy.lake("flights").warehouse) as connection:
        connection.execute("delete from gold.feat_flights")
    publication = publish(flights_spec, GOOD, copy)
    assert publication.windows == ()
    assert UNFINISHED in str(publication.blocked)
    assert rows(copy, "select count(*) from gold.feat_flights") == before
    held = {table for (table,) in rows(copy, "select table_name from control.held")}
    assert "silver.int_flights__rates" in held
    assert not any(table.startswith("bronze.") for table in held)
    with pytest.raises(BuildError, match="nothing is blocked by"):
        unblock(flights_spec, BAD, UNFINISHED, "never mind", "jane", copy)


def test_blocked_table_that_was_never_published_is_not_there(copy, flights_spec):
    copy.lake("flights").published.unlink()
    blocking.begin(flights_spec, BAD, "gold", copy)
    publish(flights_spec, GOOD, copy)
    assert rows(copy, "select * from duckdb_tables() where schema_name = 'gold'") == []
    assert rows(copy, "select count(*) > 0 from silver.int_flights__outcomes") == [(True,)]


def test_finding_on_a_feed_blocks_its_tables_until_it_is_accepted(copy, flights_spec):
    finding = Finding(
        check="units",
        subject="weather",
        column="wind_speed_mph",
        state="found",
        rows=288,
        broken=1,
        observed=1048.0,
        text="1,048 mph at EWR",
    )
    write_findings(flights_spec, GOOD, "feeds", [finding], copy)
    assert publish(flights_spec, GOOD, copy).windows == ()
    blocks = read_blocks(flights_spec, copy)
    assert {block.table_name for block in blocks} == ON_WEATHER
    assert {block.blocked_by for block in blocks} == {"units:weather.wind_speed_mph"}

    unblock(flights_spec, GOOD, finding.name, "a hurricane", "jane", copy)
    assert publish(flights_spec, GOOD, copy).windows == (GOOD.key,)

    worse = finding.model_copy(update={"observed": 2000.0})
    write_findings(flights_spec, GOOD, "feeds", [worse], copy)
    assert publish(flights_spec, GOOD, copy).windows == ()

    write_findings(flights_spec, GOOD, "feeds", [], copy)
    assert publish(flights_spec, GOOD, copy).windows == (GOOD.key,)
    assert {block.state for block in read_blocks(flights_spec, copy)} == {"unblocked"}


def test_blocks_follow_the_reads_of_models_over_layers():
    """By hand: a ─ b ─ d, and c beside them."""
    reads = {
        "bronze": {"a": ("source:x",), "c": ("source:y",)},
        "silver": {"b": ("a",), "e": ("c",)},
        "gold": {"d": ("b", "e")},
    }
    cause = Cause(name="t", on=("a",), rows=1, rows_path="", accepted=None)
    assert set(blocking.downstream(set(cause.on), reads)) == {"bronze.a", "silver.b", "gold.d"}
    assert set(blocking.downstream({"source:y"}, reads)) == {"bronze.c", "silver.e", "gold.d"}
    assert set(blocking.downstream({"d"}, reads)) == {"gold.d"}
    assert set(blocking.downstream({"source:z"}, reads)) == set()
