"""How often the gate errs, on the flights of 2013: bad, better and equal candidates, seeded.

Builds the year from bronze to gold, takes one snapshot of it, and sets a scene in every fourth
window: an honest model of the window, judged on its fortnight. Then the gate is asked about bad
candidates of every kind, about candidates that are better than the champion by the improvement
that the spec calls worthwhile, and about candidates that are equal to it. Shares are given with
Wilson's intervals of 95 %. It fails if a bad candidate is promoted, if better ones are promoted
less often than the spec's power, or equal ones more often than its level, beyond chance.

    python benchmarks/gate_trial.py
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from pathlib import Path

from loop import labelled_year

from ratchet.evaluation.trial import BAD, Outcome, run_trial, scale_that_costs, set_scene
from ratchet.orchestration.replay import windows
from ratchet.problems import problem_of
from ratchet.statistics import wilson_interval


def share(outcomes: list[Outcome]) -> str:
    """Say how many were promoted, with an interval."""
    promoted = sum(outcome.is_promoted for outcome in outcomes)
    low, high = wilson_interval(promoted, len(outcomes), 0.95)
    return f"{promoted} of {len(outcomes)} ({low:.1%} to {high:.1%})"


def main() -> None:
    """Print one row for each kind of candidate, and fail if the gate errs too often."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=18, help="bad candidates of each kind")
    parser.add_argument("--better", type=int, default=300, help="better, and equal, candidates")
    parser.add_argument("--every", type=int, default=4, help="a scene in every so many windows")
    parser.add_argument("--snapshot", type=Path, help="labelled decisions, instead of a build")
    arguments = parser.parse_args()
    spec, rows = labelled_year(arguments.snapshot)
    chosen = list(windows(spec))[3 :: arguments.every]
    scenes = [set_scene(rows, window, problem_of(spec), "boosting") for window in chosen]
    pairing, seed = spec.gate.comparison, spec.training.seed
    scale = scale_that_costs(scenes, pairing.worthwhile_per_unit, draws=4, seed=seed)
    print(f"{len(scenes)} scenes; noise of {scale:.2f} on the logits costs what is worthwhile")
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in run_trial(scenes, scale, arguments.seeds, arguments.better, seed + 1):
        by_kind[outcome.kind].append(outcome)
    print("| candidates | promoted | refused by |\n|---|---|---|")
    for kind, outcomes in by_kind.items():
        told = Counter(reason[:40] for outcome in outcomes for reason in outcome.reasons)
        reasons = ", ".join(f"{reason} {count}" for reason, count in told.most_common(4))
        print(f"| {kind} | {share(outcomes)} | {reasons} |")
    bad = [outcome for kind in BAD for outcome in by_kind[kind]]
    print(f"| all bad | {share(bad)} | |")
    failed = [outcome.kind for outcome in bad if outcome.is_promoted]
    for kind, bound, sign in (("better", pairing.power, 1), ("equal", pairing.level, -1)):
        promoted = sum(outcome.is_promoted for outcome in by_kind[kind])
        low, high = wilson_interval(promoted, len(by_kind[kind]), 0.95)
        if (high < bound) if sign > 0 else (low > bound):
            failed.append(kind)
    if failed:
        raise SystemExit(f"the gate errs: {', '.join(failed)}")


if __name__ == "__main__":
    main()
