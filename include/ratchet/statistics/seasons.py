"""What a day is expected to bring by its own past: level, weekday, and how far days stray.

Each day of the past is forecast from the days before it in the same way as the day in question,
and the errors of these forecasts are the null law. So whatever the series does of itself, be it
slow seasons, days that follow each other or noise that is more than chance, is in the law, and the
day in question is in nothing that it is held against. Medians and clipping keep a past event out;
after a lasting shift the level follows within `LEVEL_DAYS`, the weekday's habit within `WEEKS`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ratchet.statistics.spread import ROBUST, t_limit

LEVEL_DAYS = 14  # of the level: two of each weekday, and a shift is followed once it is a week old
WEEKS = 8  # of the same weekday: a median that three of them can't move
LAW_DAYS = (
    112  # of forecast errors: sixteen weeks, as spread and tail are known no better from less
)
MIN_LAW_DAYS = 14  # fewer forecast errors than two weeks say nothing of how far days stray
_MIN_SAME = 3  # of the same weekday: a median that one wrong day can't move
_IN_WEEK = 5  # days that must be known of the week around a day
_EVENT = 6.0  # robust spreads: an event of its own, which says nothing of ordinary days
_USUAL = 2.0  # robust spreads: what goes beyond is not carried on to the day after
_MOST_CARRIED = 0.8  # more would be a level that wanders, which the level's median follows
_DEGREES = np.array([30.0, 15.0, 10.0, 8.0, 6.0, 5.0, 4.0, 3.0])  # 30 is as good as normal
_SPREADS = np.exp(np.linspace(-0.5, 0.5, 21))  # of the robust one: in steps of 5 %
_OF_MEDIAN = 0.37  # what a median absolute deviation makes of a sample: its efficiency


@dataclass(frozen=True)
class DayForecast:
    """What was expected of one day, and the law of its error.

    `error` / `spread` follows Student's t with `degrees`, if nothing happened. `expected`, `error`
    and `spread` are in the unit of the values.
    """

    expected: float
    error: float
    spread: float
    degrees: float

    def at_least(self, spread: float) -> DayForecast:
        """Return it with a spread that is no smaller than what chance alone makes of counts."""
        return DayForecast(self.expected, self.error, max(self.spread, spread), self.degrees)

    @property
    def p_value(self) -> float:
        """Probability of an error as large, either way, in [0, 1]."""
        if self.spread == 0:
            return float(self.error == 0)
        return float(2 * special.stdtr(self.degrees, -abs(self.error) / self.spread))

    def limit(self, p: float) -> float:
        """Return the size of the error that is exceeded, either way, with probability `p`."""
        return t_limit(p, self.degrees) * self.spread


def forecast_days(
    values: NDArray[np.float64],
    weekdays: NDArray[np.int64],
    is_usual: NDArray[np.bool_],
    judged: Iterable[int],
) -> list[DayForecast | None]:
    """Forecast days of a daily series, each from the days before it.

    Parameters
    ----------
    values, shape (n_days,)
        One value a day, without gaps in the days; NaN where none is known. What changes by factors
        comes as a logarithm.
    weekdays, shape (n_days,)
        0 to 6.
    is_usual, shape (n_days,)
        Days that may be learned from: no holidays. They are judged all the same.
    judged
        Places of the days to forecast.

    Returns
    -------
    list
        One for each of `judged`; None if its value, or too much of its past, is unknown.

    References
    ----------
    Prequential errors: Dawid (1984), Statistical theory: the prequential approach, JRSS A 147(2).
    Clipped errors in an autoregression: Huber's psi, as in Martin and Thomson (1982), Robust-
    resistant spectrum estimation, Proceedings of the IEEE 70(9).
    The efficiency of the median absolute deviation, 37 %: Rousseeuw and Croux (1993), Alternatives
    to the median absolute deviation, JASA 88(424).
    """
    own = np.where(is_usual, values, np.nan)
    expected = _expected(own, weekdays)
    places = list(judged)
    expected += _carried(own - expected, min(places, default=0) - LAW_DAYS)
    errors = values - expected
    learned = np.where(is_usual, errors, np.nan)
    return [_forecast(expected[day], errors[day], learned[:day]) for day in places]


def _expected(own: NDArray[np.float64], weekdays: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what the days before each day make expected of it; NaN where they are too few."""
    habits = _habits(own)
    effects = np.full(7, np.nan)
    same: list[deque[float]] = [deque(maxlen=WEEKS) for _ in range(7)]
    level_days: deque[int] = deque(maxlen=LEVEL_DAYS)
    expected = np.full(own.size, np.nan)
    for day, weekday in enumerate(weekdays):
        if (known := day - 4) >= 0 and np.isfinite(habits[known]):  # its week is over
            of = same[weekdays[known]]
            of.append(habits[known])
            if len(of) >= _MIN_SAME:
                effects[weekdays[known]] = median(of)
        if len(level_days) == LEVEL_DAYS:
            past = list(level_days)
            levels = own[past] - effects[weekdays[past]]
            if np.isfinite(levels).all():
                expected[day] = median(levels) + effects[weekday]
        if np.isfinite(own[day]):
            level_days.append(day)
    return expected


