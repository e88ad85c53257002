"""What the decision to retrain rests on."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from ratchet.monitoring import Observation
from ratchet.statistics import Comparison
from ratchet.window import Window

Reason = Literal[
    "first_model",
    "realised_performance",
    "kpi",
    "estimated_performance",
    "drift",
    "new_labels",
    "schedule",
    "on_demand",
]
REASONS: tuple[Reason, ...] = get_args(Reason)
"""In order of trust: labels that came tell more than an estimate, and that more than a drift."""

Outcome = Literal["waiting", "running", "given_up", "won", "lost", "untrained"]


class Record(BaseModel):
    """Base of all parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Alarm(Record):
    """A finding that asks for a retraining: judged, and not a chance departure in one window."""

    reason: Reason
    name: str
    effect: FiniteFloat
    floor: FiniteFloat
    unit: str
    text: str


class Proof(Record):
    """Whether a model that is fitted now would do better than the champion.

    Both answered the decisions of `cohort`, the newest window whose labels are in; the model was
    fitted on `train_rows` whose labels were known when it began. The comparison is of its cost
    less the champion's, so a small p-value says that it would have helped.
    """

    cohort: str
    estimator: str
    train_rows: int
    comparison: Comparison


class Training(Record):
    """One retraining of the past, from request to end.

    `request` is the key of the decision that asked for it, and `window` that decision's window.
    `trained` is the window that its run trained for, None while no run has taken it up. What ended
    otherwise than with a champion or a refused candidate is `untrained`: its snapshot was blocked.
    A lost one `is_forgiven` once a person has lifted the stop that it led to.
    """

    request: str
    window: str
    reason: str
    trained: str | None = None
    run: str | None = None
    outcome: Outcome = "waiting"
    cpu_h: FiniteFloat = Field(default=0.0, ge=0)
    is_forgiven: bool = False

    @property
    def at(self) -> Window:
        """The window that it trained for, or else was requested in."""
        return Window.parse(self.trained or self.window)

    def is_within(self, days: float, before: Window) -> bool:
        """Whether it took place less than so many days before a window's end."""
        return before.end - self.at.end < timedelta(days=days)


class Situation(Record):
    """Everything that the policy looks at, at a window's end.

    `faults` are open incidents of the data that models are trained on, in a sentence each.
    `matured_labels` counts labels that are known in all, and `rare_labels` those of the rarest
    class, None where a label is no class. `past` is in the order of requests.
    """

    observation: Observation
    alarms: tuple[Alarm, ...] = ()
    proof: Proof | None = None
    faults: tuple[str, ...] = ()
    matured_labels: int = Field(ge=0)
    rare_labels: int | None = Field(default=None, ge=0)
    past: tuple[Training, ...] = ()

    @property
    def window(self) -> Window:
        """The window that was observed."""
        return Window.parse(self.observation.window)
