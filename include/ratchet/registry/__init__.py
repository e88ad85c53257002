"""Releases: packaging, promoting, going back, and finding the champion of a moment."""

from ratchet.registry.champions import (
    Newcomer,
    champion_at,
    champion_now,
    first_champion,
    newcomer_at,
)
from ratchet.registry.promotion import ledger_anchors, promote, refuse
from ratchet.registry.refitting import refit
from ratchet.registry.registration import register
from ratchet.registry.release import RELEASED_EVIDENCE_FILE, Release, load_release
from ratchet.registry.reproduction import Reproduction, answers_on_holdout, reproduce
from ratchet.registry.restoring import drill, has_previous, rollback
from ratchet.registry.tracking import initialise, log_card

__all__ = [
    "RELEASED_EVIDENCE_FILE",
    "Newcomer",
    "Release",
    "Reproduction",
    "answers_on_holdout",
    "champion_at",
    "champion_now",
    "drill",
    "first_champion",
    "has_previous",
    "initialise",
    "ledger_anchors",
    "load_release",
    "log_card",
    "newcomer_at",
    "promote",
    "refit",
    "refuse",
    "register",
    "reproduce",
    "rollback",
]
