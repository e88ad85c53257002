"""How far two binned distributions lie apart, and how far chance alone would move them.

Counts are by bin, in the same order on both sides. Each measure comes with its law for two samples
of one distribution, so that its limit follows from the sizes and the number of bins: no customary
threshold fits a thousand rows and a million.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ratchet.errors import EvidenceError
from ratchet.statistics.clusters import Array

UNUSUAL = 0.001
"""Share of samples of an unchanged distribution that lie above a `Divergence.limit`."""
LEAST_EXPECTED = 5.0
"""Rows that a bin must be expected to have on either side for the law of chi-square to hold."""
TRANSPORT_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""Levels of the quantiles in `transport_law`."""
MIN_BLOCKS = 5
"""Of fewer blocks, how much they differ says little."""

_DRAWS = 2000
_SEED = 1957  # fixed, so that one distribution always has the same law
_EXACT_BELOW = 10.0  # expected rows: with more, the normal law of a share is good to the tail


class Chance(NamedTuple):
    """What the law of a measure depends on, besides the bins.

    `reference` and `current` are rows. `design` is the design effect: by how much more means of
    blocks of rows vary than independent rows would, 1 or more. `degrees` are those of freedom that
    it was estimated with; infinity where it is known.
    """

    reference: float
    current: float
    design: float = 1.0
    degrees: float = math.inf

    @property
    def scale(self) -> float:
        """Variance of the difference of two means, in variances of a row."""
        return (1 / self.reference + 1 / self.current) * self.design

    @classmethod
    def of_blocks(
        cls,
        reference: float,
        current: float,
        *,
        design: float,
        degrees: float,
        block_rows: float,
        current_block_rows: float,
    ) -> Chance:
        """Return it for a design effect of blocks of one size, and a current side of another.

        A design effect is 1 more than a correlation times a block's rows (Kish, *Survey Sampling*,
        1965, section 5.4), so it grows with the block.
        """
        now = 1 + (design - 1) * current_block_rows / block_rows
        independent = 1 / reference + 1 / current
        joint = (design / reference + now / current) / independent
        return cls(reference, current, joint, degrees)


class Divergence(NamedTuple):
    """A distance of two samples, 0 for none, with the law of one distribution.

    `limit` is its 99.9 % quantile, and `p_value` how likely so large a distance is. `bins` is on
    how many it rests, after bins of too few rows were merged.
    """

    value: float
    limit: float
    p_value: float
    bins: int


def population_stability(reference: ArrayLike, current: ArrayLike, chance: Chance) -> Divergence:
    """Return the population stability index of two samples.

    Half a row is added to each bin inside the logarithm: it keeps an empty bin finite, and takes
    away the bias of small counts, which with thousands of bins would look like drift.

    Parameters
    ----------
    reference, current : array-like of int, shape (n_bins,)
        Rows by bin. Bins of under `LEAST_EXPECTED` expected rows are merged with each other.

    Returns
    -------
    Divergence
        By custom, under .1 is no shift worth a look and from .25 on a large one.

    References
    ----------
    Siddiqi, *Credit Risk Scorecards* (2006), chapter 8. Yurdakul and Naranjo (2020), *Statistical
    properties of the population stability index*, Journal of Risk Model Validation 14: it goes as
    (1/n + 1/m) times chi-square with one degree less than bins. Rao and Scott (1984), *On
    Chi-Squared Tests for Multiway Contingency Tables*, Annals of Statistics 12, for dependent rows:
    divided by the design effect, it goes as F.

    Examples
    --------
    >>> chance = Chance(reference=10_000, current=10_000)
    >>> found = population_stability([5000, 5000], [2500, 7500], chance)
    >>> round(found.value, 3), round(found.limit, 4)
    (0.275, 0.0022)
    """
    before, now = _merge(reference, current)
    shares = before / before.sum(), now / now.sum()
    smooth = (before + 0.5) / before.sum(), (now + 0.5) / now.sum()
    terms = (shares[1] - shares[0]) * np.log(smooth[1] / smooth[0])
    value = max(math.fsum(terms), 0.0)
    return _by_chi_square(value, value / chance.scale, chance.scale, 0.0, len(before), chance)


