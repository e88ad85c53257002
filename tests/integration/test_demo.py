"""The loop in a real Airflow: what it leaves behind, shows in a browser, and survives."""

import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import psutil
import pytest

from ratchet.ledger import Ledger
from ratchet.registry.tracking import ANCHOR, connect
from ratchet.window import Window

pytestmark = pytest.mark.integration

HISTORY = Window.parse("2012-12-31T0000--2013-03-01T0000")
WEEK = Window.parse("2013-03-01T0000--2013-03-08T0000")
GOLD = ("feat_flights", "fct_outcomes")
TIMED = ("fast_enough", "small_enough")


def airflow_rows(home, query):
    path = f"file:{home / 'airflow' / 'airflow.db'}?mode=ro"
    with sqlite3.connect(path, uri=True, timeout=60) as database:  # Airflow may be writing
        return database.execute(query).fetchall()


def gold_of(demo):
    published = demo.settings.lake("flights").published
    with duckdb.connect(str(published), read_only=True) as connection:
        return {
            table: connection.sql(f"select * from gold.{table} order by flight_id").df()
            for table in GOLD
        }


def predictions_of(demo):
    folder = demo.settings.lake("flights").predictions
    return pd.concat(pd.read_parquet(path) for path in sorted(folder.glob("*.parquet")))


def decisions_of(demo):
    ledger = Ledger(demo.settings.lake("flights").ledger)
    return [repeatable(decision.model_dump(mode="json")) for decision in ledger.decisions()]


