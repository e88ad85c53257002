from datetime import UTC, datetime

import pytest
from examined import examined

from ratchet.cli import main
from ratchet.decision import Decision
from ratchet.evaluation import Challenger, Champion, Evidence, Quality, judge
from ratchet.ledger import Ledger
from ratchet.reporting import leaderboard
from ratchet.statistics import Comparison

CUT = datetime(2013, 2, 22, tzinfo=UTC)
FIRST, SECOND = "2013-03-01T0000--2013-03-08T0000", "2013-03-08T0000--2013-03-15T0000"


PROMOTED = "promoted as version 1"


def quality(cost, roc_auc):
    return Quality(rows=12_000, cost_per_unit=cost, metrics={"roc_auc": roc_auc})


def comparison(estimate, margin):
    return Comparison(
        estimate=estimate,
        standard_error=0.1,
        degrees_of_freedom=13,
        low=estimate - 0.15,
        high=estimate + 0.15,
        margin=margin,
        p_value=0.01,
        clusters=14,
        rows=12_000,
    )


def decision(spec, window, verdict, costs, champion=None):
    """Return a release decision on candidates of these costs, against a rule of 24.5."""
    candidates = {
        name: Challenger(
            model_sha256="def",
            quality=quality(cost, 0.75),
            train_metrics={"roc_auc": 0.78},
            train_end=CUT,
            against_champion=comparison(cost - champion, spec.gate.max_regret_per_unit)
            if champion
            else None,
            against_baseline=comparison(cost - 24.5, -spec.gate.min_saving_per_unit),
            metric_against_champion=comparison(-0.01, spec.gate.plausible["roc_auc"].max_regret)
            if champion
            else None,
        )
        for name, cost in costs.items()
    }
    found = Evidence(
        use_case="flights",
        window=window,
        snapshot_id="abc",
        holdout_start=CUT,
        holdout_days=14,
        holdout_rows=12_000,
        labels={"positive_share": 0.25},
        candidates=candidates,
        baselines={"rule": quality(24.5, 0.66), "constant": quality(26.6, 0.5)},
        champion=Champion(version="1", train_end=CUT, quality=quality(champion, 0.74))
        if champion
        else None,
        best=min(costs, key=costs.get),
        best_baseline="rule",
        examination=examined(spec),
    )
    return judge(found, spec).model_copy(update={"verdict": verdict})


@pytest.fixture
def ledger(spec, fake_lake):
    ledger = Ledger(fake_lake.lake.ledger)
    both = {"boosting": 23.0, "logistic": 23.4}
    # recorded in another order than that of time: an old window was replayed
    ledger.record(decision(spec, SECOND, "refused", {"boosting": 23.9}, champion=23.2))
    ledger.record(decision(spec, FIRST, "accepted", both))
    subject = {"version": "1", "snapshot": "abc", "model": "def"}
    promotion = {"kind": "promotion", "use_case": "flights", "window": FIRST}
    ledger.record(Decision(**promotion, verdict="promoted", clauses=(), subject=subject))
    return ledger


def cells(text):
    """Return the table's rows, each a list of its cells."""
    rows = [
        [cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.split("\n")
    ]
    heading = next(at for at, row in enumerate(rows) if row[:1] == ["judged"])
    return [row for row in rows[heading + 2 : -1] if len(row) > 1]


def test_leaderboard_lists_newest_first_and_cheapest_on_top(spec, ledger):
    assert cells(leaderboard(spec, ledger)) == [
        ["2013-03-15", "version 1", "0.740", "23.20", "champion"],
        ["boosting", "0.750", "23.90", "0.60 (0.45 to 0.75)", "refused"],
        ["rule", "0.660", "24.50", "baseline"],
        ["constant", "0.500", "26.60", "baseline"],
        [
            "2013-03-08",
            "boosting",
            "0.750",
            "23.00",
            "1.50 (1.35 to 1.65)",
            "promoted as version 1",
        ],
        ["logistic", "0.750", "23.40", "1.10 (0.95 to 1.25)", "not the best"],
        ["rule", "0.660", "24.50", "baseline"],
        ["constant", "0.500", "26.60", "baseline"],
    ]
    assert spec.costs.assumption in leaderboard(spec, ledger, width=400)


def test_leaderboard_evidence_that_measured_otherwise_is_still_listed(spec, fake_lake):
    ledger = Ledger(fake_lake.lake.ledger)
    found = decision(spec, FIRST, "refused", {"boosting": 23.0})
    ledger.record(found.model_copy(update={"evidence": {"cost": 23.0}}))
    assert cells(leaderboard(spec, ledger)) == [["2013-03-08", "boosting", "refused, long ago"]]


def test_leaderboard_without_a_decision_says_so(spec, fake_lake):
    assert leaderboard(spec, Ledger(fake_lake.lake.ledger)) == (
        "flights: no candidate was judged yet\n"
    )


def test_cli_leaderboard_prints_it(spec, ledger, fake_lake, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")  # a narrow terminal breaks lines
    monkeypatch.setattr("ratchet.cli._spec", lambda _: spec)
    monkeypatch.setattr("ratchet.cli._ledger", lambda _: ledger)
    assert main(["leaderboard"]) == 0
    assert PROMOTED in capsys.readouterr().out
