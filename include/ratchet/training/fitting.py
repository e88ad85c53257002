"""Fitting one candidate."""

from __future__ import annotations

import json
import platform
import shutil
import time
from importlib.metadata import version

import pandas as pd

from ratchet.errors import TrainingError
from ratchet.problems import fitted, problem_of
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import atomic_path
from ratchet.training.candidate import (
    CANDIDATE_FILE,
    HOLDOUT_FILE,
    MODEL_FILE,
    PROFILE_FILE,
    TIMING_FILE,
    Candidate,
    candidate_folder,
)
from ratchet.training.model import dump_model
from ratchet.training.profile import build_profile
from ratchet.training.smoke import run_smoke
from ratchet.training.splitting import split
from ratchet.training.weights import sample_weights
from ratchet.window import Window

_LIBRARIES = ("numpy", "pandas", "scikit-learn", "skops")


def train(
    spec: Spec, window: Window, snapshot_id: str, estimator: str, settings: Settings
) -> Candidate:
    """Fit one of the spec's estimators on a snapshot, and let it answer the holdout.

    A smoke run on a few rows goes first; see `ratchet.training.smoke`.

    The model is not fitted again on the holdout after it was judged: what the gate saw is what is
    deployed. Its folder in the window's work folder holds the model, the record that is returned,
    the drift reference, and its answers; running it again writes the same bytes.

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

    problem = problem_of(spec)
    parts = split(load_snapshot(spec, snapshot_id, settings), spec, window)
    gold, declared = spec.gold, spec.training.estimators[estimator]
    features, labels = parts.train[list(gold.features)], parts.train[gold.label]
    started = time.perf_counter()
    _refuse_empty(spec, features)
    run_smoke(problem, estimator, parts.train)
    model = fitted(
        problem.estimator(estimator),
        features,
        problem.target(labels),
        sample_weights(spec, parts.train, parts.cut),
        f"{spec.name}: training.estimators.{estimator}",
    )
    seconds = time.perf_counter() - started
    answers = problem.answer(model, parts.holdout)
    columns = problem.decide(answers, parts.holdout)
    candidate = Candidate(
        use_case=spec.name,
        window=window.key,
        snapshot_id=snapshot_id,
        estimator=estimator,
        type=declared.type,
        params=declared.params,
        trusted_types=tuple(sorted(declared.trusted_types)),
        seed=spec.training.seed,
        features={name: str(dtype) for name, dtype in features.dtypes.items()},
        train_rows=len(features),
        train_start=parts.train[gold.decided_at].min().tz_localize("UTC").to_pydatetime(),
        train_end=parts.cut,
        train_labels=problem.describe(labels),
        train_metrics=problem.measure_fit(model, parts.train.tail(len(parts.holdout))),
        holdout_rows=len(parts.holdout),
        versions={"python": platform.python_version(), **{n: version(n) for n in _LIBRARIES}},
    )
    folder = candidate_folder(spec, window, estimator, settings)
    shutil.rmtree(folder, ignore_errors=True)
    with atomic_path(folder) as draft:
        draft.mkdir()
        (draft / MODEL_FILE).write_bytes(dump_model(model, candidate.trusted_types))
        (draft / CANDIDATE_FILE).write_text(candidate.model_dump_json(indent=1))
        profile = build_profile(features, pd.Series(columns[spec.costs.watched]), spec)
        (draft / PROFILE_FILE).write_text(json.dumps(profile, indent=1))
        (draft / TIMING_FILE).write_text(json.dumps({"fit_seconds": seconds}))
        pd.DataFrame({gold.key: parts.holdout[gold.key].to_numpy(), **columns}).to_parquet(
            draft / HOLDOUT_FILE, index=False
        )
    return candidate


def _refuse_empty(spec: Spec, features: pd.DataFrame) -> None:
    if empty := features.columns[features.isna().all()].tolist():
        raise TrainingError(
            f"{spec.name}: {', '.join(empty)} has no value in any training row; "
            "mend its feed, or remove it from gold.features"
        )
