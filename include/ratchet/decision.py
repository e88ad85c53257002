"""What a verdict is: an outcome, and a reason for every clause that led to it."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator

Kind = Literal[
    "data",
    "contract",
    "correction",
    "unblock",
    "retrain",
    "training",
    "lift",
    "release",
    "escalation",
    "approval",
    "refit",
    "promotion",
    "bake",
    "rollback",
    "drill",
    "incident",
    "silence",
    "demotion",
]


class Clause(BaseModel):
    """One condition of a decision.

    `observed` and `required` are what was compared; `text` says it in one sentence that a person
    who has not read the code understands. One that `suffices` is a reason to act: any of them is
    enough, where all others are conditions, and every one of those is needed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    passed: bool
    observed: float | str
    required: float | str
    text: str
    suffices: bool = False

    @field_validator("observed", "required")
    @classmethod
    def _refuse_nan(cls, value: float | str) -> float | str:
        if isinstance(value, float) and math.isnan(value):
            raise ValueError("a clause needs a number, not NaN")
        return value


class Decision(BaseModel):
    """The outcome of one of the four decisions, for one window of one use case.

    A gate needs all of its clauses; `retrain` needs one of those that suffice besides.
    `verdict` is a past participle: accepted, blocked, promoted, refused, requested, held, started,
    lifted, approved, corrected, escalated, kept, rolled back, passed, failed, resolved, silenced,
    demoted; or what a person finds an incident: useful, noise.
    `subject` names what was decided on, `evidence` holds the numbers that the clauses rest on, and
    `files` what is too large for that: paths below the use case's folder, each with its SHA-256.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    use_case: str
    window: str
    verdict: str
    clauses: tuple[Clause, ...]
    subject: dict[str, str] = {}
    evidence: dict[str, object] = {}
    files: dict[str, str] = {}
    author: str = "ratchet"

    @property
    def key(self) -> str:
        """Identity of the decision: what was decided on, however often its task is run."""
        subject = json.dumps(self.subject, sort_keys=True).encode()
        return f"{self.kind}/{self.window}/{hashlib.sha256(subject).hexdigest()[:12]}"

    @property
    def taken_out(self) -> list[str]:
        """The versions that a rollback took out; none of any other decision."""
        return [name for name in self.subject.get("taken_out", "").split(", ") if name]

    @property
    def evidence_sha256(self) -> str:
        """Hash of the evidence, with the hashes of its files."""
        content = json.dumps({"evidence": self.evidence, "files": self.files}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def settling(self) -> list[Clause]:
        """The clauses that settled the verdict.

        Conditions that were not met; else the reasons to act that there are, if there are any; else
        all clauses of a sort.
        """
        reasons = [clause for clause in self.clauses if clause.suffices]
        conditions = [clause for clause in self.clauses if not clause.suffices]
        if self.kind == "retrain" and not reasons:  # entries of before reasons were told apart
            reasons, conditions = conditions, []
        given = [clause for clause in reasons if clause.passed]
        unmet = [clause for clause in conditions if not clause.passed]
        if reasons and not given:
            return reasons
        return unmet or given or conditions

    @property
    def reasons(self) -> list[str]:
        """What settled the verdict, as sentences."""
        return [clause.text for clause in self.settling]
