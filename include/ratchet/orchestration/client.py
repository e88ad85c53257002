"""Airflow's REST API, as far as Ratchet needs it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from httpx import codes

from ratchet.errors import OrchestrationError
from ratchet.window import Window

DONE = frozenset({"success", "failed"})

# Airflow answers 503 where another process holds SQLite's lock: asked again, it does as it is told
_BUSY_WITHIN_S = 60
_BUSY_PAUSE_S = 0.2

_TAKEN_WITHIN_S = 60
_TAKEN_PAUSE_S = 0.5


@dataclass(frozen=True)
class DagRun:
    """A DAG run: its ids, its state, and the window that it is about."""

    dag_id: str
    run_id: str
    state: str
    window: Window


@dataclass(frozen=True)
class Question:
    """A human-in-the-loop task that waits for an answer."""

    dag_id: str
    run_id: str
    task_id: str
    subject: str
    body: str
    options: tuple[str, ...]


class AirflowClient:
    """Speaks to one Airflow.

    Parameters
    ----------
    url
        Base address, like http://127.0.0.1:8080.
    user, password
        Of a user of the simple auth manager.

    Raises
    ------
    OrchestrationError
        From any method, if Airflow refuses or can't be reached.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=60)
        login = self._call("POST", "/auth/token", json={"username": user, "password": password})
        self._http.headers["Authorization"] = f"Bearer {login['access_token']}"

    def _call(self, method: str, path: str, **kwargs: Any) -> Any:
        deadline = time.monotonic() + _BUSY_WITHIN_S
        try:
            while (
                response := self._http.request(method, path, **kwargs)
            ).status_code == codes.SERVICE_UNAVAILABLE and time.monotonic() < deadline:
                time.sleep(_BUSY_PAUSE_S)
        except httpx.HTTPError as error:
            raise OrchestrationError(f"Airflow does not answer at {self.url}: {error}") from error
        if response.is_error:
            raise OrchestrationError(f"Airflow refused {method} {path}: {response.text}")
        return response.json() if response.content else None

    def _api(self, method: str, path: str, **kwargs: Any) -> Any:
        return self._call(method, f"/api/v2{path}", **kwargs)

    def dag_ids(self) -> set[str]:
        """Return the ids of all DAGs that have been parsed and are in service."""
        return {dag["dag_id"] for dag in self._api("GET", "/dags", params={"limit": 100})["dags"]}

    def import_errors(self) -> list[str]:
        """Return what kept DAG files from being parsed."""
        found = self._api("GET", "/importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace']}" for error in found]

    def add_pool(self, name: str, slots: int) -> None:
        """Make a pool, unless it is there."""
        if name not in {pool["name"] for pool in self._api("GET", "/pools")["pools"]}:
            self._api("POST", "/pools", json={"name": name, "slots": slots})

    def runs(self, dag_id: str, newest: int) -> dict[Window, DagRun]:
        """Return the newest runs of a DAG by window; for two of a window, the newer."""
        params = {"limit": newest, "order_by": "-id"}
        found = self._api("GET", f"/dags/{dag_id}/dagRuns", params=params)["dag_runs"]
        runs = [
            DagRun(dag_id, run["dag_run_id"], run["state"], window)
            for run in reversed(found)
            if (window := _window_of(run))
        ]
        return {run.window: run for run in runs}

    def trigger(self, dag_id: str, window: Window, logical_date: datetime) -> None:
        """Start a run of a DAG by hand, about a window."""
        body = {
            "dag_run_id": f"manual__{window.key}",
            "logical_date": logical_date.isoformat(),
            "data_interval_start": window.start.isoformat(),
            "data_interval_end": window.end.isoformat(),
            "conf": {"window": window.key},
        }
        self._api("POST", f"/dags/{dag_id}/dagRuns", json=body)

    def backfill(self, dag_id: str, window: Window) -> int:
        """Start a backfill of one scheduled window; return its id."""
        date = window.start.isoformat()
        body = {"dag_id": dag_id, "from_date": date, "to_date": date, "max_active_runs": 1}
        return int(self._api("POST", "/backfills", json=body)["id"])

    def close_backfills(self, dag_id: str) -> None:
        """End a DAG's backfills whose runs are over, so that the next one may begin.

        Airflow does so by itself, but only every 30 s.
        """
        params = {"dag_id": dag_id, "active": True}
        for backfill in self._api("GET", "/backfills", params=params)["backfills"]:
            if backfill["completed_at"] is None:
                self._api("PUT", f"/backfills/{backfill['id']}/cancel")

    def clear_failed(self, run: DagRun) -> None:
        """Let the failed tasks of a run, and what hangs on them, run again."""
        body = {
            "dry_run": False,
            "dag_run_id": run.run_id,
            "only_failed": True,
            "include_downstream": True,
            "reset_dag_runs": True,
        }
        self._api("POST", f"/dags/{run.dag_id}/clearTaskInstances", json=body)

    def tasks(self, *states: str, run: DagRun | None = None) -> list[str]:
        """Return the names of tasks in any of these states, of one run or of all."""
        scope = f"/dags/{run.dag_id}/dagRuns/{run.run_id}" if run else "/dags/~/dagRuns/~"
        params: dict[str, Any] = {"state": list(states), "limit": 20}
        found = self._api("GET", f"{scope}/taskInstances", params=params)["task_instances"]
        return [f"{one['dag_id']}.{one['task_id']}" for one in found]

    def questions(self) -> list[Question]:
        """Return what waits for a person's answer."""
        params = {"response_received": False}
        found = self._api("GET", "/dags/~/dagRuns/~/hitlDetails", params=params)["hitl_details"]
        return [
            Question(
                dag_id=one["task_instance"]["dag_id"],
                run_id=one["task_instance"]["dag_run_id"],
                task_id=one["task_instance"]["task_id"],
                subject=one["subject"],
                body=one["body"] or "",
                options=tuple(one["options"]),
            )
            for one in found
        ]

    def answer(self, question: Question, option: str, **form: str) -> None:
        """Answer a question with one of its options, and its form; return when it was taken.

        If the answer comes before the scheduler has seen that the process which asked is gone,
        Airflow 3.3 believes that process to be lost, tries the task again and so forgets the
        answer. Then the same answer is given again.
        """
        path = (
            f"/dags/{question.dag_id}/dagRuns/{question.run_id}"
            f"/taskInstances/{question.task_id}/-1/hitlDetails"
        )
        deadline = time.monotonic() + _TAKEN_WITHIN_S
        asked = True
        while time.monotonic() < deadline:
            if asked:
                self._api("PATCH", path, json={"chosen_options": [option], "params_input": form})
            time.sleep(_TAKEN_PAUSE_S)
            found = self._api("GET", path)
            state = found["task_instance"]["state"]
            if state in DONE:
                return
            asked = state == "awaiting_input" and not found["response_received"]
        raise OrchestrationError(
            f"{question.dag_id}.{question.task_id} was answered with {option!r}, but is "
            f"{state!r} after {_TAKEN_WITHIN_S} s; see whether the scheduler runs, and answer "
            "again if it is still asked"
        )


def _window_of(run: dict[str, Any]) -> Window | None:
    key = run.get("partition_key") or (run.get("conf") or {}).get("window")
    if key:
        return Window.parse(key)
    if run["data_interval_start"] is None:
        return None
    bounds = (run["data_interval_start"], run["data_interval_end"])
    return Window(*(datetime.fromisoformat(bound) for bound in bounds))
