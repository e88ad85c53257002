"""The checks on a snapshot as a whole, on real flights, and the decision that follows."""

import shutil

import duckdb
import pytest
from three_weeks import BASE, LATER

from ratchet.ledger import Ledger
from ratchet.quality import Finding, check_snapshot, judge_snapshot, read_findings, write_findings
from ratchet.quality.asof import last_as_of
from ratchet.settings import Settings
from ratchet.spec.types import Quality, Severity
from ratchet.warehouse import take_snapshot
from ratchet.window import Window

LAST = LATER[-1]


@pytest.fixture
def copy(three_weeks, tmp_path) -> Settings:
    """Return what is published of the three weeks, for a test to damage."""
    source, target = (
        home.lake("flights").published for home in (three_weeks, Settings(tmp_path, tmp_path))
    )
    target.parent.mkdir(parents=True)
    shutil.copyfile(source, target)
    return Settings(tmp_path, tmp_path)


@pytest.fixture
def check(copy, flights_spec):
    """Return a function that damages what is published, and checks the snapshot of it."""

    def run(damage=None, window=LAST):
        if damage:
            with duckdb.connect(copy.lake("flights").published) as connection:
                connection.execute(damage)
        snapshot = take_snapshot(flights_spec, window, copy)
        return check_snapshot(flights_spec, window, snapshot.id, copy)

    return run


def faults(findings):
    return {finding.name: finding.broken for finding in findings if finding.is_fault}


# fct_outcomes is a view in the published copy
OUTCOMES = "silver.int_flights__outcomes"

DAMAGE = {
    "known too late": (
        "update gold.feat_flights set weather_known_at = decision_at + interval '1 minute' "
        "where flight_id = '2013-01-14_B6_727_JFK'",
        {"known_too_late:feat_flights.weather_known_at": 1},
    ),
    "known at no moment": (
        "update gold.feat_flights set rates_known_at = null "
        "where flight_id = '2013-01-14_B6_727_JFK'",
        {
            f"known_at_missing:feat_flights.{name}": 1
            for name in (
                "carrier_rate_14d",
                "route_rate_28d",
                "origin_hour_rate_28d",
                "flight_number_rate_28d",
            )
        },
    ),
    "outcome known before": (
        f"update {OUTCOMES} set label_known_at = decision_at "
        "where flight_id = '2013-01-14_B6_727_JFK'",
        {"label_known_before_decision:feat_flights.label_known_at": 1},
    ),
    "decided twice": (
        "insert into gold.feat_flights by name select * replace (decision_at + interval "
        "'9 days' as decision_at) from gold.feat_flights where flight_id = "
        "'2013-01-05_AA_1_JFK'",
        {
            "decision_repeated:feat_flights.flight_id": 2,
            "label_known_before_decision:feat_flights.label_known_at": 1,
        },
    ),
}


def test_check_snapshot_clean_flights_have_no_fault_and_each_check_speaks(
    check, copy, flights_spec
):
    findings = check()
    assert faults(findings) == {}
    assert {finding.check for finding in findings} == {
        "known_too_late",
        "known_at_missing",
        "label_known_before_decision",
        "decision_repeated",
        "value_changed_later",
        "missing_until_labelled",
        "separates_label",
        "missingness_separates_label",
        "value_settles_label",
        "signal_gone",
        "as_of",
    }
    of_snapshot = [finding for finding in findings if finding.check != "as_of"]
    assert all(finding.rows > 0 for finding in of_snapshot)
    assert read_findings(flights_spec, LAST, copy, blocking=False) == of_snapshot


@pytest.mark.parametrize(("damage", "expected"), DAMAGE.values(), ids=DAMAGE)
def test_check_snapshot_wrong_moment_or_row_is_named(check, damage, expected):
    assert faults(check(damage)) == expected


def test_check_snapshot_value_that_changed_since_the_last_snapshot_is_named(check):
    assert faults(check(window=BASE)) == {}
    found = check(
        "update gold.feat_flights set origin_waiting = origin_waiting + 1, temperature_f = null "
        "where flight_id = '2013-01-05_AA_1_JFK'"
    )
    assert faults(found) == {
        "value_changed_later:feat_flights.origin_waiting": 1,
        "value_changed_later:feat_flights.temperature_f": 1,
    }


