"""How often monitoring errs: years in which nothing happens, shifts of known size, real flights.

Simulated are features that wobble with the week, in daily windows, judged by the defaults of
`alerts:`. With `--flights`, the weeks of 2013 run through every stage as well, from raw files to
incidents, with the first champion all along; then each kind of fault is planted in one of them.
Shares are given with Wilson's intervals of 95 %. It fails if a harmless year has findings at a rate
above one a year beyond doubt, or a shift of 0.15 standard deviations is mostly not found within two
days.

    python benchmarks/monitoring.py [--flights]
"""

from __future__ import annotations

import argparse
import sys

from ratchet.incidents.trial import Stream, delay, harmless
from ratchet.spec.alerts import Alerts
from ratchet.statistics import wilson_interval

SEED = 2013
SHIFTS_SD = (0.05, 0.08, 0.1, 0.12, 0.15, 0.2, 0.3)
ROWS = (1_000, 2_000, 4_000, 10_000)
WITHIN = (1, 2, 3, 7, 14)


def share(found: int, runs: int) -> str:
    """Say how often, with an interval."""
    low, high = wilson_interval(found, runs, 0.95)
    return f"{found / runs:.0%} ({low:.0%}-{high:.0%})"


def simulate(years: int, runs: int) -> list[str]:
    """Print the tables of the simulation; return what is worse than it may be."""
    alerts, faults = Alerts(), []
    print("| rows a day | plain p < .05 | BH alone | findings a year |\n|---|---|---|---|")
    for rows in ROWS:
        year = harmless(Stream(rows=rows), alerts, years, SEED)
        print(
            f"| {rows:,} | {year.plain / years:,.0f} | {year.corrected / years:,.0f} | "
            f"{year.found / years:g} (at most {year.found_at_most:.2g}) |"
        )
        if rows == Stream().rows and year.found > years:
            faults.append(f"{year.found} findings in {years} harmless years")
    print("| shift, sd | " + " | ".join(f"within {days} d" for days in WITHIN) + " |")
    print("|---" * (len(WITHIN) + 1) + "|")
    for shift in SHIFTS_SD:
        found = delay(Stream(), alerts, shift, runs, SEED)
        shares = [share(found.found_within(days), runs) for days in WITHIN]
        print(f"| {shift:g} | " + " | ".join(shares) + " |")
        if shift == 0.15 and found.found_within(2) < runs / 2:
            faults.append("a shift of 0.15 sd is mostly not found within two days")
    return faults


def main() -> None:
    """Print the tables, and fail if monitoring errs too often."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=20, help="harmless years (default 20)")
    parser.add_argument("--runs", type=int, default=400, help="of each shift (default 400)")
    arguments = parser.parse_args()
    if faults := simulate(arguments.years, arguments.runs):
        sys.exit("; ".join(faults))


if __name__ == "__main__":
    main()
