"""A bad champion is planted and goes by itself; a good one stays."""

import numpy as np
import pandas as pd
import pytest
from champions_lake import accept, release_again
from model_lake import FIRST, SECOND, THIRD, ModelLake
from situations import WEEKS, incident, judged

from ratchet.incidents import Finding
from ratchet.ledger import Ledger
from ratchet.problems import problem_of
from ratchet.registry import champion_at, champion_now, newcomer_at, promote, register, rollback
from ratchet.retraining import judge_bake, watch_champion
from ratchet.retraining.baking import passed_guardrails
from ratchet.serving import score
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.spec.types import Bake
from ratchet.statistics import Comparison


@pytest.fixture
def baking(trained_lake: ModelLake) -> ModelLake:
    """A lake in which version 2 took over from version 1, and decided a week."""
    lake = trained_lake
    bake = Bake(days=14, level=0.05, min_rows=100)
    retraining = lake.spec.retraining.model_copy(update={"bake": bake})
    lake.spec = lake.spec.model_copy(update={"retraining": retraining})
    version = register(lake.spec, FIRST, lake.settings, "by hand")
    accept(lake, version)
    promote(lake.spec, FIRST, lake.settings, version)
    score(lake.spec, SECOND, lake.settings)
    promote(lake.spec, SECOND, lake.settings, release_again(lake, SECOND, in_vain=11))
    score(lake.spec, THIRD, lake.settings)
    return lake


def answer(lake: ModelLake, better: float) -> None:
    """Let version 2 have answered its week nearer to what happened, or farther from it."""
    path = lake.lake.predictions / f"{THIRD.key}.parquet"
    stored = pd.read_parquet(path)
    own = (stored["role"] == "champion").to_numpy()
    gold = lake.spec.gold
    labels = lake.rows.set_index(gold.key)[gold.label].loc[stored.loc[own, gold.key]]
    moved = stored.loc[own, "probability"] + better * (labels.to_numpy() - 0.5)
    decided = problem_of(lake.spec).decide(np.clip(moved.to_numpy(), 0.01, 0.99), stored[own])
    for name, values in decided.items():
        stored.loc[own, name] = values
    stored.to_parquet(path, index=False)


def versions(lake: ModelLake) -> tuple[str, str]:
    now = champion_now(lake.spec, lake.settings)
    then = champion_at(lake.spec, THIRD.start, lake.settings)
    assert now is not None
    assert then is not None
    return then.version, now.version


def test_watch_champion_bad_one_is_taken_out_by_itself(baking: ModelLake):
    answer(baking, better=-0.5)
    decision = watch_champion(baking.spec, THIRD, baking.settings)
    assert decision is not None
    assert (decision.verdict, decision.subject) == (
        "rolled back",
        {"version": "2", "previous": "1"},
    )
    assert "version 1 would have cost" in decision.reasons[0]
    assert versions(baking) == ("2", "1")  # what it decided stays its own
    (change,) = Ledger(baking.lake.ledger).decisions("rollback")
    assert change.window == THIRD.key
    assert change.evidence["reason"] == " ".join(decision.reasons)


@pytest.mark.parametrize("better", [0.0, 0.3])
def test_watch_champion_good_one_stays(baking: ModelLake, better: float):
    answer(baking, better)
    decision = watch_champion(baking.spec, THIRD, baking.settings)
    assert decision is not None
    assert decision.verdict == "kept"
    assert versions(baking) == ("2", "2")
    assert Ledger(baking.lake.ledger).decisions("rollback") == []


def test_watch_champion_killed_between_decision_and_rollback_completes_it(
    baking: ModelLake, monkeypatch: pytest.MonkeyPatch
):
    answer(baking, better=-0.5)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("ratchet.registry.rollback", killed)
        with pytest.raises(KeyboardInterrupt):
            watch_champion(baking.spec, THIRD, baking.settings)
    assert versions(baking) == ("2", "2")
    for _ in range(2):
        watch_champion(baking.spec, THIRD, baking.settings)
        assert versions(baking) == ("2", "1")
    assert len(Ledger(baking.lake.ledger).decisions("rollback")) == 1


def test_watch_champion_first_one_and_one_that_came_back_are_not_watched(baking: ModelLake):
    spec, settings = baking.spec, baking.settings
    assert watch_champion(spec, SECOND, settings) is None
    rollback(spec, settings, reason="by hand", author="Ada")
    assert newcomer_at(spec, THIRD.end, settings) is None


def test_watch_champion_that_decides_for_long_is_no_longer_watched(baking: ModelLake):
    bake = baking.spec.retraining.bake.model_copy(update={"days": 6})
    retraining = baking.spec.retraining.model_copy(update={"bake": bake})
    spec = baking.spec.model_copy(update={"retraining": retraining})
    assert watch_champion(spec, THIRD, baking.settings) is None


def guardrail(state: str, rule: str = "guardrail", day: str = "2013-03-09") -> Finding:
    """Return what was judged of the hard limit of a KPI."""
    said = {"rule": rule, "text": "Too many wait.", "segment": day}
    return judged("kpi", state).model_copy(update=said)


@pytest.mark.parametrize(
    "before, now, told",
    [
        ([], [guardrail("found")], ("Too many wait.",)),
        ([guardrail("ok")], [guardrail("found")], ("Too many wait.",)),
        # the one before passed it as well, on a day of its own
        ([guardrail("found", day="2013-03-02")], [guardrail("found")], ()),
        ([], [guardrail("ok")], ()),
        ([], [guardrail("found", "season")], ()),  # a departure, and no hard limit
    ],
)
def test_passed_guardrails_are_those_that_were_kept_before(
    spec: Spec, tmp_path, monkeypatch: pytest.MonkeyPatch, before, now, told
):
    found = {SECOND.key: before, THIRD.key: now}
    where = "ratchet.retraining.baking"
    monkeypatch.setattr(f"{where}.scored_windows", lambda *_: [SECOND, THIRD])
    monkeypatch.setattr(f"{where}.known_incidents", lambda *_: [])
    monkeypatch.setattr(f"{where}.read_judged", lambda _, window, __: found[window.key])
    settings = Settings(tmp_path, tmp_path)
    assert passed_guardrails(spec, THIRD.start, THIRD, settings) == told
    explains = incident("data", guardrail("found").name)
    monkeypatch.setattr(f"{where}.known_incidents", lambda *_: [explains])
    assert passed_guardrails(spec, THIRD.start, THIRD, settings) == ()


def compared(p_value: float) -> Comparison:
    return Comparison(
        estimate=-1.0,
        standard_error=0.4,
        degrees_of_freedom=6,
        low=-2,
        high=0,
        margin=0,
        p_value=p_value,
        clusters=7,
        rows=6000,
    )


@pytest.mark.parametrize(
    "found, guardrails, verdict",
    [
        (compared(0.016), (), "rolled back"),
        (compared(0.018), (), "kept"),
        (None, (), "kept"),
        (None, ("Twice as many passengers wait.",), "rolled back"),
    ],
)
def test_judge_bake_shares_its_level_among_all_looks(spec: Spec, found, guardrails, verdict):
    # three looks in 21 days: 1 - .95^(1/3) = .01695 each, by Sidak
    decision = judge_bake("4", "3", WEEKS[-2], WEEKS[-1], found, guardrails, spec)
    assert decision.verdict == verdict
