"""What a training run hands on: a folder with a model, and a record of how it came about."""

from __future__ import annotations

from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, FiniteFloat

from ratchet.errors import EvidenceError
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.training.search import Searched
from ratchet.window import Window

CANDIDATE_FILE = "candidate.json"
MODEL_FILE = "model.skops"
PROFILE_FILE = "profile.json"
SAMPLE_FILE = "sample.parquet"
HOLDOUT_FILE = "holdout.parquet"
EXPECTATIONS_FILE = "expectations.json"
TIMING_FILE = "timing.json"
JUDGED_FILE = "judged.skops"
"""Of a refitted candidate: the model that the gate judged."""


class Judged(BaseModel):
    """What the gate saw of a candidate that was fitted again since: its model and its labels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_sha256: str
    train_rows: int
    train_end: AwareDatetime


class Candidate(BaseModel):
    """A freshly trained version.

    `train_end` is the moment up to which labels were used: nothing that became known later went
    into the model. `features` maps names to the dtypes that the model was fitted on, and
    `trusted_types` are those of a use case's own estimator that its file may hold. `train_labels`
    sums up the labels. `train_metrics` were measured on the last of the training rows, as many as
    the holdout has, or on all where nothing can be measured on these: far better than the
    holdout's, they tell of over-fitting. The record holds
    nothing that differs between two trainings on the same snapshot, so it can be hashed; how long
    it took stands in a file of its own.

    `search` is what `params` were found by; with a search that ran out of seconds, two trainings
    may differ. `judged` is there if it was fitted again on the holdout.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    use_case: str
    window: str
    snapshot_id: str
    estimator: str
    type: str
    params: dict[str, float | int | str | bool]
    trusted_types: tuple[str, ...] = ()
    seed: int
    features: dict[str, str]
    train_rows: int
    train_start: AwareDatetime
    train_end: AwareDatetime
    train_labels: dict[str, FiniteFloat]
    train_metrics: dict[str, FiniteFloat]
    holdout_rows: int
    versions: dict[str, str]
    search: Searched | None = None
    judged: Judged | None = None


def candidate_folder(spec: Spec, window: Window, estimator: str, settings: Settings) -> Path:
    """Return the folder of one estimator's candidate in a training run."""
    return settings.lake(spec.name).work(window) / "candidates" / estimator


def load_candidate(
    spec: Spec, window: Window, estimator: str, snapshot_id: str, settings: Settings
) -> Candidate:
    """Read the record of a candidate.

    Raises
    ------
    EvidenceError
        If the candidate is missing, unreadable, or was trained on another snapshot.
    """
    path = candidate_folder(spec, window, estimator, settings) / CANDIDATE_FILE
    try:
        candidate = Candidate.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValueError) as error:
        raise EvidenceError(f"{path} is not a candidate: {error}; train it again") from error
    if candidate.snapshot_id != snapshot_id:
        raise EvidenceError(
            f"{path} was trained on snapshot {candidate.snapshot_id}, not on {snapshot_id}; "
            "train it again"
        )
    return candidate
