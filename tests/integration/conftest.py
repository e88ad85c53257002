"""Real demos in homes of their own."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ratchet.settings import Settings

PATIENCE_S = 1200  # where other tests keep all cores busy, a demo takes several times its own
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
ANY_PORT = "0"  # several processes run tests at once: all would take the preferred port for free


class Demo:
    """`ratchet demo --no-ui` as a process, in one home."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home = home
        self.settings = Settings(home=home, use_cases=Settings.load().use_cases)
        self._command = [sys.executable, "-m", "ratchet", "demo", "--no-ui", *arguments]
        self._output = home / "output.txt"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "RATCHET_HOME": str(self.home),
            "RATCHET_PORT": ANY_PORT,
            "COLUMNS": "120",
        }

    def start(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                self._command, env=self.environment, stdout=output, stderr=output
            )

    def finish(self) -> int:
        assert self.process is not None
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not done after {PATIENCE_S} s:\n{self.output}") from None

    def run(self) -> int:
        self.start()
        return self.finish()

    def services(self, level: int | None = None) -> dict[str, int]:
        """Process ids of the running services by name."""
        home = self.home if level is None else self.home / f"level-{level}"
        record = home / "airflow" / "services.json"
        return {n: pid for n, (pid, _) in json.loads(record.read_text()).items()}

    def task(self, name: str) -> psutil.Process | None:
        """The process that runs a task now; Airflow titles it with the task instance's id."""
        query = "select id from task_instance where task_id = ? and state = 'running'"
        try:
            with sqlite3.connect(
                f"file:{self.home}/airflow/airflow.db?mode=ro", uri=True
            ) as database:
                titles = {
                    f"airflow worker -- {uuid.UUID(found)}"
                    for (found,) in database.execute(query, [name])
                }
            family = psutil.Process(self.services()["scheduler"]).children(recursive=True)
            return next((p for p in family if " ".join(p.cmdline()).strip() in titles), None)
        except (OSError, KeyError, sqlite3.Error, psutil.NoSuchProcess):
            return None  # Airflow is still starting, or the task has just ended

    def wait_for(self, condition: Callable[[], object]) -> object:
        """Wait until something is so while the demo runs; return it."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            assert self.process is not None
            if found := condition():
                return found
            assert self.process.poll() is None, f"the demo ended:\n{self.output}"
            time.sleep(0.02)
        raise AssertionError(f"waited in vain:\n{self.output}")

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)
        from ratchet.orchestration.stack import LocalAirflow

        for home in (self.home, *self.home.glob("level-*")):
            LocalAirflow(Settings(home, self.settings.use_cases)).stop()


@pytest.fixture(scope="session")
def make_demo() -> Iterator[Callable[..., Demo]]:
    """Make demos that are stopped at the end, whatever happens."""
    made: list[Demo] = []

    def make(home: Path, *arguments: str) -> Demo:
        made.append(Demo(home, *arguments))
        return made[-1]

    yield make
    for demo in made:
        demo.stop()


@pytest.fixture(scope="session")
def undisturbed(make_demo, tmp_path_factory) -> Demo:
    """A demo of one week that nobody disturbed."""
    demo = make_demo(tmp_path_factory.mktemp("undisturbed"), "--weeks", "1")
    status = demo.run()
    assert status == 0, demo.output
    return demo


@pytest.fixture(scope="module")
def airflow(undisturbed) -> Iterator:
    """The Airflow that ran the undisturbed demo."""
    from ratchet.orchestration.stack import LocalAirflow

    airflow = LocalAirflow(undisturbed.settings)
    for _ in airflow.start():
        pass
    yield airflow
    airflow.stop()


@pytest.fixture
def page(airflow) -> Iterator:
    """A browser's page, logged in."""
    from ratchet.orchestration.stack import USER

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
