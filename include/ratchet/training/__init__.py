"""Fitting candidates, and storing them."""

from ratchet.training.candidate import (
    CANDIDATE_FILE,
    HOLDOUT_FILE,
    MODEL_FILE,
    PROFILE_FILE,
    TIMING_FILE,
    Candidate,
    candidate_folder,
    load_candidate,
)
from ratchet.training.fitting import train
from ratchet.training.model import TRUSTED_TYPES, dump_model, load_model
from ratchet.training.profile import build_profile
from ratchet.training.smoke import run_smoke
from ratchet.training.splitting import Split, split
from ratchet.training.weights import sample_weights

__all__ = [
    "CANDIDATE_FILE",
    "HOLDOUT_FILE",
    "MODEL_FILE",
    "PROFILE_FILE",
    "TIMING_FILE",
    "TRUSTED_TYPES",
    "Candidate",
    "Split",
    "build_profile",
    "candidate_folder",
    "dump_model",
    "load_candidate",
    "load_model",
    "run_smoke",
    "sample_weights",
    "split",
    "train",
]
