"""How much each training row counts."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.errors import TrainingError
from ratchet.spec import Spec

_DAY_S = 86_400
_HUGE = 1e100  # of a weight, from which on sums may not be finite


def sample_weights(spec: Spec, rows: pd.DataFrame, cut: datetime) -> NDArray[np.float64] | None:
    """Return the weight of each row, scaled to a mean of 1; None if all count the same.

    Parameters
    ----------
    cut
        Aware moment at which the training rows end: from it, ages count.

    Raises
    ------
    TrainingError
        If a weight is missing, below 0 or huge, or all are 0.

    Examples
    --------
    With a half-life of 7 days, rows of 0, 7 and 14 days count 1, 1/2 and 1/4, over their mean.
    """
    training = spec.training
    if training.half_life_days is None and training.weight is None:
        return None
    weights = np.ones(len(rows))
    if training.weight is not None:
        weights *= pd.to_numeric(rows[training.weight], errors="coerce").to_numpy(np.float64)
        if not (weights >= 0).all() or not 0 < weights.max() < _HUGE:
            raise TrainingError(
                f"{spec.name}: training.weight: {training.weight} is missing or below 0 in some "
                f"training row, {_HUGE:g} or more, or 0 in all; mend its SQL"
            )
    if training.half_life_days is not None:
        ages = pd.Timestamp(cut.replace(tzinfo=None)) - rows[spec.gold.decided_at]
        age_days = ages.dt.total_seconds().to_numpy(np.float64) / _DAY_S
        weights *= 0.5 ** (age_days / training.half_life_days)
        if not weights.mean() > 0:
            raise TrainingError(
                f"{spec.name}: training.half_life_days: {training.half_life_days:g} is so short "
                f"that no row counts that was decided before {cut:%Y-%m-%d}; lengthen it"
            )
    scaled: NDArray[np.float64] = weights / weights.mean()
    return scaled
