import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from examined import BLESSED, CALIBRATED, examined, slice_difference, slice_mean

from ratchet.errors import EvidenceError
from ratchet.evaluation import (
    BehaviourTest,
    Blessing,
    Challenger,
    Champion,
    Disturbance,
    Evidence,
    Quality,
    Slices,
    judge,
    load_evidence,
)
from ratchet.evaluation.evidence import required_of
from ratchet.evaluation.trial import only
from ratchet.settings import PROJECT, Settings
from ratchet.spec import load_spec
from ratchet.statistics import Comparison
from ratchet.storage import write_atomic
from ratchet.window import Window

WINDOW = Window.parse("2013-03-01T0000--2013-03-08T0000")
CUT = datetime(2013, 2, 22, tzinfo=UTC)
ROWS = 12_000
FLIGHTS = only(load_spec(PROJECT / "include" / "use_cases" / "flights.yaml"), "boosting")
EXAMINED = examined(FLIGHTS)
LEVEL = FLIGHTS.gate.comparison.level


@pytest.fixture(scope="module")
def spec():
    return FLIGHTS


def quality(cost, roc_auc=0.76, rows=ROWS):
    return Quality(
        rows=rows,
        cost_per_unit=cost,
        metrics={"roc_auc": roc_auc, "pr_auc": 0.58, "brier": 0.157, "log_loss": 0.48},
    )


def comparison(estimate=-0.5, margin=0.0, p_value=0.01, error=0.1, days=14):
    return Comparison(
        estimate=estimate,
        standard_error=error,
        degrees_of_freedom=days - 1,
        low=estimate - error,
        high=estimate + error,
        margin=margin,
        p_value=p_value,
        clusters=days,
        rows=ROWS,
    )


BETTER = comparison()
CHEAPER = comparison(-1.5, -0.1)
MAY_LOSE = FLIGHTS.gate.plausible["roc_auc"].max_regret
SAME_METRIC = comparison(0.0, MAY_LOSE, 0.01, 0.004)


def blessed(**changes):
    return BLESSED.model_copy(update=changes)


def answers(request):
    return BLESSED.refuses.model_copy(update={request: False})


def part(column, shrunken=0.0, adjusted=1.0, margin=0.5):
    found = slice_difference(column, margin)
    return found.model_copy(update={"shrunken": shrunken, "adjusted_p_value": adjusted})


def slices(declared=(), found=()):
    usual = EXAMINED.slices
    return {
        "slices": usual.model_copy(
            update={"declared": (*usual.declared, *declared), "found": found}
        )
    }


def metrics(worst):
    usual = EXAMINED.slices
    return {"slices": usual.model_copy(update={"metrics": (worst, *usual.metrics)})}


def sure(slope):
    return {"calibration": CALIBRATED.model_copy(update={"slope": slope})}


def group(shrunken, margin=0.0):
    usual = EXAMINED.fairness["origin=any"]
    against = part("origin", shrunken, margin=margin)
    return {"fairness": {"origin=JFK": usual.model_copy(update={"against_baseline": against})}}


def behaviour(name, observed, **other):
    required = required_of(FLIGHTS.evaluation.behaviour[name]) | other
    test = BehaviourTest(rows=1000, observed=observed, **required)
    return {"behaviour": EXAMINED.behaviour | {name: test}}


def disturbed(outcome):
    other = Disturbance(feature="origin", how="missing", outcome=outcome, cost_increase=None)
    return {"robustness": (*EXAMINED.robustness, other)}


