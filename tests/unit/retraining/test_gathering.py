"""Which findings ask for a retraining, and for which reason."""

import pytest
from situations import cohort, incident, judged, observed

from ratchet.incidents import Finding, Incident
from ratchet.retraining.gathering import alarms_of
from ratchet.spec import Spec


def reasons(findings: list[Finding], incidents: list[Incident], spec: Spec) -> list[str]:
    return [alarm.reason for alarm in alarms_of(observed(), findings, incidents, spec)]


@pytest.mark.parametrize(
    "family, reason",
    [
        ("performance", "realised_performance"),
        ("estimate", "estimated_performance"),
        ("feature_drift", "drift"),
        ("prediction_drift", "drift"),
        ("label_drift", "drift"),
        ("multivariate_drift", "drift"),
    ],
)
def test_alarms_finding_asks_for_its_reason_unless_a_fault_of_data_explains_it(
    spec: Spec, family: str, reason: str
):
    found = judged(family)
    assert reasons([found], [], spec) == [reason]
    assert reasons([judged(family, "watching")], [], spec) == []
    assert reasons([found], [incident("data", found.name)], spec) == []
    assert reasons([found], [incident("drift", found.name)], spec) == [reason]


@pytest.mark.parametrize("family", ["performance", "estimate"])
def test_alarms_model_that_does_better_than_expected_asks_for_nothing(spec: Spec, family: str):
    better = judged(family).model_copy(update={"direction": "down"})
    assert reasons([better], [], spec) == []


@pytest.mark.parametrize("family", ["missingness", "service"])
def test_alarms_finding_that_no_model_mends_asks_for_nothing(spec: Spec, family: str):
    assert reasons([judged(family)], [], spec) == []


def test_alarms_kpi_asks_where_it_moved_together_with_the_model(spec: Spec):
    kpi = judged("kpi")
    assert reasons([kpi], [incident("kpi", kpi.name)], spec) == []
    assert reasons([kpi], [incident("concept", kpi.name)], spec) == ["kpi"]


@pytest.mark.parametrize("increase, asks", [(0.0, []), (0.01, ["realised_performance"])])
def test_alarms_declared_limit_counts_where_nothing_was_measured(spec: Spec, increase, asks):
    worse = cohort(23.0 + spec.retraining.max_cost_increase_per_unit + increase)
    found = alarms_of(observed(realised=worse), [], [], spec)
    assert [alarm.reason for alarm in found] == asks
    measured = [judged("performance", "ok")]
    assert alarms_of(observed(realised=worse), measured, [], spec) == ()
