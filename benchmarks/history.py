"""What one more week costs at week 50 of the year, against week 11.

Runs the loop in one process through all of 2013, and compares the median of the three weeks nearest
to week 50 with that of those nearest to week 11, in CPU seconds, as a year of wall time never
passes on a quiet machine. As the policy does not train in every week, whole weeks are compared
among those that trained, and what does not train among all.

    python benchmarks/history.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

from loop import prepare, run_window

from ratchet.orchestration.replay import windows

TRAINS = ("snapshot", "check_snapshot", "train_", "evaluate", "register", "promote", "card")
EARLY, LATE = 11, 50


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
        for window in windows(spec):
            seconds = run_window(spec, window, settings, time.process_time)
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
