import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from ratchet.errors import EvidenceError
from ratchet.evaluation import measure
from ratchet.evaluation.metrics import compare_metric, compare_on
from ratchet.problems import problem_of
from ratchet.statistics import compare_by_cluster, compare_by_delong

LABELS = [True, True, False, False, False]
ANSWERS = [0.9, 0.2, 0.3, 0.1, 0.0]


def measured(spec, answers, labels, whose):
    rows = pd.DataFrame({spec.gold.label: np.array(labels, dtype=bool)})
    return measure(problem_of(spec), np.array(answers), rows, whose)


def test_measure_of_five_rows_is_what_a_hand_works_out(spec):
    quality, losses = measured(spec, ANSWERS, LABELS, "five rows")
    found = quality.metrics
    assert quality.rows == 5
    # of 2 x 3 pairs, all but (0.2, 0.3) are in the right order
    assert found["roc_auc"] == pytest.approx(5 / 6)
    # precision 1/1 at the first positive, 2/3 at the second, each half of the recall
    assert found["pr_auc"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["brier"] == pytest.approx((0.01 + 0.64 + 0.09 + 0.01 + 0) / 5)
    log = -(math.log(0.9) + math.log(0.2) + math.log(0.7) + math.log(0.9) + math.log(1)) / 5
    assert found["log_loss"] == pytest.approx(log)
    assert losses.tolist() == [70, 100, 10, 0, 0]
    # acted on and disrupted, missed, acted on in vain, and twice left alone rightly
    assert quality.cost_per_unit == pytest.approx((70 + 100 + 10 + 0 + 0) / 5)
    assert found["acted_share"] == pytest.approx(2 / 5)


@pytest.mark.parametrize(
    ("answers", "labels", "message"),
    [
        ([], [], "no rows"),
        ([0.1, math.nan], [True, False], "missing or are no probabilities"),
        ([0.1, 1.1], [True, False], "missing or are no probabilities"),
        ([0.1, 0.2], [False, False], "all 2 labels are the same"),
    ],
)
def test_measure_of_what_has_no_number_raises(spec, answers, labels, message):
    with pytest.raises(EvidenceError, match=message):
        measured(spec, answers, labels, "the rule")


def made_up(spec, rows=600):
    """Return rows of 20 entities on 15 days, and two models' answers to them."""
    generator = np.random.default_rng(4)
    labels = generator.random(rows) < 0.3
    carrier, origin, hour = spec.gold.entity
    frame = pd.DataFrame(
        {
            spec.gold.label: labels,
            spec.gold.decided_at: pd.Timestamp("2013-03-01")
            + pd.to_timedelta(np.arange(rows) % 15, "D"),
            carrier: generator.choice(["AA", "B6", "DL", "UA"], rows),
            origin: generator.choice(["EWR", "JFK", "LGA", "ISP", "HPN"], rows),
            hour: 8,
        }
    )
    answers = [expit(labels * strength + generator.normal(size=rows)) for strength in (1.5, 1.0)]
    return frame, answers


def by_entity(spec, **bounds):
    gate = spec.gate
    plausible = gate.plausible["roc_auc"].model_copy(update=bounds)
    pairing = gate.comparison.model_copy(update={"by": "entity"})
    changed = gate.model_copy(update={"comparison": pairing, "plausible": {"roc_auc": plausible}})
    return spec.model_copy(update={"gate": changed})


@pytest.mark.parametrize("unit", ["day", "entity"])
def test_compare_on_takes_rows_of_a_day_or_of_an_entity_together(spec, unit):
    rows, _ = made_up(spec)
    losses = np.random.default_rng(5).normal(size=len(rows))
    declared = by_entity(spec) if unit == "entity" else spec
    found = compare_on(rows, losses, np.zeros(len(rows)), declared, 0.0)
    names = rows[list(spec.gold.entity)].astype(str).agg("|".join, axis=1)
    clusters = names if unit == "entity" else rows[spec.gold.decided_at].astype(str)
    confidence = 1 - 2 * spec.gate.comparison.level
    expected = compare_by_cluster(losses, clusters, margin=0.0, confidence=confidence)
    assert found.clusters == {"day": 15, "entity": 20}[unit]
    assert found.standard_error == pytest.approx(expected.standard_error)


def test_compare_metric_where_each_row_is_its_own_entity_is_delongs(spec):
    rows, (answers, other) = made_up(spec)
    rows = rows.assign(**{spec.gold.entity[2]: np.arange(len(rows))})
    problem = problem_of(by_entity(spec, max_regret=0.01))
    found = compare_metric(problem, answers, other, rows)
    # DeLong, DeLong and Clarke-Pearson (1988), which test_roc checks against published numbers
    delong = compare_by_delong(rows[spec.gold.label], answers, other, margin=0.01, confidence=0.7)
    assert found.estimate == pytest.approx(delong.estimate)
    assert found.estimate < 0, "the first ranks better"
    assert found.standard_error == pytest.approx(delong.standard_error, rel=0.01)
    assert found.p_value == pytest.approx(delong.p_value, abs=0.001)


def test_compare_metric_of_a_kind_without_one_by_row_is_none(spec):
    rows, (answers, other) = made_up(spec)
    rows[spec.gold.label] = [True, *[False] * (len(rows) - 1)]
    assert compare_metric(problem_of(spec), answers, other, rows) is None