def _habits(own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far each day lies from the median of the week around it."""
    beyond = np.full(3, np.nan)
    weeks = np.lib.stride_tricks.sliding_window_view(np.concatenate([beyond, own, beyond]), 7)
    is_known = np.isfinite(weeks).sum(axis=1) >= _IN_WEEK
    habits = np.full(own.size, np.nan)
    habits[is_known] = own[is_known] - np.nanmedian(weeks[is_known], axis=1)
    return habits


def _carried(errors: NDArray[np.float64], first: int) -> NDArray[np.float64]:
    """Return what the error of the day before makes expected of each day, as days follow others.

    That is 0 before the day `first`, for which nobody asks.

    The share that is carried on is that of the past; what a day strays beyond the usual is an
    event, which ends with the day.
    """
    carried = np.zeros(errors.size)
    for day in range(max(first, 1), errors.size):
        past = errors[max(0, day - LAW_DAYS) : day]
        known = np.isfinite(past)
        if known.sum() < MIN_LAW_DAYS or not known[-1]:
            continue
        most = _USUAL * ROBUST * median(np.abs(past[known]).tolist())
        clipped = np.clip(past, -most, most)
        before, after = clipped[:-1], clipped[1:]
        if total := np.nansum(before**2):
            share = np.nansum(before * after) / total
            carried[day] = min(max(share, 0.0), _MOST_CARRIED) * clipped[-1]
    return carried


def _forecast(expected: float, error: float, past: NDArray[np.float64]) -> DayForecast | None:
    sizes = np.abs(past[-LAW_DAYS:])
    sizes = sizes[np.isfinite(sizes)]
    if sizes.size < MIN_LAW_DAYS or not np.isfinite(error):
        return None
    spread, degrees = _law(sizes)
    return DayForecast(float(expected), float(error), spread, degrees)


def _law(sizes: NDArray[np.float64]) -> tuple[float, float]:
    """Return spread and degrees of freedom of the Student's t that errors are likeliest under."""
    robust = ROBUST * float(np.median(sizes))
    if robust == 0:
        return 0.0, float(_DEGREES[0])
    ordinary = sizes[sizes < _EVENT * robust] / robust
    scaled = ordinary[None, None, :] / _SPREADS[None, :, None]
    likelihood = _log_density(scaled, _DEGREES[:, None, None]).sum(axis=2)
    likelihood -= ordinary.size * np.log(_SPREADS)
    tail, spread = np.unravel_index(likelihood.argmax(), likelihood.shape)
    most = max(_OF_MEDIAN * sizes.size, _DEGREES[-1])
    return robust * float(_SPREADS[spread]), float(min(_DEGREES[tail], most))


def _log_density(x: NDArray[np.float64], degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm of Student's density: what `scipy.stats` says after many checks."""
    most = np.log(special.poch(degrees / 2, 0.5)) - (np.log(degrees) + np.log(np.pi)) / 2
    density: NDArray[np.float64] = most - (degrees + 1) / 2 * np.log1p(x * x / degrees)
    return density
