"""Many tests at once, or one test many times: how many of the findings may be false."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def benjamini_hochberg(p_values: npt.ArrayLike, q: float) -> npt.NDArray[np.bool_]:
    """Say which tests are findings, so that at most a share `q` of them is false on average.

    Parameters
    ----------
    p_values : array-like, shape (n_tests,)
        In [0, 1]. NaN stands for a test that could not be made: it is no finding, and makes the
        others no stricter.
    q
        False discovery rate, in (0, 1).

    Returns
    -------
    array of bool, shape (n_tests,)
        True where the test is a finding.

    Raises
    ------
    ValueError
        If a p-value or `q` is out of range.

    References
    ----------
    Benjamini and Hochberg (1995), *Controlling the False Discovery Rate*, equation 1. It holds for
    independent tests, and by Benjamini and Yekutieli (2001) for positively dependent ones.

    Examples
    --------
    >>> benjamini_hochberg([0.001, 0.02, 0.9, float("nan")], 0.05).tolist()
    [True, True, False, False]
    """
    p = np.asarray(p_values, dtype=float)
    if not 0 < q < 1:
        raise ValueError(f"q is {q}; give a share in (0, 1)")
    tested = ~np.isnan(p)
    if ((p[tested] < 0) | (p[tested] > 1)).any():
        raise ValueError("a p-value is outside [0, 1]; give NaN where no test was made")
    ordered = np.sort(p[tested])
    limits = q * np.arange(1, ordered.size + 1) / max(ordered.size, 1)
    below = ordered[ordered <= limits]
    found: npt.NDArray[np.bool_] = tested & (p <= (below[-1] if below.size else -1.0))
    return found


def holm(p_values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Adjust p-values so that none of the findings is false, but for a stated chance.

    Parameters
    ----------
    p_values : array-like, shape (n_tests,)
        In [0, 1]. NaN stands for a test that could not be made.

    Returns
    -------
    array, shape (n_tests,)
        In [0, 1]: at most `level` where a test is a finding at that family-wise error rate,
        whatever the dependence between the tests. NaN stays.

    Raises
    ------
    ValueError
        If a p-value is out of range.

    References
    ----------
    Holm (1979), *A Simple Sequentially Rejective Multiple Test Procedure*, Scandinavian Journal of
    Statistics 6.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    tested = np.flatnonzero(~np.isnan(p))
    if ((p[tested] < 0) | (p[tested] > 1)).any():
        raise ValueError("a p-value is outside [0, 1]; give NaN where no test was made")
    order = tested[np.argsort(p[tested])]
    factors = np.arange(len(order), 0, -1)
    adjusted = np.full(p.shape, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1.0)
    return adjusted


def chance_of_any(level: float, looks: int) -> float:
    """Return the chance of at least one false finding in independent looks.

    A gate that is asked once a week about a model that is no better looks 52 times a year: at a
    level of .05 it finds at least one with a chance of .93, and 2.6 on average. Looks at rows that
    overlap are not independent: the average is the same, the chance lower.

    Parameters
    ----------
    level
        Of one look, in [0, 1].
    looks
        Number of looks, 0 or more.

    References
    ----------
    Šidák (1967), *Rectangular Confidence Regions*, JASA 62.

    Examples
    --------
    >>> round(chance_of_any(0.05, 52), 2)
    0.93
    """
    return 1.0 - float((1 - level) ** looks)


def level_per_look(chance: float, looks: int) -> float:
    """Return the level of one look that leaves a chance of any false finding; see `chance_of_any`.

    Examples
    --------
    >>> round(level_per_look(0.05, 52), 5)
    0.00099
    """
    return 1.0 - float((1 - chance) ** (1 / looks))