def jensen_shannon(reference: ArrayLike, current: ArrayLike, chance: Chance) -> Divergence:
    """Return the Jensen-Shannon divergence of two samples, in bits.

    Parameters
    ----------
    reference, current : array-like of int, shape (n_bins,)
        Rows by bin. Bins of under `LEAST_EXPECTED` expected rows are merged with each other.

    Returns
    -------
    Divergence
        In [0, 1]; 1 where the two share no bin. The square of what is called the Jensen-Shannon
        distance.

    References
    ----------
    Lin (1991), *Divergence Measures Based on the Shannon Entropy*, IEEE Transactions on Information
    Theory 37. In nats it is an eighth of chi-square's distance to the leading order, so its law is
    (1/n + 1/m) / 8 times chi-square; the next order, sum of 3/64 (1/n² + 1/m²) - 1/(32 n m) over
    the bins' shares, is taken off (delta method, Poisson counts): it matters where bins are many
    and rows few.

    Examples
    --------
    >>> jensen_shannon([100, 0], [0, 100], Chance(100, 100)).value
    1.0
    """
    before, now = _merge(reference, current)
    p, q = before / before.sum(), now / now.sum()
    middle = (p + q) / 2
    nats = math.fsum((special.rel_entr(p, middle) + special.rel_entr(q, middle)) / 2)
    m, n = chance.reference, chance.current
    pooled = (before + now) / (before.sum() + now.sum())
    bias = float((1 / pooled).sum()) * (3 / 64 * (1 / n**2 + 1 / m**2) - 1 / (32 * n * m))
    unit = chance.scale / 8
    statistic = max(nats - bias, 0.0) / unit
    bits = math.log(2)
    found = _by_chi_square(nats, statistic, unit, bias, len(before), chance)
    return found._replace(value=max(nats, 0.0) / bits, limit=found.limit / bits)


def kolmogorov_smirnov(reference: ArrayLike, current: ArrayLike, chance: Chance) -> Divergence:
    """Return the largest difference of two samples' cumulative shares, at the bins' edges.

    Parameters
    ----------
    reference, current : array-like of int, shape (n_bins,)
        Rows by bin, in ascending order.

    Returns
    -------
    Divergence
        In [0, 1]. Between edges it may be larger, by no more than a bin's share on one side. The
        law is that of a continuous variable: where values repeat, alarms are rarer.

    References
    ----------
    Smirnov (1948), *Table for Estimating the Goodness of Fit of Empirical Distributions*, Annals of
    Mathematical Statistics 19.

    Examples
    --------
    >>> found = kolmogorov_smirnov([10, 20, 10], [20, 10, 10], Chance(40, 40))
    >>> found.value, round(found.p_value, 3)
    (0.25, 0.164)
    """
    difference = _cumulative(current) - _cumulative(reference)
    value = float(np.abs(difference).max(initial=0.0))
    root = math.sqrt(chance.scale)
    p_value = float(special.kolmogorov(value / root))
    limit = float(special.kolmogi(_narrow(UNUSUAL, chance.degrees))) * root
    return Divergence(value, limit, _widen(p_value, chance.degrees), len(difference))


