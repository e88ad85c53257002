"""Days as flights have them: of unequal size, with shocks that all rows share and that last."""

import numpy as np
from scipy.stats import binom

DRAWS_IN_A_DAY = (20, 60)


def days(generator, n, lasting, mean=0.0):
    """Return differences of rows and their days; `lasting` is the autocorrelation of shocks."""
    rows = generator.integers(*DRAWS_IN_A_DAY, n)
    shocks = generator.normal(size=n)
    shocks[0] /= np.sqrt(1 - lasting**2)
    for day in range(1, n):
        shocks[day] += lasting * shocks[day - 1]
    day = np.repeat(np.arange(n), rows)
    return mean + shocks[day] + generator.normal(size=len(day)) * 2, day


def chance(successes, draws, low, high):
    """Say whether a count is what a rate within [low, high] gives in all but 1 of 1000 trials."""
    return binom.ppf(0.0005, draws, low) <= successes <= binom.ppf(0.9995, draws, high)
