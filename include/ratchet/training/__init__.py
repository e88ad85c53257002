"""Fitting candidates, and storing them."""

from ratchet.training.candidate import (
    CANDIDATE_FILE,
    EXPECTATIONS_FILE,
    HOLDOUT_FILE,
    JUDGED_FILE,
    MODEL_FILE,
    PROFILE_FILE,
    TIMING_FILE,
    Candidate,
    Judged,
    candidate_folder,
    load_candidate,
)
from ratchet.training.fitting import refit, train
from ratchet.training.folds import earlier_folds
from ratchet.training.model import TRUSTED_TYPES, dump_model, load_model
from ratchet.training.profile import build_profile
from ratchet.training.search import Searched, Trial
from ratchet.training.smoke import run_smoke
from ratchet.training.splitting import Split, split
from ratchet.training.weights import sample_weights

__all__ = [
    "CANDIDATE_FILE",
    "EXPECTATIONS_FILE",
    "HOLDOUT_FILE",
    "JUDGED_FILE",
    "MODEL_FILE",
    "PROFILE_FILE",
    "TIMING_FILE",
    "TRUSTED_TYPES",
    "Candidate",
    "Judged",
    "Searched",
    "Split",
    "Trial",
    "build_profile",
    "candidate_folder",
    "dump_model",
    "earlier_folds",
    "load_candidate",
    "load_model",
    "refit",
    "run_smoke",
    "sample_weights",
    "split",
    "train",
]