def test_check_snapshot_same_values_as_the_last_snapshot_are_compared(check):
    check(window=BASE)
    (compared,) = (f for f in check() if f.check == "value_changed_later")
    assert (compared.state, compared.rows > 5000) == ("ok", True)


def test_check_snapshot_again_says_the_same(check):
    assert check() == check()


LATE = next(iter(DAMAGE))
NAME = next(iter(DAMAGE[LATE][1]))


def test_judge_snapshot_blocks_until_the_fault_is_accepted_with_a_reason(
    check, flights_spec, tmp_path
):
    findings = check(DAMAGE[LATE][0])
    ledger = Ledger(tmp_path / "ledger")
    blocked = judge_snapshot(findings, flights_spec, LAST, "0123")
    assert (blocked.kind, blocked.verdict) == ("data", "blocked")
    assert blocked.subject == {"snapshot": "0123", "blocked_by": NAME}
    assert [clause.name for clause in blocked.clauses if not clause.passed] == [NAME]
    assert "knew the future" in blocked.reasons[0]

    quality = Quality(accepted={NAME: "The station's clock was a minute fast."})
    accepted = judge_snapshot(
        findings, flights_spec.model_copy(update={"quality": quality}), LAST, "0123"
    )
    assert accepted.verdict == "accepted"
    assert "a minute fast" in next(c.text for c in accepted.clauses if c.name == NAME)
    assert [ledger.record(d).verdict for d in (blocked, accepted, blocked)] == [
        "blocked",
        "accepted",
        "blocked",
    ]


def test_judge_snapshot_a_declared_warning_lets_through(check, flights_spec):
    warn = Severity(severity="warn", reason="We are told of it each morning.")
    quality = Quality(checks={"known_too_late": warn})
    spec = flights_spec.model_copy(update={"quality": quality})
    decision = judge_snapshot(check(DAMAGE[LATE][0]), spec, LAST, "0123")
    assert (decision.verdict, decision.subject["let_through"]) == ("accepted", NAME)


def test_judge_snapshot_clean_lists_what_was_looked_at(check, flights_spec):
    decision = judge_snapshot(check(), flights_spec, LAST, "0123")
    assert decision.verdict == "accepted"
    assert decision.subject == {"snapshot": "0123"}
    assert len(decision.clauses) == 11


FUTURE = Finding(
    check="as_of",
    subject="feat_flights",
    column="temperature_f",
    state="found",
    rows=9,
    broken=2,
    text="2 have another temperature_f",
)
RIGHT = FUTURE.model_copy(update={"column": None, "state": "ok", "broken": 0, "text": "the same"})
MONTH = Window(LATER[0].start, LATER[1].end)


@pytest.mark.parametrize(
    ("checks", "blocks"),
    [
        ({BASE: FUTURE}, True),
        ({BASE: FUTURE, LATER[1]: RIGHT}, False),
        ({BASE: RIGHT, LATER[1]: FUTURE}, True),
        ({MONTH: FUTURE, LATER[1]: RIGHT}, True),
        ({MONTH: RIGHT, LATER[1]: FUTURE}, True),
        ({LAST: FUTURE}, False),
    ],
    ids=["earlier", "superseded", "later", "same end", "same end, inside", "of the future"],
)
def test_last_as_of_check_up_to_the_window_counts(copy, flights_spec, checks, blocks):
    for window, finding in checks.items():
        write_findings(flights_spec, window, "as_of", [finding], copy)
    findings = last_as_of(flights_spec, LATER[1], copy)
    decision = judge_snapshot(findings, flights_spec, LATER[1], "0123")
    assert decision.verdict == ("blocked" if blocks else "accepted")
    assert decision.subject.get("blocked_by") == (FUTURE.name if blocks else None)

    quality = Quality(accepted={FUTURE.name: "The station sends corrections."})
    spec = flights_spec.model_copy(update={"quality": quality})
    assert judge_snapshot(findings, spec, LATER[1], "0123").verdict == "accepted"
