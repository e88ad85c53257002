import math
from datetime import UTC, datetime, timedelta

import pytest
from examined import BLESSED, examined

from ratchet.errors import EvidenceError
from ratchet.evaluation import (
    Blessing,
    Challenger,
    Champion,
    Difference,
    Evidence,
    Quality,
    Slices,
    judge,
    load_evidence,
)
from ratchet.settings import PROJECT, Settings
from ratchet.spec import load_spec
from ratchet.spec.types import Gate
from ratchet.storage import write_atomic
from ratchet.window import Window

WINDOW = Window.parse("2013-03-01T0000--2013-03-08T0000")
CUT = datetime(2013, 2, 22, tzinfo=UTC)
ROWS = 12_000
GATE = Gate(
    plausible={"roc_auc": {"worst": 0.65, "best": 0.9}},
    min_saving_per_unit=0.1,
    max_regret_per_unit=0.0,
    min_holdout_rows=5000,
    max_prediction_difference=0.0,
)
SAME = Difference(mean_per_unit=-0.5, standard_error=0.2, days=14, t=-2.5)
FLIGHTS = load_spec(PROJECT / "include" / "use_cases" / "flights.yaml")


def quality(cost, roc_auc=0.76, rows=ROWS):
    return Quality(
        rows=rows,
        cost_per_unit=cost,
        metrics={"roc_auc": roc_auc, "pr_auc": 0.58, "brier": 0.157, "log_loss": 0.48},
    )


def blessed(**changes):
    return BLESSED.model_copy(update=changes)


def answers(request):
    return BLESSED.refuses.model_copy(update={request: False})


def evidence(
    cost=23.0, roc_auc=0.76, champion_cost=23.5, rule_cost=24.5, blessing=BLESSED, rows=ROWS
):
    champion = champion_cost and Champion(
        version="3", train_end=CUT, quality=quality(champion_cost, rows=rows)
    )
    return Evidence(
        use_case="flights",
        window=WINDOW.key,
        snapshot_id="abc",
        holdout_start=CUT,
        holdout_rows=rows,
        labels={"positive_share": 0.25},
        candidates={
            "boosting": Challenger(
                model_sha256="def",
                quality=quality(cost, roc_auc, rows),
                train_metrics={"roc_auc": 0.78},
                train_end=CUT,
                against_champion=SAME if champion else None,
                against_baseline=SAME,
            )
        },
        baselines={"rule": quality(rule_cost, 0.66, rows), "constant": quality(26.6, 0.5, rows)},
        champion=champion,
        best="boosting",
        best_baseline="rule",
        examination=examined(FLIGHTS, blessing),
    )


@pytest.fixture(scope="module")
def spec(spec):
    return spec.model_copy(update={"gate": GATE})


def failed(decision):
    return [clause.name for clause in decision.clauses if not clause.passed]


def test_gate_good_candidate_is_accepted(spec):
    decision = judge(evidence(), spec)
    assert (decision.kind, decision.verdict, failed(decision)) == ("release", "accepted", [])
    assert decision.subject == {"candidate": "boosting", "snapshot": "abc", "model": "def"}
    assert len(decision.clauses) == 11
    assert "On the same flights it costs 0.50 less than champion 3" in " ".join(decision.reasons)


@pytest.mark.parametrize(
    ("worse", "clause"),
    [
        ({"rows": 4999}, "enough_rows"),
        ({"roc_auc": 0.649}, "not_too_bad"),
        ({"roc_auc": 0.901}, "not_too_good"),
        ({"rule_cost": 23.05}, "better_than_baseline"),
        ({"champion_cost": 22.9}, "not_worse_than_champion"),
        ({"blessing": blessed(failure="it ended with signal 9")}, "served"),
        ({"blessing": blessed(other_versions={"numpy": "1.0"})}, "served"),
        ({"blessing": blessed(refuses=answers("missing_column"))}, "refuses_what_is_wrong"),
        ({"blessing": blessed(refuses=answers("wrong_type"))}, "refuses_what_is_wrong"),
        ({"blessing": blessed(refuses=answers("no_rows"))}, "refuses_what_is_wrong"),
        ({"blessing": blessed(ignores_unknown=False)}, "refuses_what_is_wrong"),
        ({"blessing": blessed(max_difference=1e-12)}, "same_answers"),
        ({"blessing": blessed(is_repeatable=False)}, "same_answers"),
        ({"blessing": blessed(row_p95_ms=1e6)}, "fast_enough"),
        ({"blessing": blessed(peak_memory_mb=1e6)}, "small_enough"),
    ],
)
def test_gate_one_clause_failing_refuses(spec, worse, clause):
    decision = judge(evidence(**worse), spec)
    assert decision.verdict == "refused"
    assert failed(decision) == [clause]


