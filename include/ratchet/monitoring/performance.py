"""What decisions cost, and how good the answers were, once their labels are known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, FiniteFloat

from ratchet.errors import EvidenceError
from ratchet.problems import Problem, problem_of
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window

Group = Literal["window", "policy"]
SCORED_POLICIES = ("decision", "first", "rule")
"""What was really decided, and what the first champion and the rule would have."""


class Performance(BaseModel):
    """What one policy did on one group of decisions.

    `policy` is one of `SCORED_POLICIES`, or of the kind of problem's own (`Costs.policies`).
    `window` is None for all windows together, `version` where there is none or several.
    Costs are in the spec's unit and cover labelled rows only. `metrics` holds each of the kind of
    problem's `realised_metrics`, None where it is undefined: too few or too equal labels, or a
    policy that gives no answers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: str | None = None
    policy: str | None = None
    version: str | None = None
    total: int
    labelled: int
    total_cost: FiniteFloat
    cost_per_unit: FiniteFloat | None
    metrics: dict[str, FiniteFloat | None]


def scored_windows(spec: Spec, settings: Settings) -> list[Window]:
    """Return the windows that have predictions, oldest first."""
    folder = settings.lake(spec.name).predictions
    return sorted(Window.parse(path.stem) for path in folder.glob("*.parquet"))


def ripe_windows(spec: Spec, window: Window, age: timedelta, settings: Settings) -> list[Window]:
    """Return the scored windows whose last decision reaches an age in a window, oldest first.

    Each window is ripe at an age exactly once, however long windows are.
    """
    return [
        scored
        for scored in scored_windows(spec, settings)
        if window.start < scored.end + age <= window.end
    ]


@dataclass(frozen=True)
class Realised:
    """Predictions of some windows beside the labels known by a moment; see `realised`."""

    problem: Problem
    scored: pd.DataFrame

    def measure(self, *by: Group) -> list[Performance]:
        """Return one `Performance` per group that has rows, sorted by group.

        Without `policy` among the groups, it is what was decided.
        """
        groups = (
            self.scored.groupby("window", sort=True, observed=True)
            if "window" in by
            else [(None, self.scored)]
        )
        return [
            performance
            for window, rows in groups
            for performance in self._policies(None if window is None else str(window), rows)
            if "policy" in by or performance.policy == "decision"
        ]

    def _policies(self, window: str | None, rows: pd.DataFrame) -> Iterator[Performance]:
        decided = rows[rows["is_decision"]]
        for policy in SCORED_POLICIES:
            own = decided if policy == "decision" else rows[rows["role"] == policy]
            if len(own):
                known = own[own["label"].notna()]
                losses = self.problem.losses_of(known, known["label"])
                metrics = self.problem.realised(known) if len(known) else {}
                yield self._performance(window, policy, own, losses, metrics)
        known = decided[decided["label"].notna()]
        for policy in self.problem.spec.costs.policies:
            losses = self.problem.losses_of_policy(policy, known)
            yield self._performance(window, policy, decided, losses, {})

    def _performance(
        self,
        window: str | None,
        policy: str,
        rows: pd.DataFrame,
        losses: NDArray[np.float64],
        metrics: dict[str, float | None],
    ) -> Performance:
        versions = set(rows["version"]) if policy in SCORED_POLICIES else set()
        total = float(losses.sum())
        return Performance(
            window=window,
            policy=policy,
            version=versions.pop() if len(versions) == 1 else None,
            total=len(rows),
            labelled=len(losses),
            total_cost=total,
            cost_per_unit=total / len(losses) if len(losses) else None,
            metrics={**dict.fromkeys(self.problem.spec.costs.realised_metrics), **metrics},
        )


def realised(
    spec: Spec,
    windows: Sequence[Window],
    known_by: datetime,
    settings: Settings,
    age: timedelta | None = None,
) -> Realised:
    """Join the predictions of `windows` with the labels known by `known_by`.

    Every policy is put beside what was really decided, on the same rows: the first champion, the
    rule, and what else the kind of problem compares with.

    Parameters
    ----------
    windows
        Scored windows, at least one.
    known_by
        Aware moment; labels that became known later do not count.
    age
        Labels that became known longer after their decision do not count either: of all rows,
        those are counted that were as mature. By default rows of any maturity are.

    Raises
    ------
    EvidenceError
        If a window has no predictions, an answer is missing or impossible, or the policies do not
        speak of the same rows.
    """
    from ratchet.warehouse import read_outcomes

    problem = problem_of(spec)
    paths = [settings.lake(spec.name).predictions / f"{window.key}.parquet" for window in windows]
    if missing := [str(path) for path in paths if not path.exists()]:
        raise EvidenceError(f"no predictions: {', '.join(missing)}; score the window first")
    decided = Window(min(w.start for w in windows), max(w.end for w in windows))
    gold = spec.gold
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("outcomes", read_outcomes(spec, decided, known_by, settings))
        names = {"window_key": [window.key for window in windows]}
        roles = "select distinct {} from read_parquet($paths) order by all"
        parameters: dict[str, Any] = {"paths": [str(path) for path in paths]}
        for column in ("role", "version"):
            found = connection.execute(roles.format(column), parameters).fetchall()
            names[f"{column}_name"] = [value for (value,) in found]
        for name, values in names.items():
            connection.execute(f"create type {name} as enum ({str(values)[1:-1]})")
        scored = connection.execute(
            f"""
            select "window"::window_key as "window", role::role_name as role,
                version::version_name as version, is_decision, p."{gold.key}" as key,
                p."{gold.decided_at}" as decided_at, o."{gold.label}" as label,
                {", ".join(f"p.{name}" for name in spec.costs.columns)}
            from read_parquet($paths) as p
            left join (
                from outcomes
                where $age is null
                    or "{gold.label_known_at}" <= "{gold.decided_at}" + $age::interval
            ) as o on p."{gold.key}" = o."{gold.key}"
            order by "window", role, p."{gold.key}"
            """,  # noqa: S608 - names come from the spec, which allows only [a-z0-9_]
            {**parameters, "age": age},
        ).df()
    _refuse_bad_rows(problem, scored, paths[0].parent)
    return Realised(problem, scored)


def _refuse_bad_rows(problem: Problem, scored: pd.DataFrame, folder: Path) -> None:
    for window, rows in scored.groupby("window", sort=True, observed=True):
        decisions = int(rows["is_decision"].sum())
        for role, own in rows.groupby("role", sort=True, observed=True):
            where = f"{folder / str(window)}.parquet: {role}"
            if len(own) != decisions:
                raise EvidenceError(
                    f"{where} has {len(own)} rows where {decisions} decisions were taken; "
                    "score the window again"
                )
            try:
                problem.check(problem.answers_in(own), len(own), where)
            except EvidenceError as error:
                raise EvidenceError(f"{error}; score the window again") from error
