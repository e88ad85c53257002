"""What became of earlier requests: read from the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from ratchet.decision import Decision
from ratchet.ledger import Entry, Ledger
from ratchet.retraining.record import Training
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.training import TIMING_FILE
from ratchet.window import Window

_HOUR_S = 3600


def trainings(
    spec: Spec, settings: Settings, by: Window | None = None, *, with_costs: bool = False
) -> tuple[Training, ...]:
    """Return all retrainings of a use case, as the ledger knows them.

    Parameters
    ----------
    by
        Leave out what was requested or trained for later windows; what has not ended so long before
        this one as the spec allows is given up.
    with_costs
        Read from the candidates how many CPU-hours each took.
    """
    found = read_trainings(Ledger(settings.lake(spec.name).ledger).entries())
    if by is not None:
        found = [_as_of(each, by, spec) for each in found if each.at.end <= by.end]
    if with_costs:
        found = [each.model_copy(update={"cpu_h": _cpu_h(each, spec, settings)}) for each in found]
    return tuple(found)


def read_trainings(entries: Iterable[Entry]) -> list[Training]:
    """Return the retrainings that a ledger's entries tell of, in the order of their requests."""
    story = _Story()
    for entry in entries:
        story.read(entry.decision)
    return list(story.trainings.values())


class _Story:
    """What the entries read so far tell: trainings by request, and by the version they made."""

    def __init__(self) -> None:
        self.trainings: dict[str, Training] = {}
        self._versions: dict[str, str] = {}

    def read(self, decision: Decision) -> None:
        """Read one more entry."""
        read: dict[str, Callable[[Decision], None]] = {
            "retrain": self._request,
            "training": self._start,
            "lift": self._forgive,
            "rollback": self._lose,
        }
        read.get(decision.kind, self._end)(decision)

    def _request(self, decision: Decision) -> None:
        if decision.verdict == "requested":
            self.trainings[decision.key] = Training(
                request=decision.key,
                window=decision.window,
                reason=str(decision.evidence["reason"]),
            )

    def _start(self, decision: Decision) -> None:
        told = decision.evidence
        key = decision.subject["request"]
        self._note(key, trained=told["window"], run=told["run"], outcome="running")

    def _forgive(self, _: Decision) -> None:
        for key, each in self.trainings.items():
            if each.outcome == "lost":
                self._note(key, is_forgiven=True)

    def _lose(self, decision: Decision) -> None:
        for version in decision.subject["taken_out"].split(", "):
            if version in self._versions:
                self._note(self._versions[version], outcome="lost")

    def _end(self, decision: Decision) -> None:
        if outcome := _outcome(decision):
            key = self._trained_in(decision.window)
            self._note(key, trained=decision.window, outcome=outcome)
            if decision.kind == "promotion":
                self._versions[decision.subject["version"]] = key

    def _note(self, key: str, **changes: object) -> None:
        self.trainings[key] = self.trainings[key].model_copy(update=changes)

    def _trained_in(self, window: str) -> str:
        """Return the key of the training of a window; note it if nobody asked for it.

        A level below 2 trains without being asked, and so did Ratchet before runs took up requests.
        """
        for key, each in reversed(self.trainings.items()):
            if window == (each.trained or each.window):
                return key
        self.trainings[window] = Training(
            request="", window=window, reason="new_data", outcome="running"
        )
        return window


def _outcome(decision: Decision) -> str | None:
    """Return what a decision says of the training of its window."""
    if decision.kind == "data" and "snapshot" in decision.subject:
        return "untrained" if decision.verdict == "blocked" else None
    if decision.kind == "promotion":
        return "won"
    if decision.kind in ("release", "approval"):
        return "lost" if decision.verdict == "refused" else "running"
    return None


def _as_of(training: Training, by: Window, spec: Spec) -> Training:
    is_open = training.outcome in ("waiting", "running")
    if is_open and not training.is_within(spec.retraining.max_running_days + 1e-9, by):
        return training.model_copy(update={"outcome": "given_up"})
    return training


def _cpu_h(training: Training, spec: Spec, settings: Settings) -> float:
    """Return what the fits of a training took, as their candidates tell."""
    if training.trained is None:
        return 0.0
    folder = settings.lake(spec.name).work(Window.parse(training.trained)) / "candidates"
    told = [json.loads(path.read_bytes()) for path in folder.glob(f"*/{TIMING_FILE}")]
    seconds = sum(each.get("cpu_seconds", each.get("fit_seconds", 0.0)) for each in told)
    return float(seconds) / _HOUR_S
