"""What was accepted is fitted again, and becomes champion if it decides like what was judged."""

import hashlib
import json

import pytest
from champions_lake import accept
from examined import BLESSED
from model_lake import FIRST, fit

from ratchet.errors import EvidenceError, ReleaseError, TrainingError
from ratchet.ledger import Ledger
from ratchet.problems import Problem
from ratchet.registry import champion_at, load_release, promote, refit, register, reproduce
from ratchet.registry.refitting import register_refitted
from ratchet.registry.tracking import Tracking
from ratchet.reporting import leaderboard, write_card
from ratchet.spec.types import Refit, Search
from ratchet.training import Searched, Trial, dump_model, fitting, load_candidate
from ratchet.training import refit as fit_again
from ratchet.warehouse import load_snapshot


def asking(lake, most=50.0):
    """Let the use case ask for a refit; two decisions of a hundred cost another sum at most."""
    training = lake.spec.training.model_copy(update={"refit": Refit(max_change_per_unit=most)})
    lake.spec = lake.spec.model_copy(update={"training": training})


@pytest.fixture(autouse=True)
def blessing(monkeypatch):
    """Stand for the clean process, which takes seconds; return what it says."""
    said = {"failure": None}

    def bless(spec, candidate, packaged, rows, kept):
        found = hashlib.sha256((packaged / "model.skops").read_bytes()).hexdigest()
        return BLESSED.model_copy(update={"model_sha256": found, **said})

    monkeypatch.setattr("ratchet.evaluation.bless_in_clean_process", bless)
    return said


@pytest.fixture
def accepted(trained_lake):
    """Return a lake in which the gate has accepted version 1 of a use case that refits."""
    asking(trained_lake)
    version = register(trained_lake.spec, FIRST, trained_lake.settings, "new data")
    accept(trained_lake, version)
    return trained_lake


def run(lake, version="1"):
    return refit(lake.spec, FIRST, lake.settings, version)


def decisions(lake, kind="refit"):
    return Ledger(lake.lake.ledger).decisions(kind)


def released(lake, version):
    return load_release(lake.spec, version, lake.settings)


def verdicts(lake):
    client = Tracking.of(lake.spec, lake.settings).client
    versions = client.search_model_versions(f"name = '{lake.spec.name}'")
    return {str(found.version): found.tags.get("verdict") for found in versions}


def test_refit_is_the_same_estimator_on_all_labels_known_by_the_windows_end(accepted):
    version = run(accepted)
    judged, refitted = released(accepted, "1"), released(accepted, version)
    assert version == "2"
    spec, gold = accepted.spec, accepted.spec.gold
    snapshot = load_snapshot(spec, refitted.manifest.snapshot_id, accepted.settings)
    assert snapshot[gold.label_known_at].max() <= FIRST.end.replace(tzinfo=None)
    by_hand = dump_model(fit(spec, snapshot, refitted.candidate.estimator))
    assert refitted.read("model.skops") == by_hand != judged.read("model.skops")
    assert refitted.candidate.params == judged.candidate.params
    assert refitted.candidate.train_rows == len(snapshot) > judged.candidate.train_rows
    assert refitted.candidate.train_end == FIRST.end
    assert refitted.judged_train_end == judged.candidate.train_end
    rows = accepted.rows.tail(50)
    assert (refitted.judged_answers(rows) == judged.answers(rows)).all()
    assert (refitted.answers(rows) != judged.answers(rows)).any()
    # drift of answers is measured against what the judged model said to rows that it did not know
    assert refitted.profile.prediction == judged.profile.prediction
    assert refitted.expected_cost_per_unit == judged.expected_cost_per_unit


def test_refit_that_decides_alike_becomes_champion_with_both_hashes_recorded(accepted):
    version = run(accepted)
    promotion = promote(accepted.spec, FIRST, accepted.settings, version)
    judged, refitted = released(accepted, "1"), released(accepted, version)
    (decision,) = decisions(accepted)
    both = judged.manifest.files["model.skops"], refitted.manifest.files["model.skops"]
    assert (decision.subject["judged"], decision.subject["model"]) == both
    assert (promotion.evidence["judged_model"], promotion.subject["model"]) == both
    assert refitted.candidate.judged.model_sha256 == both[0]
    assert refitted.manifest.files["judged.skops"] == both[0]
    assert refitted.manifest.judged == "1"
    assert {clause.name for clause in decision.clauses} >= {"decides_alike", "served"}
    assert champion_at(accepted.spec, FIRST.end, accepted.settings).version == version
    assert verdicts(accepted) == {"1": "refitted", "2": "promoted"}
    sealed = json.loads((refitted.folder / "decisions.json").read_bytes())
    assert [each["kind"] for each in sealed] == ["release", "refit"]
    _, card = write_card(accepted.spec, version, accepted.settings)
    assert "Version 1 was judged" in card.read_text()
    assert "promoted as version 2" in leaderboard(
        accepted.spec, Ledger(accepted.lake.ledger), width=200
    ) or "long ago" in leaderboard(accepted.spec, Ledger(accepted.lake.ledger))