def wasserstein(
    edges: ArrayLike,
    reference: ArrayLike,
    current: ArrayLike,
    law: Sequence[float],
    spread: float,
    chance: Chance,
) -> Divergence:
    """Return how far a row must be moved on average to make one sample of the other.

    Within a bin rows are taken to be spread evenly, and what lies beyond the outermost edges to lie
    on them: so no single value counts for more than they allow.

    Parameters
    ----------
    edges : array-like, shape (n_bins - 1,)
        Ascending edges between the bins.
    reference, current : array-like of int, shape (n_bins,)
        Rows by bin.
    law
        See `transport_law`, of the reference.
    spread
        Standard deviation of the reference, its values held within the outermost edges; above 0.

    Returns
    -------
    Divergence
        In standard deviations.

    References
    ----------
    The area between the distribution functions: Vallender (1974), *Calculation of the Wasserstein
    Distance Between Probability Distributions on the Line*. Its law: del Barrio, Giné and Matrán
    (1999), *Central Limit Theorems for the Wasserstein Distance Between the Empirical and the True
    Distributions*, Annals of Probability 27. Beyond the last of `TRANSPORT_LEVELS` the tail falls
    as that of the mean's normal law (Borell's inequality).
    """
    x = np.asarray(edges, np.float64)
    difference = (_cumulative(current) - _cumulative(reference))[:-1]
    left, right, width = difference[:-1], difference[1:], np.diff(x)
    both = np.abs(left) + np.abs(right)
    with np.errstate(invalid="ignore", divide="ignore"):
        crossed = np.where(both > 0, (left**2 + right**2) / (2 * both), 0.0)
    area = float((np.where(left * right >= 0, both / 2, crossed) * width).sum())
    value = area / spread
    root = math.sqrt(chance.scale)
    limit = _transport_quantile(_narrow(UNUSUAL, chance.degrees), law) * root
    p_value = _widen(_transport_tail(value / root, law), chance.degrees)
    return Divergence(value, limit, p_value, len(difference) + 1)


def transport_law(edges: ArrayLike, counts: ArrayLike, spread: float) -> tuple[float, ...]:
    """Return quantiles of the law of `wasserstein` for one distribution, whatever the sizes.

    They are those of the area under the absolute value of a Brownian bridge that runs through the
    distribution function, by 2,000 fixed draws.

    Parameters
    ----------
    edges, counts, spread
        As in `wasserstein`.

    Returns
    -------
    tuple
        At `TRANSPORT_LEVELS`, in standard deviations; times the root of `Chance.scale` they are
        those of the distance.

    References
    ----------
    Johnson and Killeen (1983), *An Explicit Formula for the C.D.F. of the L1 Norm of the Brownian
    Bridge*, Annals of Probability 11, for the uniform distribution.
    """
    rows = np.asarray(counts, np.float64)
    shares = rows / rows.sum()
    walk = (_normal_draws(len(shares)) * np.sqrt(shares)).cumsum(axis=1)
    bridge = np.abs(walk[:, :-1] - walk[:, -1:] * shares.cumsum()[:-1])
    width = np.diff(np.asarray(edges, np.float64))
    areas = (bridge[:, :-1] + bridge[:, 1:]) @ width / (2 * spread)
    return tuple(np.quantile(areas, TRANSPORT_LEVELS).tolist())


def mean_shift(edges: ArrayLike, reference: ArrayLike, current: ArrayLike) -> float:
    """Return how much higher the current mean is, with rows placed as in `wasserstein`."""
    difference = (_cumulative(reference) - _cumulative(current))[:-1]
    width = np.diff(np.asarray(edges, np.float64))
    return float(((difference[:-1] + difference[1:]) / 2 * width).sum())


def share_change(reference_hits: float, current_hits: float, chance: Chance) -> Divergence:
    """Return the difference of two shares, like that of missing values.

    Returns
    -------
    Divergence
        `value` in [0, 1], whatever the direction. The test is the score test with the shares'
        common variance; where few rows are expected, the binomial test of how the hits are divided.

    References
    ----------
    Fleiss, Levin and Paik, *Statistical Methods for Rates and Proportions* (2003), section 3.1.
    Przyborowski and Wilenski (1940), *Homogeneity of Results in Testing Samples from Poisson
    Series*, Biometrika 31, for few hits.

    Examples
    --------
    >>> found = share_change(20, 50, Chance(1000, 1000))
    >>> round(found.value, 3), round(found.p_value, 5)
    (0.03, 0.00026)
    """
    m, n = chance.reference, chance.current
    value = abs(current_hits / n - reference_hits / m)
    common = (reference_hits + current_hits) / (m + n)
    smaller = min(m, n) / chance.design
    if smaller * min(common, 1 - common) >= _EXACT_BELOW:
        error = math.sqrt(common * (1 - common) * chance.scale)
        p_value = 2 * float(special.ndtr(-value / error))
        limit = -float(special.ndtri(_narrow(UNUSUAL, chance.degrees) / 2)) * error
    else:
        is_rest = common > 0.5
        hits = [m - reference_hits, n - current_hits] if is_rest else [reference_hits, current_hits]
        p_value, limit = _few_hits(hits[0] / chance.design, hits[1] / chance.design, chance)
    return Divergence(value, limit, _widen(min(p_value, 1.0), chance.degrees), 2)


