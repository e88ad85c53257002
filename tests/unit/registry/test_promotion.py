from datetime import timedelta

import pytest
from model_lake import FIRST, SECOND

from ratchet.decision import Clause, Decision
from ratchet.errors import ReleaseError
from ratchet.evaluation import evaluate, judge, load_evidence
from ratchet.ledger import Ledger
from ratchet.registry import (
    champion_at,
    first_champion,
    ledger_anchors,
    promote,
    refuse,
    register,
)
from ratchet.registry.tracking import Tracking
from ratchet.training import train


def record(lake, decision):
    return Ledger(lake.lake.ledger).record(decision)


def registry(lake):
    client = Tracking.of(lake.spec, lake.settings).client
    versions = client.search_model_versions(f"name = '{lake.spec.name}'")
    aliases = client.get_registered_model(lake.spec.name).aliases
    aliases = {alias: str(version) for alias, version in aliases.items()}
    return aliases, {str(v.version): v.tags.get("verdict") for v in versions}


@pytest.fixture
def registered(trained_lake):
    version = register(trained_lake.spec, FIRST, trained_lake.settings, "by hand")
    return trained_lake, version


@pytest.fixture
def accepted(registered):
    lake, version = registered
    decision = record(lake, judge(load_evidence(lake.spec, FIRST, lake.settings), lake.spec))
    assert decision.verdict == "accepted"
    return lake, version


@pytest.fixture
def second(accepted):
    """Promote the first champion; let a second version wait for its own promotion."""
    lake, version = accepted
    promote(lake.spec, FIRST, lake.settings, version)
    quick = {"logistic": lake.spec.training.estimators["logistic"]}
    training = lake.spec.training.model_copy(update={"estimators": quick})
    gate = lake.spec.gate.model_copy(update={"max_regret_per_unit": 10.0})
    lake.spec = lake.spec.model_copy(update={"training": training, "gate": gate})
    spec, settings = lake.spec, lake.settings
    train(spec, SECOND, lake.snapshot_id(SECOND), "logistic", settings)
    evidence = evaluate(spec, SECOND, lake.snapshot_id(SECOND), settings)
    assert evidence.champion.version == version
    record(lake, judge(evidence, spec))
    return lake, register(spec, SECOND, settings, "by hand")


def test_promote_without_the_gate_raises(registered):
    lake, version = registered
    with pytest.raises(ReleaseError, match=r"must be 'accepted'; there is 'no decision'"):
        promote(lake.spec, FIRST, lake.settings, version)
    assert champion_at(lake.spec, FIRST.end, lake.settings) is None


def test_promote_what_the_gate_refused_raises(registered):
    lake, version = registered
    gate = lake.spec.gate.model_copy(update={"min_holdout_rows": 5000})
    strict = lake.spec.model_copy(update={"gate": gate})
    record(lake, judge(load_evidence(lake.spec, FIRST, lake.settings), strict))
    with pytest.raises(ReleaseError, match="there is 'refused'"):
        promote(lake.spec, FIRST, lake.settings, version)


def test_promote_accepted_becomes_champion_from_the_windows_end(accepted):
    lake, version = accepted
    decision = promote(lake.spec, FIRST, lake.settings, version)
    assert (decision.kind, decision.verdict) == ("promotion", "promoted")
    assert set(decision.subject) == {"version", "snapshot", "model"}
    champion = champion_at(lake.spec, FIRST.end, lake.settings)
    assert champion.version == version
    assert champion_at(lake.spec, FIRST.end - timedelta(minutes=1), lake.settings) is None
    assert registry(lake) == ({"champion": "1"}, {"1": "promoted"})


def test_promote_again_changes_nothing(accepted):
    lake, version = accepted
    first = promote(lake.spec, FIRST, lake.settings, version)
    assert promote(lake.spec, FIRST, lake.settings, version) == first
    assert len(Ledger(lake.lake.ledger).decisions("promotion")) == 1
    assert register(lake.spec, FIRST, lake.settings, "by hand") == version
    assert registry(lake) == ({"champion": "1"}, {"1": "promoted"})


def test_promote_lets_mlflow_remember_its_entry_and_names_the_release(accepted):
    lake, version = accepted
    assert ledger_anchors(lake.spec, lake.settings) == []
    promote(lake.spec, FIRST, lake.settings, version)
    ledger = Ledger(lake.lake.ledger)
    (anchor,) = ledger_anchors(lake.spec, lake.settings)
    assert (str(anchor), anchor.where) == (str(ledger.head()), "MLflow's version 1")
    assert ledger.verify([anchor]) == []
    manifest = lake.lake.releases / version / "release.json"
    manifest.write_bytes(manifest.read_bytes() + b" ")
    (fault,) = ledger.verify()
    assert "its evidence releases/1/release.json is not what it was" in fault


def test_promote_later_version_takes_over_and_the_first_stays_known(second):
    lake, version = second
    assert registry(lake)[0] == {"champion": "1", "challenger": "2"}
    promote(lake.spec, SECOND, lake.settings, version)
    assert champion_at(lake.spec, SECOND.start, lake.settings).version == "1"
    assert champion_at(lake.spec, SECOND.end, lake.settings).version == "2"
    assert first_champion(lake.spec, lake.settings).version == "1"
    assert registry(lake) == ({"champion": "2"}, {"1": "promoted", "2": "promoted"})


def test_promote_older_window_again_leaves_the_champion(second):
    lake, version = second
    promote(lake.spec, SECOND, lake.settings, version)
    promote(lake.spec, FIRST, lake.settings, "1")
    assert registry(lake)[0] == {"champion": "2"}


def test_promote_version_of_another_window_raises(second):
    lake, version = second
    with pytest.raises(ReleaseError, match=f"version {version} is of {SECOND.key}"):
        promote(lake.spec, FIRST, lake.settings, version)


def test_promote_at_level_0_needs_a_person(accepted):
    lake, version = accepted
    manual = lake.spec.model_copy(update={"level": 0})
    with pytest.raises(ReleaseError, match="approval decision on it must be 'approved'"):
        promote(manual, FIRST, lake.settings, version)
    clause = Clause(
        name="person_approves", passed=True, observed="Approve", required="Approve", text="Yes."
    )
    approval = Decision(
        kind="approval",
        use_case=lake.spec.name,
        window=FIRST.key,
        verdict="approved",
        clauses=(clause,),
        subject={"version": version},
    )
    record(lake, approval)
    assert promote(manual, FIRST, lake.settings, version).verdict == "promoted"


def test_refuse_takes_the_alias_and_leaves_the_champion(second):
    lake, version = second
    refuse(lake.spec, SECOND, lake.settings, version)
    expected = ({"champion": "1"}, {"1": "promoted", "2": "refused"})
    assert registry(lake) == expected
    refuse(lake.spec, SECOND, lake.settings, version)
    assert register(lake.spec, SECOND, lake.settings, "by hand") == version
    assert registry(lake) == expected


def test_champion_at_release_that_was_exchanged_raises(accepted):
    lake, version = accepted
    promote(lake.spec, FIRST, lake.settings, version)
    manifest = lake.lake.releases / version / "release.json"
    manifest.chmod(0o644)
    manifest.write_text(manifest.read_text().replace('"lock_sha256": "', '"lock_sha256": "0'))
    with pytest.raises(ReleaseError, match="not what was promoted"):
        champion_at(lake.spec, FIRST.end, lake.settings)


def test_first_champion_without_any_is_none(model_lake):
    assert first_champion(model_lake.spec, model_lake.settings) is None
