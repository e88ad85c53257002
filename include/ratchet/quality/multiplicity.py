"""Many tests at once: how many of the findings may be false."""

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
