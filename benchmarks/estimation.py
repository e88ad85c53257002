"""A million answers: what estimating their cost, Brier score and ROC-AUC without labels costs.

Prints CPU-seconds and, beside them, those of sorting the million answers: the least that anything
that ranks them needs.

    python benchmarks/estimation.py
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from ratchet.problems import Learned, problem_of
from ratchet.settings import Settings
from ratchet.spec import load_spec

ROWS, REPEATS = 1_000_000, 5


def main() -> None:
    """Print the measures, and the least CPU-seconds of five runs."""
    problem = problem_of(load_spec(Settings.load().use_cases / "flights.yaml"))
    answers = np.random.default_rng(2013).beta(1.2, 3, ROWS)
    stored = pd.DataFrame(problem.decide(answers, pd.DataFrame()))
    seconds, sorting = [], []
    for _ in range(REPEATS):
        started = time.process_time()
        expected = problem.expect(stored, Learned())
        seconds.append(time.process_time() - started)
        started = time.process_time()
        np.sort(answers)
        sorting.append(time.process_time() - started)
    for name, measure in expected.items():
        print(f"{name}: {measure.value:.6f}, sampling error {measure.sampling_error:.6f}")
    print(f"{ROWS:,} rows: {min(seconds):.2f} CPU-seconds; sorting them, {min(sorting):.2f}")


if __name__ == "__main__":
    main()
