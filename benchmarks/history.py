"""What one more week costs at week 50 of the year, against week 11.

Runs the loop through all of 2013, without Airflow but like it in forks of a process that has loaded
the libraries, one for each week: a process that lives for a year would look again and again, for
garbage, through all that its libraries remember. Airflow's LocalExecutor freezes what there is
before it forks, so that its tasks do not; so do we. Compares the median of the three weeks nearest
to week 50 with that of those nearest to week 11, in CPU seconds, as a year of wall time never
passes on a quiet machine. As the policy does not train in every week, whole weeks are compared
among those that trained, and what does not train among all.

    python benchmarks/history.py
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
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
EARLY, LATE = 11, 50


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


def near(weeks: dict[int, float], middle: int) -> float:
    """Return the median of the three weeks that are nearest to one."""
    nearest = sorted(weeks, key=lambda week: abs(week - middle))[:3]
    return median(weeks[week] for week in nearest)


def main() -> None:
    """Run the year and print a row for each week, then the ratios."""
    whole: dict[int, float] = {}
    rest: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as home:
        spec, settings = prepare(Path(home))
        for name in HEAVY:
            importlib.import_module(name)
        warm()
        gc.freeze()
        for window in windows(spec):
            seconds = in_a_fork(spec, window, settings)
            parts = "  ".join(f"{name} {value:.2f}" for name, value in seconds.items())
            print(f"{window}  {sum(seconds.values()):6.2f} CPU s  {parts}", flush=True)
            if window.start < spec.schedule.start:  # the history before the first week
                continue
            is_last_year = window.end.year > spec.schedule.start.year
            week = 53 if is_last_year else window.end.isocalendar().week
            rest[week] = sum(v for name, v in seconds.items() if not name.startswith(TRAINS))
            if "evaluate" in seconds:
                whole[week] = sum(seconds.values())
    for label, weeks in (("weeks that train", whole), ("what does not train", rest)):
        early, late = near(weeks, EARLY), near(weeks, LATE)
        print(f"{label}: {late:.2f} CPU s against {early:.2f}, ratio {late / early:.2f}")


if __name__ == "__main__":
    main()
