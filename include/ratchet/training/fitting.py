"""Fitting one candidate."""

from __future__ import annotations

import json
import platform
import shutil
import time
import warnings
from importlib.metadata import version

import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from ratchet.errors import TrainingError
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
from ratchet.training.estimators import build_estimator
from ratchet.training.model import answer, dump_model
from ratchet.training.profile import build_profile
from ratchet.training.splitting import split
from ratchet.window import Window

_LIBRARIES = ("numpy", "pandas", "scikit-learn", "skops")


def train(
    spec: Spec, window: Window, snapshot_id: str, estimator: str, settings: Settings
) -> Candidate:
    """Fit one of the spec's estimators on a snapshot, and let it answer the holdout.

    The model is not fitted again on the holdout after it was judged: what the gate saw is what is
    deployed. Its folder in the window's work folder holds the model, the record that is returned,
    the drift reference, and its answers; running it again writes the same bytes.

    Raises
    ------
    TrainingError
        If there are too few rows, a feature has no value in any of them, the parameters are wrong,
        or the fit did not converge.
    EvidenceError
        If there is no holdout.
    SnapshotError
        If the snapshot is not what its id says.
    """
    from ratchet.warehouse import load_snapshot

    parts = split(load_snapshot(spec, snapshot_id, settings), spec, window)
    gold, declared = spec.gold, spec.training.estimators[estimator]
    features, label = parts.train[list(gold.features)], parts.train[gold.label]
    started = time.perf_counter()
    model = _fit(spec, estimator, features, label)
    seconds = time.perf_counter() - started
    answers = answer(model, parts.holdout, gold.features)
    candidate = Candidate(
        use_case=spec.name,
        window=window.key,
        snapshot_id=snapshot_id,
        estimator=estimator,
        type=declared.type,
        params=declared.params,
        seed=spec.training.seed,
        features={name: str(dtype) for name, dtype in features.dtypes.items()},
        train_rows=len(features),
        train_start=parts.train[gold.decided_at].min().tz_localize("UTC").to_pydatetime(),
        train_end=parts.cut,
        train_positive_share=float(label.mean()),
        train_roc_auc=_roc_auc(model, parts.train.tail(len(parts.holdout)), spec),
        holdout_rows=len(parts.holdout),
        versions={"python": platform.python_version(), **{n: version(n) for n in _LIBRARIES}},
    )
    folder = candidate_folder(spec, window, estimator, settings)
    shutil.rmtree(folder, ignore_errors=True)
    with atomic_path(folder) as draft:
        draft.mkdir()
        (draft / MODEL_FILE).write_bytes(dump_model(model))
        (draft / CANDIDATE_FILE).write_text(candidate.model_dump_json(indent=1))
        profile = build_profile(features, answers, spec)
        (draft / PROFILE_FILE).write_text(json.dumps(profile, indent=1))
        (draft / TIMING_FILE).write_text(json.dumps({"fit_seconds": seconds}))
        pd.DataFrame({gold.key: parts.holdout[gold.key], "probability": answers}).to_parquet(
            draft / HOLDOUT_FILE, index=False
        )
    return candidate


def _roc_auc(model: ClassifierMixin, rows: pd.DataFrame, spec: Spec) -> float:
    return float(roc_auc_score(rows[spec.gold.label], answer(model, rows, spec.gold.features)))


def _fit(spec: Spec, estimator: str, features: pd.DataFrame, label: pd.Series) -> ClassifierMixin:
    declared = spec.training.estimators[estimator]
    where = f"{spec.name}: training.estimators.{estimator}"
    if empty := features.columns[features.isna().all()].tolist():
        raise TrainingError(
            f"{spec.name}: {', '.join(empty)} has no value in any training row; "
            "mend its feed, or remove it from gold.features"
        )
    try:
        model = build_estimator(declared, spec.gold.features, spec.training.seed)
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("error", ConvergenceWarning)
            return model.fit(features, label)
    except ConvergenceWarning as error:
        raise TrainingError(
            f"{where} did not converge, so its answers are arbitrary; raise params.max_iter"
        ) from error
    except (TypeError, ValueError) as error:
        raise TrainingError(f"{where} can't be fitted: {error}; look at its params") from error
