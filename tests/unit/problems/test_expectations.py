"""What answers tell of their own errors, kind by kind."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ratchet.problems import COST, learn_expectations, problem_of
from ratchet.spec import Spec


def decided(spec: Spec, rows: pd.DataFrame, answers: np.ndarray) -> pd.DataFrame:
    columns = problem_of(spec).decide(answers, rows)
    days = rows["decision_at"].dt.floor("D")
    return pd.DataFrame({**columns, "label": rows["label"], "day": days})


def test_regression_expects_the_errors_of_answers_of_the_same_size(
    spec_of: Callable[[str], Spec], rows_of: Callable[[str, int], pd.DataFrame]
):
    spec, rows = spec_of("regression"), rows_of("regression", 2000)
    problem, rng = problem_of(spec), np.random.default_rng(1)
    answers = rows["label"].to_numpy(float)
    # larger answers are further off
    rows["label"] = answers + rng.normal(size=len(rows)) * np.where(answers > 0, 4, 1)
    stored = decided(spec, rows, answers)
    found = learn_expectations(problem, stored, age_days=2)
    assert found is not None
    expected = problem.expect(stored, found.learned)
    losses = problem.losses_of(stored, stored["label"])
    assert expected[COST].value == pytest.approx(losses.mean())
    assert found.levels[COST].value == pytest.approx(losses.mean())
    assert found.dispersions[COST].gap == pytest.approx(0, abs=1e-9)
    large, small = stored[answers > 1], stored[answers < -1]
    dear, cheap = (problem.expect(part, found.learned)[COST].value for part in (large, small))
    assert dear > 2 * cheap


def test_multiclass_expects_the_matrix_weighed_by_probabilities(
    spec_of: Callable[[str], Spec], rows_of: Callable[[str, int], pd.DataFrame]
):
    spec, rows = spec_of("multiclass"), rows_of("multiclass", 600)
    problem, rng = problem_of(spec), np.random.default_rng(2)
    answers = rng.dirichlet([2, 1, 1], len(rows))
    rows["label"] = [rng.choice(list("abc"), p=p) for p in answers]
    stored = decided(spec, rows, answers)
    found = learn_expectations(problem, stored, age_days=2)
    assert found is not None
    chosen = ["abc".index(each) for each in stored["chosen_class"]]
    matrix = [[0, 10, 20], [10, 0, 10], [90, 30, 0]]
    by_hand = [
        sum(p[true] * matrix[true][choice] for true in range(3))
        for p, choice in zip(answers, chosen, strict=True)
    ]
    expected = problem.expect(stored, found.learned)
    assert expected[COST].value == pytest.approx(np.mean(by_hand), abs=1e-9)
    dispersion = found.dispersions[COST]
    assert abs(dispersion.gap) < 4 * dispersion.sampling_error * dispersion.design_effect**0.5
    surprises = problem.surprises(stored, found.learned)
    realised = problem.losses_of(stored, stored["label"]).mean()
    assert expected[COST].value + surprises[COST].mean() == pytest.approx(realised)


@pytest.mark.parametrize("kind", ["ranking", "segmentation"])
def test_kinds_whose_answers_tell_nothing_of_errors_expect_nothing(
    spec_of: Callable[[str], Spec], kind: str
):
    stored = pd.DataFrame({"day": [1, 2], "label": [0, 1]})
    assert learn_expectations(problem_of(spec_of(kind)), stored, age_days=2) is None


def test_one_day_tells_nothing_of_how_days_differ(
    spec_of: Callable[[str], Spec], rows_of: Callable[[str, int], pd.DataFrame]
):
    spec, rows = spec_of("binary"), rows_of("binary", 20)
    stored = decided(spec, rows, np.full(20, 0.3)).assign(day=1)
    assert learn_expectations(problem_of(spec), stored, age_days=2) is None