def evidence(
    champion=BETTER,
    baseline=CHEAPER,
    roc_auc=0.76,
    blessing=BLESSED,
    rows=ROWS,
    examination=None,
    champion_end=CUT,
    candidates=1,
    days=14,
    by_metric=SAME_METRIC,
):
    one = Challenger(
        model_sha256="def",
        quality=quality(23.0, roc_auc, rows),
        train_metrics={"roc_auc": 0.78},
        train_end=CUT,
        against_champion=champion,
        against_baseline=baseline,
        metric_against_champion=champion and by_metric,
    )
    return Evidence(
        use_case="flights",
        window=WINDOW.key,
        snapshot_id="abc",
        holdout_start=CUT + timedelta(days=1),
        holdout_rows=rows,
        holdout_days=days,
        labels={"positive_share": 0.25},
        candidates={"boosting": one, **{f"other_{i}": one for i in range(1, candidates)}},
        baselines={"rule": quality(24.5, 0.66, rows), "constant": quality(26.6, 0.5, rows)},
        champion=champion
        and Champion(version="3", train_end=champion_end, quality=quality(23.5, rows=rows)),
        best="boosting",
        best_baseline="rule",
        examination=EXAMINED.model_copy(update={"blessing": blessing, **(examination or {})}),
    )


def failed(decision):
    return [clause.name for clause in decision.clauses if not clause.passed]


def test_gate_good_candidate_is_accepted(spec):
    decision = judge(evidence(), spec)
    assert (decision.kind, decision.verdict, failed(decision)) == ("release", "accepted", [])
    assert decision.subject == {"candidate": "boosting", "snapshot": "abc", "model": "def"}
    assert (
        "On the same flights it costs 0.50 (0.40 to 0.60) less than champion 3 (23.50 points per "
        "flight); that it is no better has a p-value of 0.010, of which 0.15 is allowed."
    ) in decision.reasons


FAULTS = [
    ({"rows": 4999}, "enough_rows"),
    ({"days": 11}, "enough_days"),
    ({"examination": {"folds": ()}}, "nothing_missing"),
    ({"roc_auc": 0.649}, "not_too_bad"),
    ({"roc_auc": 0.851}, "not_too_good"),
    ({"baseline": comparison(-0.2, -0.1, LEVEL + 0.001)}, "better_than_baseline"),
    ({"champion": comparison(-0.1, 0.0, LEVEL + 0.001)}, "better_than_champion"),
    # the best of two was chosen on these rows: twice the chance of a lucky one
    (
        {"champion": comparison(-0.1, 0.0, LEVEL / 2 + 0.001), "candidates": 2},
        "better_than_champion",
    ),
    ({"by_metric": comparison(0.01, MAY_LOSE, LEVEL + 0.001, 0.01)}, "not_worse_by_roc_auc"),
    ({"champion": comparison(-1.2, 0.0, 0.08, error=0.8)}, "enough_power"),
    ({"champion": comparison(-2.01)}, "gain_is_plausible"),
    ({"champion_end": CUT + timedelta(hours=1)}, "newer_than_champion"),
    ({"examination": slices([part("origin", 0.51)])}, "no_key_slice_loses"),
    ({"examination": metrics(slice_mean("origin", 0.59))}, "no_key_slice_too_bad"),
    ({"examination": slices(found=(part("distance_mi", 0.7, LEVEL),))}, "no_slice_proven_worse"),
    ({"examination": slices([part("origin", 0.3, LEVEL)])}, "no_slice_proven_worse"),
    ({"examination": group(0.01)}, "no_group_loses"),
    (
        {"examination": {"calibration": CALIBRATED.model_copy(update={"error": 0.111})}},
        "calibrated",
    ),
    *(({"examination": sure(slope)}, "rightly_sure") for slope in (0.64, 1.51, None)),
    *(
        ({"examination": behaviour(name, observed)}, f"behaves_{name}")
        for name, declared in FLIGHTS.evaluation.behaviour.items()
        for bounds in [required_of(declared)]
        for observed in (bounds["least"] - 0.01, bounds["most"] + 0.01, None)
    ),
    ({"examination": disturbed("impossible")}, "no_impossible_answers"),
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
]


@pytest.mark.parametrize(("worse", "clause"), FAULTS)
def test_gate_one_clause_failing_refuses(spec, worse, clause):
    decision = judge(evidence(**worse), spec)
    assert decision.verdict == "refused"
    assert failed(decision) == [clause]