@pytest.mark.parametrize(
    "limit",
    [
        {"rows": 5000},
        {"roc_auc": 0.65},
        {"roc_auc": 0.9},
        {"cost": 23.0, "rule_cost": 23.125},
        {"cost": 23.0, "champion_cost": 23.0},
    ],
)
def test_gate_at_the_limit_accepts(spec, limit):
    assert judge(evidence(**limit), spec).verdict == "accepted"


def test_gate_first_model_needs_no_champion(spec):
    decision = judge(evidence(champion_cost=None), spec)
    assert decision.verdict == "accepted"
    assert any("It is the first model" in clause.text for clause in decision.clauses)


@pytest.mark.parametrize("number", [math.nan, math.inf, None])
def test_gate_number_missing_raises(spec, number):
    found = evidence()
    best = found.candidates["boosting"]
    quality = best.quality.model_copy(update={"metrics": {"roc_auc": number}})
    broken = best.model_copy(update={"quality": quality})
    with pytest.raises(EvidenceError, match="not complete"):
        judge(found.model_copy(update={"candidates": {"boosting": broken}}), spec)


def test_gate_metric_that_was_not_measured_raises(spec):
    found = evidence()
    best = found.candidates["boosting"]
    quality = best.quality.model_copy(update={"metrics": {"pr_auc": 0.58}})
    broken = best.model_copy(update={"quality": quality})
    with pytest.raises(EvidenceError, match="lacks roc_auc; evaluate the window again"):
        judge(found.model_copy(update={"candidates": {"boosting": broken}}), spec)


def test_gate_nan_prediction_difference_raises(spec):
    with pytest.raises(EvidenceError, match="not complete"):
        judge(evidence(blessing=blessed(max_difference=math.nan)), spec)


def test_gate_blessing_that_failed_refuses_all_of_it(spec):
    crashed = Blessing(model_sha256="def", model_bytes=60_000, failure="it ended with signal 9")
    assert failed(judge(evidence(blessing=crashed), spec)) == [
        "served",
        "refuses_what_is_wrong",
        "same_answers",
        "fast_enough",
        "small_enough",
    ]


@pytest.mark.parametrize(
    ("hole", "told"),
    [
        ({"calibration": None}, "calibration"),
        ({"robustness": ()}, "origin permuted, origin missing, origin out of range"),
        ({"behaviour": {}}, "evaluation.behaviour."),
        ({"folds": ()}, "2 of evaluation.folds"),
        ({"fairness": {}}, "evaluation.fairness: origin"),
        (
            {"slices": Slices(rival="champion 3", declared=(), found=(), searched=9)},
            "evaluation.slices: origin",
        ),
    ],
)
def test_gate_what_is_declared_and_not_measured_refuses(spec, hole, told):
    found = evidence()
    examination = found.examination.model_copy(update=hole)
    decision = judge(found.model_copy(update={"examination": examination}), spec)
    assert failed(decision) == ["nothing_missing"]
    assert told in " ".join(decision.reasons)


def test_gate_examination_of_another_model_raises(spec):
    other = examined(FLIGHTS, blessed(model_sha256="other"))
    with pytest.raises(EvidenceError, match="another model"):
        judge(evidence().model_copy(update={"examination": other}), spec)


@pytest.mark.parametrize(
    "change",
    [
        {"candidates": {}},
        {"baselines": {}},
        {"best": "logistic"},
        {"best_baseline": "coin"},
        {"holdout_rows": 0},
        {"holdout_rows": ROWS + 1},
        {"champion": None},
        {"holdout_start": CUT - timedelta(days=7)},
    ],
)
def test_gate_evidence_that_does_not_belong_together_raises(spec, change):
    with pytest.raises(EvidenceError, match="not complete"):
        judge(evidence().model_copy(update=change), spec)


def test_gate_champion_that_has_seen_the_holdout_raises(spec):
    found = evidence()
    champion = found.champion.model_copy(update={"train_end": CUT + timedelta(days=7)})
    with pytest.raises(EvidenceError, match="has seen labels of the holdout"):
        judge(found.model_copy(update={"champion": champion}), spec)


def test_gate_evidence_of_another_use_case_raises(spec):
    with pytest.raises(EvidenceError, match="of 'trains', not of 'flights'"):
        judge(evidence().model_copy(update={"use_case": "trains"}), spec)


def test_load_evidence_reads_what_was_written(spec, tmp_path):
    settings = Settings(tmp_path, tmp_path)
    path = settings.lake(spec.name).work(WINDOW) / "evidence.json"
    write_atomic(path, evidence().model_dump_json().encode())
    assert load_evidence(spec, WINDOW, settings) == evidence()


@pytest.mark.parametrize("content", [None, "", "{}", '{"use_case": "flights"}'])
def test_load_evidence_missing_or_incomplete_raises(spec, tmp_path, content):
    settings = Settings(tmp_path, tmp_path)
    if content is not None:
        path = settings.lake(spec.name).work(WINDOW) / "evidence.json"
        write_atomic(path, content.encode())
    with pytest.raises(EvidenceError, match="evaluate the window again"):
        load_evidence(spec, WINDOW, settings)