def design_effect_of_shares(counts: ArrayLike) -> float:
    """Return by how much more the bins' shares vary between blocks of rows than chance explains.

    Parameters
    ----------
    counts : array-like of int, shape (n_blocks, n_bins)
        Rows by block, like a day, and by bin.

    Returns
    -------
    float
        About 1 for independent rows; NaN where there are not two blocks and two bins with rows.

    References
    ----------
    Rao and Scott (1981), *The Analysis of Categorical Data from Complex Sample Surveys*, Journal of
    the American Statistical Association 76: the mean design effect of the shares. Where blocks are
    the clusters, it is Pearson's statistic of the table divided by its degrees of freedom.

    Examples
    --------
    >>> design_effect_of_shares([[90, 10], [10, 90]])
    128.0
    """
    table = np.asarray(counts, np.float64)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    blocks, bins = table.shape
    if blocks < 2 or bins < 2:
        return math.nan
    total, rows = table.sum(), table.sum(axis=1)
    found = total * (table**2 / rows[:, None]).sum(axis=0) @ (1 / table.sum(axis=0)) - total
    return float(found / ((blocks - 1) * (bins - 1)))


def design_effect_of_cumulative(counts: ArrayLike) -> float:
    """Return the same of the shares below each edge between ascending bins, taken together.

    That is what a cumulative share varies by. See `design_effect_of_shares`.
    """
    table = np.asarray(counts, np.float64)
    table = table[table.sum(axis=1) > 0]
    rows = table.sum(axis=1, keepdims=True)
    below = table.cumsum(axis=1)[:, :-1]
    share = below.sum(axis=0) / rows.sum()
    within = (share * (1 - share)).sum()
    if len(table) < 2 or not within > 0:
        return math.nan
    between = (rows * (below / rows - share) ** 2).sum() / (len(table) - 1)
    return float(between / within)


def design_effect_of_mean(counts: ArrayLike, values: ArrayLike) -> float:
    """Return the same of a mean, of which each bin has a value. See `design_effect_of_shares`."""
    table, x = np.asarray(counts, np.float64), np.asarray(values, np.float64)
    table = table[table.sum(axis=1) > 0]
    rows = table.sum(axis=1)
    mean = (table.sum(axis=0) @ x) / rows.sum()
    within = (table.sum(axis=0) @ (x - mean) ** 2) / rows.sum()
    if len(table) < 2 or not within > 0:
        return math.nan
    between = (rows * ((table @ x) / rows - mean) ** 2).sum() / (len(table) - 1)
    return float(between / within)


