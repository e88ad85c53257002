"""Half a year of daily counts of a city, with five events: simulated, and no city's data.

The season, the noise and the sizes of the events are assumptions, of the order of what is seen in
public counts of taxi rides: weekends differ by a tenth, days stray by 4 % and follow each other.
"""

import numpy as np

DAYS = 214  # July to January
LEVEL = 25_000
FOLLOWS = 0.5  # autocorrelation of neighbouring days
NOISE = 0.035  # standard deviation of the days' own, of a logarithm
DISPERSION = 0.02  # of the counts about that, beside chance: variance = mean + (2 % of mean)²
WEEK = np.log([0.92, 0.98, 1.02, 1.05, 1.08, 1.06, 0.89])
EVENTS = {  # days, and the factors of their counts
    "marathon": ([124], [1.18]),
    "thanksgiving": ([149], [0.70]),
    "christmas": ([177], [0.60]),
    "new_year": ([184], [0.75]),
    "storm": ([209, 210], [0.70, 0.40]),
}


def city_counts(seed: int, *, events: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return counts and weekdays of half a year."""
    generator = np.random.default_rng(seed)
    weekdays = (np.arange(DAYS) + 1) % 7  # 1 July 2014 was a Tuesday
    steps = generator.normal(0, NOISE * (1 - FOLLOWS**2) ** 0.5, DAYS)
    noise = np.zeros(DAYS)
    for day in range(DAYS):
        noise[day] = (FOLLOWS * noise[day - 1] if day else 0.0) + steps[day]
    season = 0.05 * np.sin(2 * np.pi * np.arange(DAYS) / 180)
    mean = LEVEL * np.exp(WEEK[weekdays] + season + noise)
    for days, factors in EVENTS.values() if events else ():
        mean[days] *= factors
    size = DISPERSION**-2
    return generator.negative_binomial(size, size / (size + mean)), weekdays
