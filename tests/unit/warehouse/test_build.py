import json
import os
import shutil
import subprocess
import sys

import duckdb
import pytest
from three_weeks import BASE, LATER, LAYERS, build_all

from ratchet.errors import BuildError
from ratchet.ledger import Ledger
from ratchet.quality import Finding, write_findings
from ratchet.warehouse import BuildReport, build, invocation, open_blocks, publish, unblock
from ratchet.window import Window

LAST = LATER[-1]


def test_build_of_every_layer_reports_what_ran(three_weeks, flights_spec):
    folder = three_weeks.lake("flights").work(LAST) / "dbt"
    for layer in LAYERS:
        report = BuildReport.model_validate_json((folder / layer / "report.json").read_bytes())
        assert (report.layer, report.window) == (layer, LAST.key)
        assert report.models >= 7
        assert report.tests >= 1
        assert set(report.subject) == {"landing", "code"}


def test_build_leaves_no_lock_and_no_environment(three_weeks):
    code = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('from gold.feat_flights')"
    warehouse = str(three_weeks.lake("flights").warehouse)
    subprocess.run([sys.executable, "-c", code, warehouse], check=True)
    assert "RATCHET_WAREHOUSE" not in os.environ


def test_log_of_a_build_names_each_model_and_shows_no_query(three_weeks, flights_spec):
    folder = three_weeks.lake("flights").work(LAST) / "dbt" / "gold"
    log = (folder / "dbt.log").read_text()
    assert "START sql view model gold.mon_signals" in log
    assert "Completed successfully" in log
    assert "create or replace view" not in log
    assert "\x1b" not in log


def test_view_takes_the_place_of_a_table_and_then_of_itself(copy, flights_spec):
    warehouse = copy.lake("flights").warehouse
    query = "select view_name from duckdb_views() where view_name = 'mon_signals'"
    with duckdb.connect(warehouse) as connection:
        connection.execute("drop view gold.mon_signals")
        connection.execute("create table gold.mon_signals as select 1 as number")
    for _ in range(2):
        build(flights_spec, LAST, "gold", copy, "run")
        with duckdb.connect(warehouse, read_only=True) as connection:
            assert connection.execute(query).fetchall() == [("mon_signals",)]
            assert "number" not in connection.execute("from gold.mon_signals").df().columns


def test_view_that_breaks_its_contract_is_not_built(copy, flights_spec, tmp_path, monkeypatch):
    project = tmp_path / "dbt_project"
    shutil.copytree(invocation.DBT_PROJECT, project)
    model = project / "models/gold/_shared/mon_failed_rows.sql"
    model.write_text(model.read_text().replace("select", "select 1 as not_agreed,", 1))
    monkeypatch.setattr(invocation, "DBT_PROJECT", project)
    with pytest.raises(
        BuildError, match=r"mon_failed_rows .* has an enforced contract that failed"
    ):
        build(flights_spec, LAST, "gold", copy, "run")
    with duckdb.connect(copy.lake("flights").warehouse, read_only=True) as connection:
        assert "not_agreed" not in connection.execute("from gold.mon_failed_rows").df().columns


def test_build_of_a_window_that_has_not_landed_is_refused(three_weeks, flights_spec):
    with pytest.raises(BuildError, match="2013-02-01 → 2013-02-08 has not landed: land it first"):
        build(
            flights_spec,
            Window.parse("2013-02-01T0000--2013-02-08T0000"),
            "bronze",
            three_weeks,
            "run",
        )


def test_build_of_silver_without_bronze_names_what_is_missing(copy, flights_spec):
    copy.lake("flights").warehouse.unlink()
    with pytest.raises(BuildError) as raised:
        build(flights_spec, BASE, "silver", copy, "run")
    assert "silver/flights/int_flights__movements.sql) failed" in str(raised.value)
    assert 'schema "bronze" does not exist' in str(raised.value)


def test_build_with_a_failing_test_blocks_until_the_data_is_right(copy, three_weeks, flights_spec):
    lake = copy.lake("flights")
    accepted = lake.landing("movements", LAST) / "accepted.parquet"
    right = accepted.read_bytes()
    with duckdb.connect() as connection:
        connection.execute(f"create table fewer as from read_parquet('{accepted}') offset 7")
        connection.execute(f"copy fewer to '{accepted}' (format parquet)")

    report = build(flights_spec, LAST, "bronze", copy, "run")

    (cause,) = report.causes
    assert cause.name == "stg_flights__movements_holds_what_landed"
    assert (cause.on, cause.rows) == (("stg_flights__movements",), 1)
    landed, kept = duckdb.execute(
        f"select accepted_rows, bronze_rows from read_parquet('{lake.root / cause.rows_path}')"
    ).fetchone()
    assert landed - kept == 7
    (lake.work(LAST) / "dbt" / "silver" / "report.json").unlink()
    with pytest.raises(BuildError, match="silver is not built: build it first"):
        publish(flights_spec, LAST, copy)

    accepted.write_bytes(right)
    build_all(flights_spec, LAST, copy)
    with duckdb.connect(lake.published, read_only=True) as connection:
        connection.execute(f"attach '{three_weeks.lake('flights').published}' as before")
        other = connection.execute(
            "from before.gold.feat_flights except all from gold.feat_flights"
        )
        assert other.fetchall() == []
        # the same data and code, as the manifests say, and another end
        assert connection.execute(
            "select name, passed_builds, failed_builds from gold.mon_flaky"
        ).fetchall() == [(cause.name, 1, 1)]
        assert connection.execute(
            "select name, windows, failed_windows, is_failing_now from gold.mon_most_failed"
        ).fetchall() == [(cause.name, 1, 1, False)]
        (row,) = connection.execute("select content from gold.mon_failed_rows").fetchone()
        assert json.loads(row)["accepted_rows"] == landed
    verdicts = [decision.verdict for decision in Ledger(lake.ledger).decisions("data")]
    assert verdicts == ["accepted"]


