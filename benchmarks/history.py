"""What one more week costs at week 50 of the year, against week 11.

Runs the loop through all of 2013, without Airflow but like it in forks of a process that has loaded
the libraries, one for each week: a process that lives for a year would look again and again, for
garbage, through all that its libraries remember. Airflow's LocalExecutor freezes what there is
before it forks, so that its tasks do not; so do we.

A machine that others share may take half as long again in December as in March, of the wall or of
the CPU. So the home is kept as it was before each of the weeks that are compared; these then run
again from there, an early one and a late one in turn, and the ratio is of the medians of their CPU
seconds. As the policy does not train in every week, whole weeks are compared among those that
trained, the three nearest to week 11 with the three nearest to week 50, and so is what did not
train in them.

    python benchmarks/history.py
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from loop import prepare, run_window

from ratchet.orchestration.replay import windows
from ratchet.settings import PROJECT, Settings
from ratchet.spec import Spec
from ratchet.warehouse import warm
from ratchet.window import Window

sys.path.insert(0, str(PROJECT / "plugins"))
from preload import HEAVY

TRAINS = ("snapshot", "check_snapshot", "train_", "evaluate", "register", "promote", "card")
EARLY, LATE, REACH = 11, 50, 5


def in_a_fork(spec: Spec, window: Window, settings: Settings) -> dict[str, float]:
    """Return the CPU seconds of each stage of a window."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def run() -> None:
        sender.send(run_window(spec, window, settings, time.process_time))

    child = context.Process(target=run)
    child.start()
    sender.close()
    try:
        return receiver.recv()
    finally:
        child.join()


def nearest(weeks: dict[int, Window], middle: int) -> list[Window]:
    """Return the three windows whose weeks are nearest to one."""
    return [weeks[week] for week in sorted(weeks, key=lambda week: abs(week - middle))[:3]]


def through_the_year(
    spec: Spec, settings: Settings, kept: Path
) -> tuple[list[Window], list[Window]]:
    """Run the year; return the early and the late weeks to compare, whose homes are kept."""
    trained: dict[int, Window] = {}
    for window in windows(spec):
        is_last_year = window.end.year > spec.schedule.start.year
        week = 53 if is_last_year else window.end.isocalendar().week
        is_near = min(abs(week - EARLY), abs(week - LATE)) <= REACH
        if is_near and window.start >= spec.schedule.start:
            shutil.copytree(settings.home, kept / window.key)
        seconds = in_a_fork(spec, window, settings)
        if (kept / window.key).exists() and "evaluate" in seconds:
            trained[week] = window
        print_seconds(window, seconds)
    return nearest(trained, EARLY), nearest(trained, LATE)


def print_seconds(window: Window, seconds: dict[str, float]) -> None:
    """Print what a window took."""
    parts = "  ".join(f"{name} {value:.2f}" for name, value in seconds.items())
    print(f"{window}  {sum(seconds.values()):6.2f} CPU s  {parts}", flush=True)


def again(spec: Spec, window: Window, settings: Settings, kept: Path) -> dict[str, float]:
    """Run a window again from its home as it was before; return the CPU seconds of each stage."""
    shutil.rmtree(settings.home)
    shutil.copytree(kept / window.key, settings.home)  # the same place: MLflow keeps whole paths
    seconds = in_a_fork(spec, window, settings)
    print_seconds(window, seconds)
    return seconds


def main() -> None:
    """Run the year and a row for each week, the weeks to compare again, then print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="of each week that is compared")
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "kept"
        spec, settings = prepare(Path(folder) / "home")
        for name in HEAVY:
            importlib.import_module(name)
        warm()
        sides = through_the_year(spec, settings, kept)
        print("the same weeks again, in turn", flush=True)
        found: tuple[list[dict[str, float]], ...] = ([], [])
        for _ in range(repeats):
            for pair in zip(*sides, strict=True):
                for window, of in zip(pair, found, strict=True):
                    of.append(again(spec, window, settings, kept))
    for label, without in (("weeks that train", ()), ("what does not train", TRAINS)):
        early, late = (
            median(
                sum(v for name, v in each.items() if not name.startswith(without)) for each in side
            )
            for side in found
        )
        print(f"{label}: {late:.2f} CPU s against {early:.2f}, ratio {late / early:.2f}")
    for name in dict.fromkeys(name for side in found for each in side for name in each):
        early, late = (median(each.get(name, 0.0) for each in side) for side in found)
        print(f"  {name}: {late:.2f} against {early:.2f}")


if __name__ == "__main__":
    main()
