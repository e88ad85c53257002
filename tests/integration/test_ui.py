"""What a person sees in Airflow's own pages, in a real browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ratchet.orchestration.stack import USER, LocalAirflow

pytestmark = pytest.mark.integration

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def airflow(undisturbed) -> Iterator[LocalAirflow]:
    airflow = LocalAirflow(undisturbed.settings)
    for _ in airflow.start():
        pass
    yield airflow
    airflow.stop()


@pytest.fixture
def page(airflow) -> Iterator:
    if CHROMIUM is None:
        pytest.skip("needs a Chromium on PATH (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{airflow.url}/auth/login")
        page.get_by_label("Username").fill(USER)
        page.get_by_label("Password").fill(airflow.password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "/auth/" not in url)
        yield page
        browser.close()


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
