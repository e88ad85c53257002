"""What the gate does to the honest candidates of 2013, week by week, and what that costs.

Every window both estimators are fitted, and the cheaper one meets the gate and the champion of the
moment, on its fortnight; what is promoted decides in the next window. Beside the gate's choice,
these policies decide: the first model for ever, every week's boosting, and every week's cheapest.

    python benchmarks/gate_weekly.py
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from loop import labelled_year

from ratchet.decision import Decision
from ratchet.evaluation.gate import judge
from ratchet.evaluation.trial import Rival, evidence_of, honest_model, set_scene, stage
from ratchet.orchestration.replay import windows
from ratchet.problems import Problem, problem_of
from ratchet.window import Window

SHOWN = ("better_than_champion", "not_worse_by_roc_auc", "enough_power", "no_key_slice_too_bad")
SHOWN += ("rightly_sure",)


@dataclass(frozen=True)
class Model:
    """A fitted model, the window that it is of, and the end of what it has learned from."""

    fitted: Any
    window: Window
    train_end: datetime


def meet(
    snapshot: pd.DataFrame, window: Window, problem: Problem, champion: Model | None
) -> tuple[dict[str, Model], str, Decision]:
    """Fit a window's candidates, and let the cheapest meet the gate; return what became of it."""
    _, parts = stage(snapshot, window, problem)
    rows = parts.holdout
    models = {
        name: Model(honest_model(problem, parts, name), window, parts.cut)
        for name in problem.spec.training.estimators
    }
    answered = {name: problem.answer(each.fitted, rows) for name, each in models.items()}
    costs = {name: problem.losses(answers, rows).mean() for name, answers in answered.items()}
    best = min(costs, key=lambda name: costs[name])
    rival = champion and Rival(
        champion.window.key, problem.answer(champion.fitted, rows), champion.train_end
    )
    scene = set_scene(snapshot, window, problem, best, models[best].fitted)
    return models, best, judge(evidence_of(scene, answered, rival), problem.spec)


def told(decision: Decision) -> str:
    """Say what was decided, and what the clauses that are shown observed."""
    failed = [clause.name for clause in decision.clauses if not clause.passed]
    observed = (
        f"{clause.name} {clause.observed:.3f}"
        for clause in decision.clauses
        if clause.name in SHOWN and isinstance(clause.observed, float)
    )
    return f"{decision.verdict:8s} {', '.join(observed)}; failed: {', '.join(failed) or 'none'}"


def costs_of(models: dict[str, Model], problem: Problem, rows: pd.DataFrame) -> dict[str, Any]:
    """Return what each row costs, by policy."""
    answers = {id(each): problem.answer(each.fitted, rows) for each in models.values()}
    return {name: problem.losses(answers[id(each)], rows) for name, each in models.items()}


def main() -> None:
    """Walk through the year; print a row for each window, then what each policy cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snapshot", type=Path, help="labelled decisions, instead of a build")
    arguments = parser.parse_args()
    spec, snapshot = labelled_year(arguments.snapshot)
    problem, decided = problem_of(spec), snapshot[spec.gold.decided_at]
    deciding: dict[str, Model] = {}
    losses: dict[str, list[Any]] = {}
    challengers, promoted, refusals = 0, 0, Counter[str]()
    for window in windows(spec):
        start, end = (moment.replace(tzinfo=None) for moment in (window.start, window.end))
        if deciding:
            rows = snapshot[(decided >= start) & (decided < end)]
            for policy, cost in costs_of(deciding, problem, rows).items():
                losses.setdefault(policy, []).append(cost)
        models, best, decision = meet(snapshot, window, problem, deciding.get("gate"))
        print(f"{window} {best:9s} {told(decision)}", flush=True)
        if "gate" in deciding:
            challengers += 1
            promoted += decision.verdict == "accepted"
            refusals.update(clause.name for clause in decision.clauses if not clause.passed)
        if decision.verdict == "accepted":
            deciding["gate"] = models[best]
        if "gate" in deciding:
            deciding.setdefault("first", deciding["gate"])
            deciding |= {"boosting": models["boosting"], "cheapest": models[best]}
    means = {policy: float(np.concatenate(parts).mean()) for policy, parts in losses.items()}
    print(f"{promoted} of {challengers} challengers promoted; refused by {dict(refusals)}")
    print({policy: round(mean, 3) for policy, mean in means.items()})
    for policy in ("boosting", "cheapest"):
        kept = (means["first"] - means["gate"]) / (means["first"] - means[policy])
        print(f"the gate keeps {kept:.0%} of what every week's {policy} gains on the first model")


if __name__ == "__main__":
    main()
