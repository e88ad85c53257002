"""What a release decision rests on."""

from __future__ import annotations

from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from ratchet.errors import EvidenceError
from ratchet.evaluation.metrics import Difference, Quality
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window

EVIDENCE_FILE = "evidence.json"


class Record(BaseModel):
    """Base of all parts of the evidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LoadCheck(Record):
    """What the stored model did when it was read from disk, as a deployed one would be.

    `max_difference` is the largest between a number of an answer in training and after loading
    (segments: the share that differ); None if it did not answer.
    """

    answers: bool
    refuses_missing_column: bool
    max_difference: FiniteFloat | None


class Challenger(Record):
    """A candidate on the holdout; differences are its cost less the other's.

    `train_metrics` were measured on the last of the rows that it was fitted on.
    """

    model_sha256: str
    quality: Quality
    train_metrics: dict[str, FiniteFloat]
    train_end: AwareDatetime
    against_champion: Difference | None
    against_baseline: Difference
    when_loaded: LoadCheck


class Champion(Record):
    """The champion of the moment, on the same rows as the candidates."""

    version: str
    train_end: AwareDatetime
    quality: Quality


class Evidence(Record):
    """Everything measured about the candidates of one training run, on the same later rows.

    `best` names the candidate that is cheapest on the holdout (of equals, the one with the better
    leading metric of its kind of problem), `best_baseline` the cheapest baseline. `labels` sums up
    those of the holdout.
    """

    use_case: str
    window: str
    snapshot_id: str
    holdout_start: AwareDatetime
    holdout_rows: int = Field(gt=0)
    labels: dict[str, FiniteFloat]
    candidates: dict[str, Challenger] = Field(min_length=1)
    baselines: dict[str, Quality] = Field(min_length=1)
    champion: Champion | None
    best: str
    best_baseline: str

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.best not in self.candidates or self.best_baseline not in self.baselines:
            raise ValueError("best and best_baseline must name what was measured")
        measured = [c.quality for c in self.candidates.values()] + list(self.baselines.values())
        measured += [self.champion.quality] if self.champion else []
        if any(quality.rows != self.holdout_rows for quality in measured):
            raise ValueError("not everything was measured on the same rows")
        compared = {c.against_champion is not None for c in self.candidates.values()}
        if compared != {self.champion is not None}:
            raise ValueError("each candidate is compared with the champion, if there is one")
        trained = [c.train_end for c in self.candidates.values()]
        trained += [self.champion.train_end] if self.champion else []
        if any(end > self.holdout_start for end in trained):
            raise ValueError("a model has seen labels of the holdout: its training ended later")
        return self


def load_evidence(spec: Spec, window: Window, settings: Settings) -> Evidence:
    """Read what `evaluate` wrote for a window.

    Raises
    ------
    EvidenceError
        If it is missing, incomplete, or contradicts itself.
    """
    path = settings.lake(spec.name).work(window) / EVIDENCE_FILE
    try:
        return Evidence.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValueError) as error:
        raise EvidenceError(f"{path} is no evidence: {error}; evaluate the window again") from error