def test_gate_every_clause_can_refuse(spec):
    names = {clause.name for clause in judge(evidence(), spec).clauses}
    assert {clause for _, clause in FAULTS} == names


@pytest.mark.parametrize(
    "limit",
    [
        {"rows": 5000},
        {"roc_auc": 0.65},
        {"roc_auc": 0.85},
        {"baseline": comparison(-0.2, -0.1, LEVEL)},
        {"days": 12},
        {"champion": comparison(-0.1, 0.0, LEVEL)},
        {"champion": comparison(-0.1, 0.0, LEVEL / 2), "candidates": 2},
        {"champion": comparison(-2.0)},
        {"by_metric": comparison(0.01, MAY_LOSE, LEVEL, 0.01)},
        {"champion": comparison(-1.2, 0.0, 0.05, error=0.5)},
        {"examination": metrics(slice_mean("origin", 0.591))},
        {"examination": sure(0.65)},
        {"examination": sure(1.5)},
        {"examination": slices([part("origin", 0.5)])},
        {"examination": slices(found=(part("distance_mi", 0.7, LEVEL + 0.001),))},
        {"examination": group(0.0)},
        {"examination": disturbed("refused")},
    ],
)
def test_gate_at_the_limit_accepts(spec, limit):
    assert judge(evidence(**limit), spec).verdict == "accepted"


def test_gate_first_model_needs_no_champion(spec):
    decision = judge(evidence(champion=None), spec)
    assert decision.verdict == "accepted"
    assert any("It is the first model" in clause.text for clause in decision.clauses)


def test_gate_equal_models_are_refused_without_a_number_that_is_none(spec):
    decision = judge(evidence(champion=comparison(0.0, 0.0, 1.0, error=0.0)), spec)
    assert failed(decision) == ["better_than_champion"]


def test_gate_two_days_at_a_low_level_are_refused_with_a_reason(spec):
    comparison_of = spec.gate.comparison.model_copy(update={"level": 0.01})
    strict = spec.model_copy(
        update={"gate": spec.gate.model_copy(update={"comparison": comparison_of})}
    )
    decision = judge(evidence(champion=comparison(days=2), days=2, candidates=3), strict)
    assert "enough_days" in failed(decision)
    assert "enough_power" in {clause.name for clause in decision.clauses}


def test_gate_margin_of_non_inferiority_accepts_what_is_not_worse(spec):
    gate = spec.gate.model_copy(update={"max_regret_per_unit": 0.2})
    tolerant = spec.model_copy(update={"gate": gate})
    decision = judge(evidence(champion=comparison(0.05, 0.2, 0.05)), tolerant)
    assert decision.verdict == "accepted"
    assert "not_worse_than_champion" in [clause.name for clause in decision.clauses]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"champion": comparison(margin=0.2)}, "tests a margin of 0.2, and the spec has 0;"),
        ({"by_metric": comparison()}, "tests a margin of 0, and the spec has 0.02;"),
        ({"baseline": comparison(margin=0.0)}, "tests a margin of 0, and the spec has -0.1;"),
        (
            {"examination": slices([part("origin", margin=2.0)])},
            "margin of 2, and the spec has 0.5",
        ),
        (
            {"examination": slices(found=(part("distance_mi", margin=2.0),))},
            "margin of 2, and the spec has 0.5",
        ),
        ({"examination": group(0.0, margin=2.0)}, "margin of 2, and the spec has 0;"),
        (
            {"examination": behaviour("calm_morning", 0.9, most=1.0)},
            "calm_morning requires something else than the spec; evaluate the window again",
        ),
    ],
)
def test_gate_evidence_of_other_margins_raises(spec, change, message):
    with pytest.raises(EvidenceError, match=message):
        judge(evidence(**change), spec)


@pytest.mark.parametrize("number", [math.nan, math.inf, None])
def test_gate_number_missing_raises(spec, number):
    found = evidence()
    best = found.candidates["boosting"]
    quality = best.quality.model_copy(update={"metrics": {"roc_auc": number}})
    broken = best.model_copy(update={"quality": quality})
    with pytest.raises(EvidenceError, match="not complete"):
        judge(found.model_copy(update={"candidates": {"boosting": broken}}), spec)