def test_refit_run_again_or_killed_between_its_steps_makes_one_version(accepted, monkeypatch):
    class KilledError(BaseException):
        pass

    def die(*args, **kwargs):
        raise KilledError

    for owner, step in ((fitting, "build_profile"), (Ledger, "record"), (Tracking, "log_run")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, step, die)
            with pytest.raises(KilledError):
                run(accepted)
    assert (run(accepted), run(accepted)) == ("2", "2")
    assert len(decisions(accepted)) == 1
    assert verdicts(accepted) == {"1": "refitted", "2": None}


def refused(lake, because):
    """Whether the judged version goes forward, for a reason, and nothing is tried again."""
    assert run(lake) == "1"
    (decision,) = decisions(lake)
    assert decision.verdict == "refused"
    assert because in " ".join(decision.reasons)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ratchet.registry.refitting.fit_again", None)
        assert run(lake) == "1"
    promote(lake.spec, FIRST, lake.settings, "1")
    assert champion_at(lake.spec, FIRST.end, lake.settings).version == "1"
    assert verdicts(lake) == {"1": "promoted"}
    sealed = json.loads((released(lake, "1").folder / "decisions.json").read_bytes())
    assert [each["kind"] for each in sealed] == ["release", "refit"]


def test_refit_that_decides_otherwise_stays_back(trained_lake):
    asking(trained_lake, most=1e-9)
    accept(trained_lake, register(trained_lake.spec, FIRST, trained_lake.settings, "new data"))
    refused(trained_lake, "more or less than by the model that was judged; 1e-09 is allowed")


def test_refit_that_can_not_be_served_stays_back(accepted, blessing):
    blessing["failure"] = "it was not done after 120 s"
    refused(accepted, "In a clean process it failed: it was not done after 120 s")


@pytest.mark.parametrize(
    ("step", "error"), [("fit", TrainingError), ("measure_fit", EvidenceError)]
)
def test_refit_that_can_not_be_fitted_stays_back(accepted, monkeypatch, step, error):
    def fail(*_):
        raise error("it did not converge")

    monkeypatch.setattr(Problem, step, fail)
    refused(accepted, "It could not be fitted again: it did not converge")


def test_refit_is_not_done_unless_the_spec_asks(trained_lake, monkeypatch):
    version = register(trained_lake.spec, FIRST, trained_lake.settings, "new data")
    monkeypatch.setattr("ratchet.registry.refitting.fit_again", None)
    assert run(trained_lake) == version
    assert decisions(trained_lake) == []


def test_promote_refitted_model_without_its_decision_raises(accepted, tmp_path):
    release = released(accepted, "1")
    made = tmp_path / "made"
    fit_again(release.spec, FIRST, release.folder, made, accepted.settings)
    version = register_refitted(release, made, accepted.settings)
    with pytest.raises(ReleaseError, match="refit decision on it must be 'accepted'; there is 'no"):
        promote(accepted.spec, FIRST, accepted.settings, version)


def test_reproduce_what_was_searched_for_and_fitted_again(trained_lake, monkeypatch):
    asking(trained_lake)
    lake, spec = trained_lake, trained_lake.spec
    for name, declared in spec.training.estimators.items():  # as if a search had ended with them
        path = lake.lake.work(FIRST) / "candidates" / name / "candidate.json"
        found = load_candidate(spec, FIRST, name, lake.snapshot_id(FIRST), lake.settings)
        trial = Trial(params=declared.params, cost_per_unit=23.0)
        searched = Searched(
            trials=(Trial(params={"C": 7}, failure="no"), trial),
            best=1,
            folds=(found.train_start,),
            rows=9,
            ended_by="seconds",
        )
        path.write_text(found.model_copy(update={"search": searched}).model_dump_json(indent=1))
        search = Search(trials=2, seconds=1, space={"max_iter": [1, 2]})
        declared = declared.model_copy(update={"search": search, "params": {"max_iter": 3}})
        estimators = {**lake.spec.training.estimators, name: declared}
        training = lake.spec.training.model_copy(update={"estimators": estimators})
        lake.spec = lake.spec.model_copy(update={"training": training})
    monkeypatch.setattr("ratchet.training.fitting.run_smoke", lambda *_: None)
    monkeypatch.setattr("ratchet.training.fitting.search", None)
    accept(lake, register(lake.spec, FIRST, lake.settings, "new data"))
    version = run(lake)
    assert version == "2"
    for each in ("1", version):
        assert reproduce(lake.spec, each, lake.settings).is_same
    run_id = Tracking.of(lake.spec, lake.settings).client.get_model_version("flights", "1").run_id
    history = Tracking.of(lake.spec, lake.settings).client.get_metric_history
    logged = {each.step: each.value for each in history(run_id, "trial_cost_per_unit")}
    assert logged == {1: 23.0}
    _, card = write_card(lake.spec, "1", lake.settings)
    assert "a faster machine would have tried more" in card.read_text()
