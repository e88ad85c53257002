"""Fitting candidates, and storing them."""

from ratchet.training.binning import Binned, count_bins, count_levels
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
    load_candidate,
)
from ratchet.training.fitting import refit, train
from ratchet.training.folds import earlier_folds
from ratchet.training.model import TRUSTED_TYPES, dump_model, load_model
from ratchet.training.profile import (
    SAMPLE_ROWS,
    Categorical,
    Column,
    Design,
    Numeric,
    Part,
    Profile,
    Segment,
    build_profile,
    count_parts,
    kind_of,
    sample_reference,
    segment_sql,
)
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
    "SAMPLE_FILE",
    "SAMPLE_ROWS",
    "TIMING_FILE",
    "TRUSTED_TYPES",
    "Binned",
    "Candidate",
    "Categorical",
    "Column",
    "Design",
    "Judged",
    "Numeric",
    "Part",
    "Profile",
    "Searched",
    "Segment",
    "Split",
    "Trial",
    "build_profile",
    "candidate_folder",
    "count_bins",
    "count_levels",
    "count_parts",
    "dump_model",
    "earlier_folds",
    "kind_of",
    "load_candidate",
    "load_model",
    "refit",
    "run_smoke",
    "sample_reference",
    "sample_weights",
    "segment_sql",
    "split",
    "train",
]