def test_build_error_on_a_blocked_feed_is_blocked_and_the_rest_goes_on(
    copy, three_weeks, flights_spec
):
    lake = copy.lake("flights")
    accepted = lake.landing("weather", LAST) / "accepted.parquet"
    right = accepted.read_bytes()
    accepted.write_bytes(b"no parquet")
    fault = Finding(check="landing", subject="weather", state="found", rows=0, text="cut off")
    write_findings(flights_spec, LAST, "landing", [fault], copy)

    report = build(flights_spec, LAST, "bronze", copy, "run")
    error = next(c for c in report.causes if c.name == "build_error:stg_flights__weather")
    assert error.on == ("stg_flights__weather",)
    assert "too small to be a Parquet file" in str(error.error)

    with duckdb.connect(lake.warehouse) as connection:  # and what reads it can't run either
        rename = "alter table bronze.stg_flights__weather rename column humidity_pct to humid"
        connection.execute(rename)
    report = build(flights_spec, LAST, "silver", copy, "run")
    assert [c.name for c in report.causes] == ["build_error:int_flights__weather"]
    build(flights_spec, LAST, "gold", copy, "run")
    assert "gold.feat_flights is blocked by " in str(publish(flights_spec, LAST, copy).blocked)

    blocks = open_blocks(flights_spec, copy)
    tables = {block.table_name for block in blocks}
    assert "silver.int_flights__weather" in tables
    assert not any("movements" in table or "outcomes" in table for table in tables)
    (block,) = (
        b for b in blocks if b.blocked_by == error.name and b.table_name == "gold.feat_flights"
    )
    assert block.reason == error.error
    with pytest.raises(BuildError, match=f"nothing is blocked by '{error.name}'"):
        unblock(flights_spec, LAST, error.name, "why not", "jane", copy)
    assert error.name in Ledger(lake.ledger).decisions("data")[-1].subject["blocked_by"]

    unblock(flights_spec, LAST, fault.name, "never mind", "jane", copy)
    with pytest.raises(BuildError, match="too small to be a Parquet file"):  # no excuse any more
        build(flights_spec, LAST, "bronze", copy, "run")

    accepted.write_bytes(right)
    write_findings(flights_spec, LAST, "landing", [], copy)
    with duckdb.connect(lake.warehouse) as connection:
        connection.execute("alter table bronze.stg_flights__weather rename humid to humidity_pct")
    build_all(flights_spec, LAST, copy)
    assert open_blocks(flights_spec, copy) == []
    with duckdb.connect(lake.published, read_only=True) as connection:
        connection.execute(f"attach '{three_weeks.lake('flights').published}' as before")
        other = "from before.gold.feat_flights except all from gold.feat_flights"
        assert connection.execute(other).fetchall() == []


def test_first_build_is_not_complete_without_a_model_that_was_blocked(copy, flights_spec):
    """Or the windows before would be missing for good, once its cause is gone."""
    lake = copy.lake("flights")
    lake.warehouse.unlink()
    accepted = lake.landing("weather", LATER[0]) / "accepted.parquet"
    right = accepted.read_bytes()
    accepted.write_bytes(b"no parquet")
    fault = Finding(check="landing", subject="weather", state="found", rows=0, text="cut off")
    write_findings(flights_spec, LAST, "landing", [fault], copy)
    build_all(flights_spec, LAST, copy)
    accepted.write_bytes(right)
    write_findings(flights_spec, LAST, "landing", [], copy)
    build_all(flights_spec, LAST, copy)
    with duckdb.connect(lake.published, read_only=True) as connection:
        query = "select count(distinct _window) from bronze.stg_flights__weather"
        assert connection.execute(query).fetchone() == (4,)


def test_build_with_an_unreadable_landing_names_the_model(copy, flights_spec):
    (copy.lake("flights").landing("weather", LAST) / "accepted.parquet").write_bytes(b"no parquet")
    with pytest.raises(BuildError) as raised:
        build(flights_spec, LAST, "bronze", copy, "run")
    assert "bronze/flights/stg_flights__weather.sql) failed" in str(raised.value)
    assert Ledger(copy.lake("flights").ledger).decisions("data")[-1].verdict == "accepted"
