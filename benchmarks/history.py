"""What one more week costs at week 50 of the year, against week 10.

Runs the loop in one process through all of 2013, and compares the median of three weeks around
week 50 with that of three around week 10, in CPU seconds, as a year of wall time never passes on a
quiet machine. Fits grow until `training.max_rows` is reached, so the figure is given with and
without the two.

    python benchmarks/history.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

from loop import prepare, run_window

from ratchet.orchestration.replay import windows

FITS = ("train_logistic", "train_boosting")


def main() -> None:
    """Run the year and print a row for each week, then the ratios."""
    by_week: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as home:
        spec, settings = prepare(Path(home))
        for window in windows(spec):
            week = window.end.isocalendar().week
            by_week[week if window.end.year == spec.schedule.start.year else 53] = seconds = (
                run_window(spec, window, settings, time.process_time)
            )
            parts = "  ".join(f"{name} {value:.2f}" for name, value in seconds.items())
            print(f"{window}  {sum(seconds.values()):6.2f} CPU s  {parts}", flush=True)
    for label, left_out in (("whole week", ()), ("without the fits", FITS)):
        early, late = (
            median(
                sum(value for name, value in by_week[week].items() if name not in left_out)
                for week in range(middle - 1, middle + 2)
            )
            for middle in (11, 50)
        )
        print(f"{label}: {late:.2f} CPU s against {early:.2f}, ratio {late / early:.2f}")


if __name__ == "__main__":
    main()
