"""Versions that were champion in turn, made of one training."""

import shutil

from model_lake import FIRST, ModelLake

from ratchet.decision import Clause, Decision
from ratchet.evaluation import load_evidence
from ratchet.ledger import Ledger
from ratchet.registry import load_release, register
from ratchet.storage import write_atomic

YES = Clause(name="gate", passed=True, observed="good", required="good", text="It is good.")


def accept(lake: ModelLake, version: str, verdict: str = "accepted") -> None:
    """Let the ledger say what the gate decided on a version."""
    manifest = load_release(lake.spec, version, lake.settings).manifest
    decision = Decision(
        kind="release",
        use_case=lake.spec.name,
        window=manifest.window,
        verdict=verdict,
        clauses=(YES,),
        subject={
            "candidate": manifest.candidate,
            "snapshot": manifest.snapshot_id,
            "model": manifest.files["model.skops"],
        },
    )
    Ledger(lake.lake.ledger).record(decision)


def costing(lake: ModelLake, in_vain: float) -> ModelLake:
    """Return the lake under a spec of another day, by which acting in vain costs another sum."""
    costs = lake.spec.costs.model_copy(update={"negative_acted_on": in_vain})
    return ModelLake(lake.spec.model_copy(update={"costs": costs}), lake.settings, lake.rows)


def release_again(lake: ModelLake, window, in_vain: float) -> str:
    """Let the first window's best candidate be a later window's, under other costs; accept it."""
    lake = costing(lake, in_vain)
    shutil.copytree(lake.lake.work(FIRST), lake.lake.work(window))
    evidence = load_evidence(lake.spec, FIRST, lake.settings)
    later = evidence.model_copy(update={"window": window.key})
    write_atomic(lake.lake.work(window) / "evidence.json", later.model_dump_json().encode())
    version = register(lake.spec, window, lake.settings, "drift")
    accept(lake, version)
    return version
