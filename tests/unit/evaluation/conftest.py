from types import SimpleNamespace

import numpy as np
import pytest
from model_lake import FIRST, flights, small

from ratchet.problems import problem_of


class Stub:
    """A model that answers by a rule of its own."""

    def __init__(self, rule):
        self.rule = rule

    def predict_proba(self, frame):
        answers = np.asarray(self.rule(frame), float)
        return np.column_stack([1 - answers, answers])


@pytest.fixture(scope="module")
def stage(spec):
    """Return a problem with a fortnight of rows that it can be asked about."""
    declared = small(spec)
    rows = flights(declared, FIRST).tail(840).reset_index(drop=True)
    features = list(declared.gold.features)
    return SimpleNamespace(
        spec=declared,
        problem=problem_of(declared),
        rows=rows,
        features=features,
        days=rows[declared.gold.decided_at].to_numpy("datetime64[D]"),
        model=Stub,
    )
