"""Releases: packaging, registering, promoting, and finding the champion of a moment."""

from ratchet.registry.promotion import (
    champion_at,
    first_champion,
    ledger_anchors,
    promote,
    refuse,
)
from ratchet.registry.registration import register
from ratchet.registry.release import Release, load_release
from ratchet.registry.tracking import initialise, log_card

__all__ = [
    "Release",
    "champion_at",
    "first_champion",
    "initialise",
    "ledger_anchors",
    "load_release",
    "log_card",
    "promote",
    "refuse",
    "register",
]
