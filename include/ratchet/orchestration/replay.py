"""Runs a use case through its history, window by window, in a real Airflow.

A replay is the clock: it opens a window only when all that the window before set off has come to
rest. So each window is scored with the champion that was in force then, as it would have been.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from croniter import croniter

from ratchet.errors import OrchestrationError
from ratchet.orchestration.client import DONE, AirflowClient, DagRun, Question
from ratchet.orchestration.stack import LocalAirflow
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window

_POLL_S = 1.0  # each look costs Airflow two requests, which compete with the tasks
_APPEARS_WITHIN_S = 300
_NEWEST = 5


def windows(spec: Spec) -> Iterator[Window]:
    """Yield a use case's windows: its history first, then one from tick to tick of its cron.

    Parameters
    ----------
    spec
        If its schedule has no end, the windows go on for ever.
    """
    schedule = spec.schedule
    yield Window(schedule.history_start, schedule.start)
    ticks = croniter(schedule.cron, schedule.start - timedelta(seconds=1))
    for start, end in pairwise(ticks.all_next(datetime)):
        window = Window(start, end)
        if schedule.end and window.end > schedule.end:
            return
        yield window


@dataclass
class Replay:
    """Advances one use case through its windows.

    Parameters
    ----------
    spec, settings
        The use case, and where its state lies.
    airflow, client
        The Airflow that runs it.
    tell
        Called with what is going on, whenever that changes.
    ask
        Called once for each question that waits for a person.
    """

    spec: Spec
    settings: Settings
    airflow: LocalAirflow
    client: AirflowClient
    tell: Callable[[str], None]
    ask: Callable[[Question], None]
    _asked: set[Question] = field(default_factory=set)
    _known: dict[str, dict[Window, DagRun]] = field(default_factory=dict)

    def wait_for_dags(self) -> None:
        """Wait until Airflow has parsed the use case's DAGs.

        Raises
        ------
        OrchestrationError
            If it can't, with the import errors.
        """
        names = ("refine_data", "score_window", "monitor_champion", "train_candidate")
        wanted = {self._dag_id(name) for name in names}
        deadline = time.monotonic() + _APPEARS_WITHIN_S
        while missing := wanted - self.client.dag_ids():
            self._pause(f"waiting for Airflow to parse {', '.join(sorted(missing))}")
            if time.monotonic() > deadline:
                errors = "\n".join(self.client.import_errors()) or "no import error is reported"
                raise OrchestrationError(f"Airflow did not parse {sorted(missing)}: {errors}")
        self._known = {dag_id: self.client.runs(dag_id, newest=100) for dag_id in wanted}

    def advance(self, window: Window) -> None:
        """Bring one window to rest: whatever of it is done already is not done again.

        Raises
        ------
        OrchestrationError
            If a run fails; says which task, and where its log is.
        """
        by_hand = self.spec.level == 0
        refined = self._finish("refine_data", window, start=True)
        if f"{refined.dag_id}.publish_gold" in self.client.tasks("skipped", run=refined):
            self.tell(f"{window}  its features are blocked: see ratchet blocks {self.spec.name}")
            return
        if by_hand and window.start == self.spec.schedule.history_start:
            self._finish("train_candidate", window, start=True)
        self._finish("score_window", window, start=by_hand)
        self._finish("monitor_champion", window, start=by_hand)
        if self.spec.level == 1 or self._retraining_requested(window):
            self._finish("train_candidate", window, start=False)

    def _dag_id(self, name: str) -> str:
        return f"{self.spec.name}__{name}"

    def _retraining_requested(self, window: Window) -> bool:
        """Whether monitoring announced a training for the window, taken up by now or not."""
        from ratchet.retraining import trainings

        return any(
            each.trained == window.key or each.outcome == "waiting"
            for each in trainings(self.spec, self.settings, window)
        )

    def _finish(self, name: str, window: Window, *, start: bool) -> DagRun:
        dag_id = self._dag_id(name)
        run = self._known[dag_id].get(window) or self._find(dag_id, window)
        if run is None:
            if start:
                self._start(dag_id, window)
            run = self._appear(dag_id, window)
        elif run.state == "failed":
            self.client.clear_failed(run)
            run = self._find(dag_id, window) or run
        while run.state not in DONE:
            self._pause(f"{window}  {self._now(dag_id)}")
            run = self._find(dag_id, window) or run
        if run.state == "failed":
            failed = ", ".join(self.client.tasks("failed", run=run)) or dag_id
            raise OrchestrationError(
                f"{failed} failed for {window}; read its log in the UI, or in "
                f"{self.airflow.logs}; mend the cause and run the same command again"
            )
        self._known[dag_id][window] = run
        return run

    def _start(self, dag_id: str, window: Window) -> None:
        scheduled = self.spec.level > 0 and dag_id == self._dag_id("refine_data")
        if scheduled and window.start >= self.spec.schedule.start:
            self.client.close_backfills(dag_id)
            self.client.backfill(dag_id, window)
        else:
            ticks = croniter(self.spec.schedule.cron, window.end)
            self.client.trigger(dag_id, window, logical_date=ticks.get_prev(datetime))

    def _find(self, dag_id: str, window: Window) -> DagRun | None:
        return self.client.runs(dag_id, newest=_NEWEST).get(window)

    def _appear(self, dag_id: str, window: Window) -> DagRun:
        deadline = time.monotonic() + _APPEARS_WITHIN_S
        while (run := self._find(dag_id, window)) is None:
            if time.monotonic() > deadline:
                raise OrchestrationError(f"Airflow started no run of {dag_id} for {window}")
            self._pause(f"{dag_id}: waiting for its run")
        return run

    def _pause(self, what: str) -> None:
        self.airflow.check()
        self.tell(what)
        time.sleep(_POLL_S)

    def _now(self, dag_id: str) -> str:
        waiting = self.client.questions() if self.spec.needs_approval else []
        for question in waiting:
            if question not in self._asked:
                self._asked.add(question)
                self.ask(question)
        if waiting:
            return "waiting for a person's answer"
        return ", ".join(self.client.tasks("running", "queued")) or dag_id
