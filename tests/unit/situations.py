"""Weeks of a champion: what was observed in them, and what the policy looks at."""

from ratchet.incidents import Finding, Incident
from ratchet.monitoring import Observation, Performance
from ratchet.retraining import Situation
from ratchet.window import Window

WEEKS = [
    Window.parse(f"2013-{start}T0000--2013-{end}T0000")
    for start, end in [
        ("02-15", "02-22"),
        ("02-22", "03-01"),
        ("03-01", "03-08"),
        ("03-08", "03-15"),
    ]
]


def cohort(cost_per_unit: float | None) -> Performance:
    return Performance(
        window=WEEKS[-2].key,
        policy="decision",
        version="3",
        total=100,
        labelled=100,
        total_cost=100 * (cost_per_unit or 0),
        cost_per_unit=cost_per_unit,
        metrics={},
    )


def observed(**changes: object) -> Observation:
    """A quiet week of champion 3, with some changes."""
    quiet = Observation(
        use_case="flights",
        window=WEEKS[-1].key,
        champion="3",
        expected_cost_per_unit=23.0,
        realised=cohort(23.0),
        last_training=WEEKS[-2].key,
        new_labels=10,
    )
    return quiet.model_copy(update=changes)


def situation(**changes: object) -> Situation:
    """A quiet week with enough of everything."""
    quiet = Situation(observation=observed(), matured_labels=60_000, rare_labels=20_000)
    return quiet.model_copy(update=changes)


def new_labels(**changes: object) -> Situation:
    """A week in which new labels ask for a retraining."""
    return situation(observation=observed(new_labels=9000), **changes)


def judged(family: str, state: str = "found") -> Finding:
    """Return what was judged of a measure of a family, in the newest week."""
    return Finding(
        window=WEEKS[-1].key,
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
    """Return an open incident of a cause, that explains findings by their names."""
    return Incident(
        window=WEEKS[-1].key,
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