def _merge(reference: ArrayLike, current: ArrayLike) -> tuple[Array, Array]:
    """Merge bins of too few rows with each other, neighbours first.

    Whether a bin is merged depends on both sides together alone: given that, its rows are divided
    by chance, so that choosing makes no drift.
    """
    before, now = np.asarray(reference, np.float64), np.asarray(current, np.float64)
    if before.shape != now.shape or not before.sum() > 0 or not now.sum() > 0:
        raise EvidenceError(
            f"{before.shape} and {now.shape} bins of {before.sum():g} and {now.sum():g} rows can't "
            "be compared; count the same bins, with rows on both sides"
        )
    both = before + now
    expected = both * (min(before.sum(), now.sum()) / both.sum())
    is_small = expected < LEAST_EXPECTED
    bins = np.empty(len(both), np.intp)
    large = int((~is_small).sum())
    bins[~is_small] = np.arange(large)
    if is_small.any():
        # twice the least, as the bin that crosses a boundary may leave the next one short
        group = (expected[is_small].cumsum() // (2 * LEAST_EXPECTED)).astype(np.intp)
        last = group == group[-1]
        if expected[is_small][last].sum() < LEAST_EXPECTED:
            group[last] = group[~last].max(initial=-1)
        group = np.unique(group, return_inverse=True)[1] - int(group.min() < 0)
        rest = int(expected[~is_small].argmin()) if large else 0
        bins[is_small] = np.where(group < 0, rest, large + group)
    merged = int(bins.max()) + 1
    merged_before: Array = np.bincount(bins, before, merged).astype(np.float64)
    merged_now: Array = np.bincount(bins, now, merged).astype(np.float64)
    return merged_before, merged_now


def _by_chi_square(
    value: float, statistic: float, unit: float, bias: float, bins: int, chance: Chance
) -> Divergence:
    degrees = bins - 1
    if degrees == 0:
        return Divergence(0.0, 0.0, 1.0, bins)
    if math.isinf(chance.degrees):
        p_value = special.chdtrc(degrees, statistic)
        limit = special.chdtri(degrees, UNUSUAL)
    else:
        others = degrees * chance.degrees
        p_value = special.fdtrc(degrees, others, statistic / degrees)
        limit = special.fdtri(degrees, others, 1 - UNUSUAL) * degrees
    return Divergence(value, float(limit) * unit + bias, float(p_value), bins)


def _cumulative(counts: ArrayLike) -> Array:
    rows = np.asarray(counts, np.float64)
    if not rows.sum() > 0:
        raise EvidenceError("there are no rows to compare; give counts of some")
    shares: Array = rows.cumsum() / rows.sum()
    return shares


def _widen(p_value: float, degrees: float) -> float:
    """Return a normal law's two-sided p-value as Student's law has it."""
    if math.isinf(degrees) or p_value >= 1:
        return min(p_value, 1.0)
    return min(2 * float(special.stdtr(degrees, special.ndtri(p_value / 2))), 1.0)


def _narrow(p_value: float, degrees: float) -> float:
    """Return the p-value of a normal law that `_widen` makes this one of."""
    if math.isinf(degrees):
        return p_value
    return 2 * float(special.ndtr(special.stdtrit(degrees, p_value / 2)))


def _transport_tail(x: float, law: Sequence[float]) -> float:
    """Return how likely a bridge's area is above x."""
    levels, last = (0.0, *TRANSPORT_LEVELS), 1 - TRANSPORT_LEVELS[-1]
    if x <= law[-1]:
        return 1 - float(np.interp(x, (0.0, *law), levels))
    return last * math.exp(special.log_ndtr(-x) - special.log_ndtr(-law[-1]))


def _transport_quantile(tail: float, law: Sequence[float]) -> float:
    last = 1 - TRANSPORT_LEVELS[-1]
    if tail >= last:
        return float(np.interp(1 - tail, (0.0, *TRANSPORT_LEVELS), (0.0, *law)))
    return -float(special.ndtri(tail / last * special.ndtr(-law[-1])))


@lru_cache(maxsize=4)
def _all_draws(bins: int) -> Array:
    return np.random.default_rng(_SEED).standard_normal((_DRAWS, bins))


def _normal_draws(bins: int) -> Array:
    """Return the same draws for any number of bins, so that equal columns have equal laws."""
    return _all_draws(1 << (bins - 1).bit_length())[:, :bins]


def _few_hits(reference: float, current: float, chance: Chance) -> tuple[float, float]:
    """Return the two-sided p-value of how hits are divided, and what share change is unusual."""
    hits = round(reference) + round(current)
    m, n = chance.reference / chance.design, chance.current / chance.design
    if hits == 0:
        return 1.0, 0.0
    part = n / (m + n)
    below = float(special.bdtr(round(current), hits, part))
    above = float(special.bdtrc(round(current) - 1, hits, part)) if round(current) else 1.0
    counts = np.arange(hits + 1)
    tail = _narrow(UNUSUAL, chance.degrees) / 2
    is_usual = (special.bdtr(counts, hits, part) > tail) & (
        np.concatenate([[1.0], special.bdtrc(counts[:-1], hits, part)]) > tail
    )
    usual = counts[is_usual]
    changes = np.abs(usual / n - (hits - usual) / m)
    return min(2 * min(below, above), 1.0), float(changes.max())
