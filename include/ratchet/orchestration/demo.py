"""`ratchet demo` and `ratchet replay`: the whole loop, from an empty folder to a summary."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ratchet.orchestration.client import AirflowClient, Question
from ratchet.orchestration.pools import pools_of
from ratchet.orchestration.replay import Replay, windows
from ratchet.orchestration.stack import USER, LocalAirflow
from ratchet.settings import Settings
from ratchet.spec import Spec, load_spec
from ratchet.storage import write_atomic

FLAGSHIP = "flights"


def settings_at(level: int | None, settings: Settings, use_case: str = FLAGSHIP) -> Settings:
    """Return the settings for running a use case at a level.

    Parameters
    ----------
    level
        If it is not the one that the spec declares, the spec is copied into a home of its own,
        and its line `level:` is edited there: nothing else tells the levels apart.
    settings
        The settings to start from.
    """
    source = settings.use_cases / f"{use_case}.yaml"
    if level is None or load_spec(source).level == level:
        return settings
    home = settings.home / f"level-{level}"
    text, edits = re.subn(r"(?m)^level: \d", f"level: {level}", source.read_text())
    if edits != 1:
        raise ValueError(f"{source}: expected one line 'level: …', found {edits}")
    write_atomic(home / "use_cases" / source.name, text.encode())
    ledger = f"{settings.ledger.rstrip('/')}/level-{level}" if settings.ledger else None
    return replace(settings, home=home, use_cases=home / "use_cases", ledger=ledger)


def run(
    settings: Settings,
    weeks: int | None,
    *,
    ui: bool,
    console: Console,
    use_case: str = FLAGSHIP,
) -> Path:
    """Run a sample use case through Airflow, print its summary, and write it as a page.

    Parameters
    ----------
    settings
        Where state lies. What is done already is not done again.
    weeks
        How many weekly windows after the history; None for all of 2013.
    ui
        Whether to leave Airflow running, until Ctrl-C, when the summary has been printed.
    console
        Where to print.
    use_case
        flights or block_time.

    Returns
    -------
    The page.

    Raises
    ------
    RatchetError
        If anything failed. Airflow is stopped in any case.
    """
    from ratchet.feeds.sample_flights import write_flights_inbox
    from ratchet.registry import initialise

    spec = load_spec(settings.use_cases / f"{use_case}.yaml")
    airflow = LocalAirflow(settings)
    with _ending_on_signals(), _progress(console) as progress:
        step = progress.add_task("producers write their files", total=None)
        write_flights_inbox(settings.inbox, use_case)
        progress.update(step, description="preparing MLflow's store")
        initialise(settings)
        try:
            for waiting in airflow.start():
                progress.update(step, description=f"starting Airflow: {waiting}")
            progress.remove_task(step)
            _print_login(airflow, console)
            client = AirflowClient(airflow.url, USER, airflow.password)
            for name, slots in pools_of(spec).items():
                client.add_pool(name, slots)
            _advance(spec, settings, airflow, client, weeks, progress, console)
            page = print_summary(spec, settings, console)
            if ui:
                progress.stop()
                console.print(f"\nAirflow goes on running at {airflow.url}. Ctrl-C stops it.")
                _until_interrupted(airflow)
        finally:
            airflow.stop()
    return page


def print_summary(spec: Spec, settings: Settings, console: Console) -> Path:
    """Print what a use case did so far, write the same as an HTML page, and return its path."""
    from ratchet.reporting import render_text, summarise, write_html

    summary = summarise(spec, settings)
    page = settings.home / "reports" / f"{spec.name}.html"
    write_html(summary, page)
    console.print(render_text(summary), highlight=False, markup=False, soft_wrap=True)
    console.print(f"The same as a page: {page}", highlight=False, soft_wrap=True)
    return page


def _advance(
    spec: Spec,
    settings: Settings,
    airflow: LocalAirflow,
    client: AirflowClient,
    weeks: int | None,
    progress: Progress,
    console: Console,
) -> None:
    todo = list(islice(windows(spec), None if weeks is None else weeks + 1))
    bar = progress.add_task("", total=len(todo))

    def ask(question: Question) -> None:
        console.print(
            f"\n[bold]{question.subject}[/]\n{question.body}\n"
            f"Answer in Airflow's UI ({airflow.url}/required_actions), or with one of\n"
            f"  make approve LEVEL={spec.level}\n  make refuse LEVEL={spec.level}\n"
        )

    def tell(what: str) -> None:
        progress.update(bar, description=what)

    replay = Replay(spec, settings, airflow, client, tell, ask)
    replay.wait_for_dags()
    for window in todo:
        replay.advance(window)
        progress.advance(bar)
        if not console.is_terminal:
            console.print(f"{window} done", highlight=False)
    progress.remove_task(bar)


def _print_login(airflow: LocalAirflow, console: Console) -> None:
    console.print(
        f"Airflow: {airflow.url}   user: {USER}   password: {airflow.password}", highlight=False
    )


def _progress(console: Console) -> Progress:
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=console,
        transient=True,
    )


def _until_interrupted(airflow: LocalAirflow) -> None:
    try:
        while not threading.Event().wait(2):
            airflow.check()
    except KeyboardInterrupt:
        return


@contextmanager
def _ending_on_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end things as orderly as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
