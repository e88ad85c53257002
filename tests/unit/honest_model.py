"""The model that the flights of `model_lake` were made with."""

import numpy as np
import pandas as pd


def honest(frame: pd.DataFrame) -> np.ndarray:
    """Return the probability that the rows were made with, of numbers that are known."""
    logit = frame["origin_mean_delay_min"].fillna(0) + 0.7 * frame["wind_speed_mph"].fillna(0) - 1.3
    return (1 / (1 + np.exp(-logit.clip(-20, 20)))).to_numpy()