@pytest.mark.parametrize("other", [False, "0", None, []])
@pytest.mark.parametrize(
    "path",
    [
        ("candidates", "boosting", "against_champion", "p_value"),
        ("candidates", "boosting", "quality", "cost_per_unit"),
        ("candidates", "boosting", "quality", "metrics", "roc_auc"),
        ("examination", "calibration", "error"),
        ("examination", "slices", "metrics", 0, "shrunken"),
        ("examination", "slices", "declared", 0, "adjusted_p_value"),
    ],
)
def test_gate_what_is_no_number_raises(path, other):
    content = json.loads(evidence().model_dump_json())
    part = content
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = other
    with pytest.raises(ValueError, match=str(path[-1])):
        Evidence.model_validate_json(json.dumps(content))


def test_gate_metric_that_was_not_measured_raises(spec):
    found = evidence()
    best = found.candidates["boosting"]
    quality = best.quality.model_copy(update={"metrics": {"pr_auc": 0.58}})
    broken = best.model_copy(update={"quality": quality})
    with pytest.raises(EvidenceError, match="lacks roc_auc; evaluate the window again"):
        judge(found.model_copy(update={"candidates": {"boosting": broken}}), spec)


def test_gate_comparison_without_degrees_of_freedom_raises(spec):
    unknown = BETTER.model_copy(update={"degrees_of_freedom": None})
    with pytest.raises(EvidenceError, match="lacks its degrees of freedom"):
        judge(evidence(champion=unknown), spec)


@pytest.mark.parametrize(("searched", "found"), [(1, 0), (3, 2), (500, 9)])
def test_gate_searched_slices_that_are_missing_raise(spec, searched, found):
    usual = EXAMINED.slices.model_copy(
        update={"searched": searched, "found": (part("distance_mi"),) * found}
    )
    with pytest.raises(EvidenceError, match="slices that were searched are missing"):
        judge(evidence(examination={"slices": usual}), spec)


def test_gate_nan_prediction_difference_raises(spec):
    with pytest.raises(EvidenceError, match="not complete"):
        judge(evidence(blessing=blessed(max_difference=math.nan)), spec)


def test_gate_blessing_that_failed_refuses_all_of_it(spec):
    crashed = Blessing(
        model_sha256="def", model_bytes=60_000, failure="it ended with signal 9", other_versions={}
    )
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
            {"slices": Slices(rival="champion 3", declared=(), found=(), searched=0)},
            "evaluation.slices: origin",
        ),
    ],
)
def test_gate_what_is_declared_and_not_measured_refuses(spec, hole, told):
    found = evidence()
    examination = found.examination.model_copy(update=hole)
    decision = judge(found.model_copy(update={"examination": examination}), spec)
    assert "nothing_missing" in failed(decision)
    assert told in " ".join(decision.reasons)


def test_gate_declared_estimator_without_a_candidate_is_missing(spec):
    both = load_spec(PROJECT / "include" / "use_cases" / "flights.yaml")
    decision = judge(evidence(candidates=2), both)
    assert failed(decision) == ["nothing_missing"]
    assert "training.estimators.logistic was not" in " ".join(decision.reasons)


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


def test_load_evidence_without_the_other_versions_of_a_blessing_raises(spec, tmp_path):
    settings = Settings(tmp_path, tmp_path)
    content = json.loads(
        evidence(blessing=blessed(other_versions={"numpy": "1"})).model_dump_json()
    )
    del content["examination"]["blessing"]["other_versions"]
    path = settings.lake(spec.name).work(WINDOW) / "evidence.json"
    write_atomic(path, json.dumps(content).encode())
    with pytest.raises(EvidenceError, match=r"other_versions\s+Field required"):
        load_evidence(spec, WINDOW, settings)


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
