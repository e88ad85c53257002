"""Answering for every decision of a window."""

from ratchet.serving.scoring import ScoreReport, score

__all__ = ["ScoreReport", "score"]
