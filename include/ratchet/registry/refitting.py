"""Fitting an accepted version again, on the holdout too, before it becomes champion.

The gate has accepted a model, and a later one of the same estimator, parameters and seed is not
judged again: there are no rows left that it has not seen. What it has to show instead is that it
decides like the one that was judged, and that it can be served. If it does not, the judged model
goes forward as it is: the gate's verdict was about that one, and stands. Either way the ledger
says so.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ratchet.decision import Clause, Decision
from ratchet.errors import EvidenceError, RatchetError, TrainingError
from ratchet.explanations import EXPLANATIONS_FILE
from ratchet.ledger import Ledger
from ratchet.registry.registration import register_refitted
from ratchet.registry.release import Release, load_release
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import write_atomic
from ratchet.training import HOLDOUT_FILE, MODEL_FILE, Candidate, split
from ratchet.training import refit as fit_again
from ratchet.window import Window

if TYPE_CHECKING:
    from ratchet.evaluation import Blessing


def refit(spec: Spec, window: Window, settings: Settings, version: str) -> str:
    """Fit an accepted version again; return the version that is to become champion.

    That is a new one, made of the refitted model with the judged one beside it; or the same one, if
    the spec that it was released with asks for no refit, or the refit was refused. The decision is
    recorded once: what was refused is not tried again.

    Raises
    ------
    ReleaseError, SnapshotError
        If the release or its snapshot is not intact.
    """
    release = load_release(spec, version, settings)
    if release.spec.training.refit is None:
        return version
    ledger = Ledger(settings.lake(spec.name).ledger)
    before = next(
        (
            decision
            for decision in ledger.decisions("refit")
            if (decision.window, decision.subject["version"]) == (window.key, version)
        ),
        None,
    )
    if before and before.verdict != "accepted":
        return version
    made = settings.lake(spec.name).work(window) / "refitted" / version
    shutil.rmtree(made, ignore_errors=True)
    try:
        candidate = fit_again(release.spec, window, release.folder, made, settings)
    except (TrainingError, EvidenceError) as error:
        ledger.record(_decide(release, "none", [_not_fitted(error)], {}))
        return version
    if before is None:
        before = ledger.record(_judge(release, candidate, made, settings))
    if before.verdict != "accepted":
        return version
    if release.explanations:
        write_atomic(made / EXPLANATIONS_FILE, release.read(EXPLANATIONS_FILE))
    return register_refitted(release, made, settings)


def _judge(release: Release, candidate: Candidate, made: Path, settings: Settings) -> Decision:
    """Compare a refitted model with the judged one, and have it served in a clean process."""
    from ratchet.evaluation import bless_in_clean_process, blessing_clauses
    from ratchet.warehouse import load_snapshot

    spec, window = release.spec, release.window
    snapshot = load_snapshot(spec, candidate.snapshot_id, settings)
    rows = split(snapshot, spec, window).holdout
    change = _change(release, made, rows[spec.gold.label])
    kept = settings.lake(spec.name).work(window) / "blessings"
    blessing: Blessing = bless_in_clean_process(spec, candidate, made, rows, kept)
    clauses = [*_agrees(spec, candidate, change, len(rows)), *blessing_clauses(blessing, spec)]
    evidence = {
        "change_per_unit": change,
        "rows": len(rows),
        "train_rows": candidate.train_rows,
        "blessing": json.loads(blessing.model_dump_json()),
    }
    return _decide(release, blessing.model_sha256, clauses, evidence)


def _change(release: Release, made: Path, labels: pd.Series) -> float:
    """Return how far, on average, what a decision costs moved, up or down."""
    stored = (
        pd.read_parquet(BytesIO(release.read(HOLDOUT_FILE))),
        pd.read_parquet(made / HOLDOUT_FILE),
    )
    then, now = (np.asarray(release.problem.losses_of(each, labels), float) for each in stored)
    return float(np.abs(now - then).mean())


def _agrees(spec: Spec, candidate: Candidate, change: float, rows: int) -> Iterator[Clause]:
    assert spec.training.refit is not None
    allowed, per_unit = (
        spec.training.refit.max_change_per_unit,
        f"{spec.costs.unit} per {spec.gold.unit}",
    )
    yield Clause(
        name="decides_alike",
        passed=change <= allowed,
        observed=change,
        required=allowed,
        text=f"Fitted again on {candidate.train_rows:,} {spec.gold.unit}s, the holdout among them, "
        f"it decides so that each of its {rows:,} {spec.gold.unit}s costs {change:.3f} {per_unit} "
        f"more or less than by the model that was judged; {allowed:g} is allowed.",
    )


def _not_fitted(error: RatchetError) -> Clause:
    return Clause(
        name="fitted",
        passed=False,
        observed="not fitted",
        required="fitted",
        text=f"It could not be fitted again: {error}",
    )


def _decide(
    release: Release, model: str, clauses: list[Clause], evidence: dict[str, object]
) -> Decision:
    return Decision(
        kind="refit",
        use_case=release.spec.name,
        window=release.manifest.window,
        verdict="accepted" if all(clause.passed for clause in clauses) else "refused",
        clauses=tuple(clauses),
        subject={
            "version": release.version,
            "snapshot": release.manifest.snapshot_id,
            "model": model,
            "judged": release.manifest.files[MODEL_FILE],
        },
        evidence=evidence,
    )
