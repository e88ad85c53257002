"""Which findings ask for a retraining, and for which reason."""

import pytest
from situations import cohort, observed

from ratchet.incidents import Finding, Incident
from ratchet.retraining.gathering import alarms_of
from ratchet.spec import Spec

WINDOW = observed().window


def finding(family: str, state: str = "found") -> Finding:
    return Finding(
        window=WINDOW,
        family=family,
        rule="rule",
        subject="flights",
        rows=6000,
        is_enough=True,
        value=27.0,
        expected=23.0,
        effect=4.0,
        floor=3.0,
        null_limit=1.0,
        p_value=0.001,
        unit="points",
        reference="the gate",
        text=f"{family} moved.",
        state=state,
        seen=1,
        looked=1,
    )


def incident(cause: str, *silenced: str) -> Incident:
    return Incident(
        window=WINDOW,
        id="a1",
        fingerprint=f"{cause}:flights",
        cause=cause,
        severity="ticket",
        is_verify=False,
        title="Something",
        owner_name="Ada",
        owner_email="ada@example.org",
        silenced=silenced,
        last_good=None,
        lead="lead",
        value=None,
        threshold=None,
        unit=None,
        rows=1,
        text="It is so.",
    )


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
    found = finding(family)
    assert reasons([found], [], spec) == [reason]
    assert reasons([finding(family, "watching")], [], spec) == []
    assert reasons([found], [incident("data", found.name)], spec) == []
    assert reasons([found], [incident("drift", found.name)], spec) == [reason]


@pytest.mark.parametrize("family", ["missingness", "service"])
def test_alarms_finding_that_no_model_mends_asks_for_nothing(spec: Spec, family: str):
    assert reasons([finding(family)], [], spec) == []


def test_alarms_kpi_asks_where_it_moved_together_with_the_model(spec: Spec):
    kpi = finding("kpi")
    assert reasons([kpi], [incident("kpi", kpi.name)], spec) == []
    assert reasons([kpi], [incident("concept", kpi.name)], spec) == ["kpi"]


@pytest.mark.parametrize("increase, asks", [(0.0, []), (0.01, ["realised_performance"])])
def test_alarms_declared_limit_counts_where_nothing_was_measured(spec: Spec, increase, asks):
    worse = cohort(23.0 + spec.retraining.max_cost_increase_per_unit + increase)
    found = alarms_of(observed(realised=worse), [], [], spec)
    assert [alarm.reason for alarm in found] == asks
    measured = [finding("performance", "ok")]
    assert alarms_of(observed(realised=worse), measured, [], spec) == ()
