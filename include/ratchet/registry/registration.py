"""Making a version of the best candidate of a training run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ratchet.registry.release import RELEASED_EVIDENCE_FILE, Manifest, Release, package
from ratchet.registry.tracking import CHALLENGER, VERDICT, Tracking
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import atomic_path
from ratchet.training import (
    CANDIDATE_FILE,
    MODEL_FILE,
    TIMING_FILE,
    Candidate,
    candidate_folder,
    load_candidate,
)
from ratchet.window import Window

if TYPE_CHECKING:
    from ratchet.evaluation import Evidence, Quality


def register(spec: Spec, window: Window, settings: Settings, reason: str) -> str:
    """Package and register the best candidate of a window; return its version.

    Logs a run for every candidate and baseline. The version has the alias `challenger` until it is
    promoted or refused. Running it again finds what is there and completes what is missing: what
    does the same is one version, and what was released first stays as it is.

    Parameters
    ----------
    reason
        Why the training was started, for the release and the runs' tags.

    Raises
    ------
    EvidenceError
        If the window was not evaluated, or its candidates are gone.
    """
    from ratchet.evaluation import load_evidence

    evidence = load_evidence(spec, window, settings)
    lake = settings.lake(spec.name)
    packaged = lake.work(window) / "release"
    shutil.rmtree(packaged, ignore_errors=True)
    with atomic_path(packaged) as draft:
        manifest = package(spec, window, evidence, settings, reason, draft)
    tracking = Tracking.of(spec, settings)
    return _release(
        tracking,
        window,
        manifest,
        packaged,
        lake.releases,
        lambda: _log_runs(spec, window, evidence, settings, tracking, packaged, reason),
    )


def register_refitted(judged: Release, made: Path, settings: Settings) -> str:
    """Package and register what a release was fitted again to; return its version.

    Parameters
    ----------
    made
        Folder that `ratchet.training.refit` wrote.
    """
    from ratchet.evaluation import Evidence

    spec, window = judged.spec, judged.window
    evidence = Evidence.model_validate_json(judged.read(RELEASED_EVIDENCE_FILE))
    lake = settings.lake(spec.name)
    packaged = lake.work(window) / "release-refitted"
    shutil.rmtree(packaged, ignore_errors=True)
    reason = judged.manifest.reason
    with atomic_path(packaged) as draft:
        refitted = (made, judged.version)
        manifest = package(spec, window, evidence, settings, reason, draft, refitted)
    tracking = Tracking.of(spec, settings)
    candidate = Candidate.model_validate_json((packaged / CANDIDATE_FILE).read_bytes())
    tags = {
        "snapshot": candidate.snapshot_id,
        "reason": reason,
        "role": "refitted",
        "name": candidate.estimator,
        "model": manifest.files[MODEL_FILE],
        "judged": judged.manifest.files[MODEL_FILE],
    }
    params = {"type": candidate.type, "seed": candidate.seed, **candidate.params}
    metrics = {"train_rows": float(candidate.train_rows)}
    version = _release(
        tracking,
        window,
        manifest,
        packaged,
        lake.releases,
        lambda: tracking.log_run(window, tags, params, metrics, packaged),
    )
    tracking.tag_verdict(judged.version, "refitted")
    return version


def _release(
    tracking: Tracking,
    window: Window,
    manifest: Manifest,
    packaged: Path,
    releases: Path,
    log: Callable[[], str],
) -> str:
    """Make a version of a package, once: what does the same is one version."""
    found = tracking.version(manifest.identity)
    if found is None:
        tracking.remove_unfinished_runs(window)
        tags = {
            "window": window.key,
            "snapshot": manifest.snapshot_id,
            "identity": manifest.identity,
            "candidate": manifest.candidate,
        }
        found = tracking.create_version(log(), tags)
    version = str(found.version)
    released = releases / version
    if not released.exists():
        with atomic_path(released) as draft:
            shutil.copytree(packaged, draft)
    if VERDICT not in found.tags:
        tracking.set_alias(CHALLENGER, version)
    return version


def _log_runs(
    spec: Spec,
    window: Window,
    evidence: Evidence,
    settings: Settings,
    tracking: Tracking,
    packaged: Path,
    reason: str,
) -> str:
    """Log all that was measured; return the id of the best candidate's run."""
    common = {"snapshot": evidence.snapshot_id, "reason": reason}
    for name, quality in evidence.baselines.items():
        tags = {**common, "role": "baseline", "name": name}
        tracking.log_run(window, tags, {}, _flat(quality))
    runs = {}
    for name, challenger in evidence.candidates.items():
        candidate = load_candidate(spec, window, name, evidence.snapshot_id, settings)
        folder = candidate_folder(spec, window, name, settings)
        timing = json.loads((folder / TIMING_FILE).read_bytes())
        series = _trials(candidate, timing.pop("trial_seconds", []))
        runs[name] = tracking.log_run(
            window,
            {**common, "role": "candidate", "name": name, "model": challenger.model_sha256},
            {"type": candidate.type, "seed": candidate.seed, **candidate.params},
            {
                **_flat(challenger.quality),
                **timing,
                "train_rows": candidate.train_rows,
                **{f"train_{name}": value for name, value in candidate.train_metrics.items()},
            },
            packaged if name == evidence.best else None,
            series,
        )
    return runs[evidence.best]


def _trials(candidate: Candidate, seconds: list[float]) -> dict[str, list[float | None]]:
    """Return what was tried as metrics by trial; what is no number stands in the record alone."""
    if candidate.search is None:
        return {}
    trials = candidate.search.trials
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    tried = {
        f"trial_{name}": [_as_number(trial.params.get(name)) for trial in trials] for name in names
    }
    costs = [trial.cost_per_unit for trial in trials]
    return {"trial_cost_per_unit": costs, "trial_seconds": [*seconds], **tried}


def _as_number(value: object) -> float | None:
    return None if value is None or isinstance(value, str) else float(cast(float, value))


def _flat(quality: Quality) -> dict[str, float]:
    return {"rows": quality.rows, "cost_per_unit": quality.cost_per_unit, **quality.metrics}