def repeatable(value):
    """Leave out what no two runs share: how long a model took, its memory, and hashes of that."""
    if isinstance(value, list):
        return [repeatable(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("name") in TIMED:
        return {"name": value["name"], "passed": value["passed"]}
    left_out = ("release_sha256", "files", "run")  # Airflow names runs by the time of day
    return {
        name: repeatable(each)
        for name, each in value.items()
        if name not in left_out and not name.endswith(("_ms", "_mb"))
    }


def registry_of(demo):
    client = connect(demo.settings)
    versions = client.search_model_versions("name='flights'")
    aliases = client.get_registered_model("flights").aliases
    return {
        "versions": sorted(
            (v.version, *sorted((k, tag) for k, tag in v.tags.items() if k != ANCHOR))
            for v in versions
        ),
        "aliases": aliases,
    }


def test_demo_undisturbed_leaves_green_runs_with_logical_dates_in_2013(undisturbed):
    runs = airflow_rows(
        undisturbed.home, "select dag_id, state, logical_date, partition_key, run_type from dag_run"
    )
    assert {state for _, state, *_ in runs} == {"success"}
    refined = [(date, kind) for dag, _, date, _, kind in runs if dag == "flights__refine_data"]
    assert sorted(date[:10] for date, _ in refined) == ["2013-02-22", "2013-03-01"]
    assert {kind for _, kind in refined} == {"manual", "backfill"}
    chained = {(dag, key) for dag, _, _, key, kind in runs if kind == "asset_triggered"}
    assert {("flights__score_window", HISTORY.key), ("flights__score_window", WEEK.key)} <= chained
    assert ("flights__train_candidate", HISTORY.key) in chained


def test_demo_undisturbed_promotes_a_first_champion_and_scores_with_it(undisturbed):
    kinds = {(d["kind"], d["window"]): d["verdict"] for d in decisions_of(undisturbed)}
    assert kinds[("retrain", HISTORY.key)] == "requested"
    assert kinds[("release", HISTORY.key)] == "accepted"
    assert kinds[("promotion", HISTORY.key)] == "promoted"
    assert kinds[("data", WEEK.key)] == "accepted"
    scored = predictions_of(undisturbed)
    decided = scored[scored["is_decision"]]
    assert set(decided.loc[decided["window"] == HISTORY.key, "role"]) == {"rule"}
    assert set(decided.loc[decided["window"] == WEEK.key, "role"]) == {"champion"}


def test_demo_undisturbed_prints_a_summary_and_writes_it_as_a_page(undisturbed):
    assert "password" in undisturbed.output
    assert "assumption" in undisturbed.output
    page = (undisturbed.home / "reports" / "flights.html").read_text()
    assert "<svg" in page
    assert not re.search(r"""(src|href)=["']https?://""", page)


def test_demo_run_again_does_nothing_twice(undisturbed):
    before = decisions_of(undisturbed), registry_of(undisturbed)
    runs = airflow_rows(undisturbed.home, "select count(*) from dag_run")
    assert undisturbed.run() == 0, undisturbed.output
    assert (decisions_of(undisturbed), registry_of(undisturbed)) == before
    assert airflow_rows(undisturbed.home, "select count(*) from dag_run") == runs


def test_demo_killed_in_three_places_ends_as_if_undisturbed(undisturbed, make_demo, tmp_path):
    demo = make_demo(tmp_path, "--weeks", "1")

    demo.start()  # a task, in the middle of a build: Airflow runs it again
    demo.wait_for(lambda: demo.task("build_silver")).kill()
    demo.wait_for(lambda: demo.task("train_candidate"))  # the scheduler, during training
    psutil.Process(demo.services()["scheduler"]).kill()
    assert demo.finish() == 1
    assert "scheduler ended" in demo.output

    demo.start()  # the demo itself and the task that registers, leaving the services behind
    demo.wait_for(lambda: demo.task("evaluate_candidates")).kill()
    demo.process.kill()
    demo.process.wait()

    assert demo.run() == 0, demo.output
    for table, expected in gold_of(undisturbed).items():
        pd.testing.assert_frame_equal(gold_of(demo)[table], expected)
    pd.testing.assert_frame_equal(predictions_of(demo), predictions_of(undisturbed))
    assert decisions_of(demo) == decisions_of(undisturbed)
    assert registry_of(demo) == registry_of(undisturbed)


def test_demo_interrupted_stops_every_service(make_demo, tmp_path):
    demo = make_demo(tmp_path, "--weeks", "0")
    demo.start()
    demo.wait_for(lambda: (tmp_path / "airflow" / "services.json").exists())
    services = [psutil.Process(pid) for pid in demo.services().values()]
    demo.process.send_signal(signal.SIGINT)
    assert demo.finish() == 130
    assert not [service for service in services if service.is_running()]
    assert "interrupted" in demo.output


def test_demo_at_level_0_waits_for_a_person_and_goes_on_with_the_answer(make_demo, tmp_path):
    demo = make_demo(tmp_path, "--level", "0", "--weeks", "0")
    demo.start()
    demo.wait_for(lambda: "make approve LEVEL=0" in demo.output)
    answer = [sys.executable, "-m", "ratchet", "approve", "--level", "0", "--reason", "looks right"]
    subprocess.run(answer, check=True, env=demo.environment)
    assert demo.finish() == 0, demo.output
    home = tmp_path / "level-0"
    approval, *_ = Ledger(home / "lake" / "flights" / "ledger").decisions("approval")
    assert (approval.verdict, approval.author) == ("approved", "admin")
    assert "looks right" in approval.reasons[0]
    assert (home / "airflow" / "airflow.cfg").stat().st_mode & 0o077 == 0


def test_ui_shows_every_dag_with_owner_and_tags(page, airflow, tmp_path: Path):
    page.goto(f"{airflow.url}/dags")
    for name in ("refine_data", "score_window", "monitor_champion", "train_candidate"):
        page.get_by_text(f"flights__{name}").first.wait_for()
    page.get_by_text("level-2").first.wait_for()
    page.screenshot(path=tmp_path / "dags.png")


def test_ui_shows_a_dag_with_its_docs_and_its_run_of_2013(page, airflow, tmp_path: Path):
    page.goto(f"{airflow.url}/dags/flights__refine_data/runs")
    page.get_by_text("2013-03-01").first.wait_for()
    page.goto(f"{airflow.url}/dags/flights__refine_data")
    page.get_by_role("button", name="Dag Docs").click()
    page.get_by_text("Safe to re-run because").first.wait_for()
    page.screenshot(path=tmp_path / "docs.png")


def test_ui_shows_assets_that_chain_the_dags(page, airflow, tmp_path: Path):
    page.goto(f"{airflow.url}/assets")
    for path in ("gold/feat_flights", "gold/fct_predictions", "requests/retraining"):
        page.get_by_text(f"flights/{path}").first.wait_for()
    page.screenshot(path=tmp_path / "assets.png")


def test_ui_answers_nobody_without_a_login(airflow):
    import httpx

    assert httpx.get(f"{airflow.url}/api/v2/dags").status_code == 401
