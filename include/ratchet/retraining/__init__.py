"""The decision to retrain: reasons in order of trust, conditions, and exactly one run for each."""

from ratchet.retraining.backtest import Backtest, Result, published_until, windows_between
from ratchet.retraining.baking import judge_bake, watch_champion
from ratchet.retraining.gathering import gather
from ratchet.retraining.past import read_trainings, trainings
from ratchet.retraining.policy import decide, demand, lost_in_a_row, ticket
from ratchet.retraining.record import REASONS, Alarm, Proof, Situation, Training
from ratchet.retraining.requests import (
    decide_once,
    lift,
    take_up,
    take_up_by_hand,
    waiting,
)

__all__ = [
    "REASONS",
    "Alarm",
    "Backtest",
    "Proof",
    "Result",
    "Situation",
    "Training",
    "decide",
    "decide_once",
    "demand",
    "gather",
    "judge_bake",
    "lift",
    "lost_in_a_row",
    "published_until",
    "read_trainings",
    "take_up",
    "take_up_by_hand",
    "ticket",
    "trainings",
    "waiting",
    "watch_champion",
    "windows_between",
]
