"""Making a version of the best candidate of a training run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ratchet.registry.release import package
from ratchet.registry.tracking import CHALLENGER, VERDICT, Tracking
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import atomic_path
from ratchet.training import TIMING_FILE, Candidate, candidate_folder, load_candidate
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
    found = tracking.version(manifest.identity)
    if found is None:
        tracking.remove_unfinished_runs(window)
        run_id = _log_runs(spec, window, evidence, settings, tracking, packaged, reason)
        tags = {
            "window": window.key,
            "snapshot": evidence.snapshot_id,
            "identity": manifest.identity,
        }
        found = tracking.create_version(run_id, {**tags, "candidate": evidence.best})
    version = str(found.version)
    released = lake.releases / version
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
