"""Fitting one candidate."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import time
from contextlib import suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from ratchet.errors import TrainingError
from ratchet.problems import Columns, Problem, problem_of
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import atomic_path, write_atomic
from ratchet.training.candidate import (
    CANDIDATE_FILE,
    EXPECTATIONS_FILE,
    HOLDOUT_FILE,
    JUDGED_FILE,
    MODEL_FILE,
    PROFILE_FILE,
    SAMPLE_FILE,
    TIMING_FILE,
    Candidate,
    Judged,
    candidate_folder,
)
from ratchet.training.expecting import expect_from_holdout
from ratchet.training.limits import memory_limited
from ratchet.training.model import dump_model
from ratchet.training.profile import Profile, build_profile, sample_reference
from ratchet.training.search import Searched, search
from ratchet.training.smoke import run_smoke
from ratchet.training.splitting import Split, all_known, split
from ratchet.training.weights import sample_weights
from ratchet.window import Window

_LIBRARIES = ("numpy", "pandas", "scikit-learn", "skops")


def train(
    spec: Spec,
    window: Window,
    snapshot_id: str,
    estimator: str,
    settings: Settings,
    searched: Searched | None = None,
) -> Candidate:
    """Fit one of the spec's estimators on a snapshot, and let it answer the holdout.

    A smoke run on a few rows goes first; see `ratchet.training.smoke`. Then parameters are
    searched for where the spec declares that; see `ratchet.training.search`.

    The model is not fitted again on the holdout before it is judged; see `refit`. Its folder in
    the window's work folder holds the model, the record that is returned, what drift is measured
    against, its answers, and what they let one expect of later ones; running it again writes the
    same bytes.

    Parameters
    ----------
    searched
        What a search came to: it is not done again then.

    Raises
    ------
    TrainingError
        If there are too few rows, a feature has no value in any of them, the parameters are wrong,
        the fit did not converge, or the smoke run failed.
    EvidenceError
        If there is no holdout.
    SnapshotError
        If the snapshot is not what its id says.
    """
    from ratchet.warehouse import load_snapshot

    declared = spec.training.estimators[estimator]
    folder = candidate_folder(spec, window, estimator, settings)
    with memory_limited(spec.training.resources.memory_mb, _where(spec)):
        parts = split(load_snapshot(spec, snapshot_id, settings), spec, window)
        _refuse_empty(spec, parts.train)
        weights = sample_weights(spec, parts.train, parts.cut)
        problem, tried = problem_of(spec), list[float]()
        started, cpu_started = time.perf_counter(), time.process_time()
        run_smoke(problem, estimator, parts.train)
        if searched is None and declared.search:
            kept = folder.parent.parent / "search" / estimator
            key = json.dumps([snapshot_id, _versions()])
            searched, tried = search(problem, estimator, parts.train, parts.cut, key, kept)
        params = searched.params if searched else declared.params
        problem = problem_of(spec.with_params(estimator, params))
        began_fit = time.perf_counter()
        model = problem.fit(estimator, parts.train, weights)
        timing = {
            "fit_seconds": time.perf_counter() - (began_fit if tried else started),
            "trial_seconds": tried,
            "cpu_seconds": time.process_time() - cpu_started,
        }
        columns = problem.decide(problem.answer(model, parts.holdout), parts.holdout)
        candidate = Candidate(
            use_case=spec.name,
            window=window.key,
            snapshot_id=snapshot_id,
            estimator=estimator,
            type=declared.type,
            params=params,
            trusted_types=tuple(sorted(declared.trusted_types)),
            seed=spec.training.seed,
            holdout_rows=len(parts.holdout),
            versions=_versions(),
            search=searched,
            **_learned(problem, model, parts.train, parts.cut, len(parts.holdout)),
        )
        shutil.rmtree(folder, ignore_errors=True)
        with atomic_path(folder) as draft:
            draft.mkdir()
            watched = pd.Series(columns[spec.costs.watched])
            profile = _profile(spec, candidate, parts, watched, folder.parent.parent / "profiles")
            _write(draft, spec, candidate, model, parts.train, profile)
            _write_answers(draft, spec, parts.holdout, columns)
            if expectations := expect_from_holdout(problem, parts.holdout, columns, window.end):
                (draft / EXPECTATIONS_FILE).write_text(expectations.model_dump_json(indent=1))
            (draft / TIMING_FILE).write_text(json.dumps(timing))
    return candidate


def refit(spec: Spec, window: Window, judged: Path, to: Path, settings: Settings) -> Candidate:
    """Fit a judged candidate again, on all labels that were known by the window's end.

    Its parameters, seed and preparation are the same; only the rows of the holdout, and those that
    matured during it, are added. The new folder is like a candidate's, with the judged model beside
    the refitted one. Drift of the answers is still measured against those that the judged model
    gave to the holdout, and what is expected of answers is what these let one expect: the refitted
    one has learned the holdout's labels.

    Parameters
    ----------
    judged
        Folder of the candidate, or of its release.
    to
        A folder that does not exist yet.

    Raises
    ------
    TrainingError, EvidenceError, SnapshotError
        As in `train`.
    """
    from ratchet.warehouse import load_snapshot

    before = Candidate.model_validate_json((judged / CANDIDATE_FILE).read_bytes())
    content = (judged / MODEL_FILE).read_bytes()
    with memory_limited(spec.training.resources.memory_mb, _where(spec)):
        snapshot = load_snapshot(spec, before.snapshot_id, settings)
        rows, holdout = all_known(snapshot, spec, window), split(snapshot, spec, window).holdout
        problem = problem_of(spec.with_params(before.estimator, before.params))
        started, cpu_started = time.perf_counter(), time.process_time()
        weights = sample_weights(spec, rows, window.end)
        model = problem.fit(before.estimator, rows, weights, ", fitted again,")
        timing = {
            "fit_seconds": time.perf_counter() - started,
            "trial_seconds": [],
            "cpu_seconds": time.process_time() - cpu_started,
        }
        columns = problem.decide(problem.answer(model, holdout), holdout)
        candidate = before.model_copy(
            update={
                **_learned(problem, model, rows, window.end, len(holdout)),
                "versions": _versions(),
                "judged": Judged(
                    model_sha256=hashlib.sha256(content).hexdigest(),
                    train_rows=before.train_rows,
                    train_end=before.train_end,
                ),
            }
        )
        with atomic_path(to) as draft:
            draft.mkdir()
            watched = pd.read_parquet(judged / HOLDOUT_FILE)[spec.costs.watched]
            profile = build_profile(spec, rows, holdout, watched)
            _write(draft, spec, candidate, model, rows, profile)
            _write_answers(draft, spec, holdout, columns)
            (draft / JUDGED_FILE).write_bytes(content)
            if (judged / EXPECTATIONS_FILE).exists():
                shutil.copyfile(judged / EXPECTATIONS_FILE, draft / EXPECTATIONS_FILE)
            (draft / TIMING_FILE).write_text(json.dumps(timing))
    return candidate


def _where(spec: Spec) -> str:
    return f"{spec.name}: training.resources"


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


def _learned(
    problem: Problem, model: Any, rows: pd.DataFrame, end: datetime, last: int
) -> dict[str, Any]:
    """Return what a record says of the rows that a model was fitted on."""
    gold, measured = problem.spec.gold, rows.tail(last)
    if problem.why_unmeasurable(measured[gold.label]):
        measured = rows  # as where a rare class is none of the last
    return {
        "features": {name: str(dtype) for name, dtype in rows[list(gold.features)].dtypes.items()},
        "train_rows": len(rows),
        "train_start": rows[gold.decided_at].min().tz_localize("UTC").to_pydatetime(),
        "train_end": end,
        "train_labels": problem.describe(rows[gold.label]),
        "train_metrics": problem.measure_fit(model, measured),
    }


def _write(
    draft: Path,
    spec: Spec,
    candidate: Candidate,
    model: Any,
    rows: pd.DataFrame,
    profile: Profile,
) -> None:
    (draft / MODEL_FILE).write_bytes(dump_model(model, candidate.trusted_types))
    (draft / CANDIDATE_FILE).write_text(candidate.model_dump_json(indent=1))
    (draft / PROFILE_FILE).write_text(profile.model_dump_json())
    sample_reference(spec, rows).to_parquet(draft / SAMPLE_FILE, index=False)


def _profile(
    spec: Spec, candidate: Candidate, parts: Split, watched: pd.Series, kept: Path
) -> Profile:
    """Describe a window's training rows once for all of its estimators.

    Parameters
    ----------
    kept
        Folder of profiles by what they depend on besides the window.
    """
    told = [spec.model_dump(mode="json"), candidate.snapshot_id, candidate.versions]
    path = kept / f"{hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()}.json"
    other: Profile | None = None
    with suppress(FileNotFoundError, ValueError):  # none yet, or of another version of Ratchet
        other = Profile.model_validate_json(path.read_bytes())
    profile = build_profile(spec, parts.train, parts.holdout, watched, other)
    if other is None:
        write_atomic(path, profile.model_dump_json().encode())
    return profile


def _write_answers(draft: Path, spec: Spec, holdout: pd.DataFrame, columns: Columns) -> None:
    answers = pd.DataFrame({spec.gold.key: holdout[spec.gold.key].to_numpy(), **columns})
    answers.to_parquet(draft / HOLDOUT_FILE, index=False)


def _refuse_empty(spec: Spec, rows: pd.DataFrame) -> None:
    features = rows[list(spec.gold.features)]
    if empty := features.columns[features.isna().all()].tolist():
        raise TrainingError(
            f"{spec.name}: {', '.join(empty)} has no value in any training row; "
            "mend its feed, or remove it from gold.features"
        )
