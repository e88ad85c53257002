"""May this candidate become a release? A pure function from evidence to a decision."""

from __future__ import annotations

from collections.abc import Iterator

from ratchet.decision import Clause, Decision
from ratchet.errors import EvidenceError
from ratchet.evaluation.evidence import Blessing, Challenger, Evidence
from ratchet.spec import Spec


def judge(evidence: Evidence, spec: Spec) -> Decision:
    """Accept the best candidate, or refuse it. Every clause must pass.

    Returns
    -------
    Decision
        Of kind `release`, verdict `accepted` or `refused`.

    Raises
    ------
    EvidenceError
        If a number is missing or not finite, or the evidence is of another use case. There is no
        verdict then: what can't be judged does not go forward.
    """
    try:
        evidence = Evidence.model_validate(evidence.model_dump())
    except ValueError as error:
        raise EvidenceError(f"{spec.name}: the evidence is not complete: {error}") from error
    if evidence.use_case != spec.name:
        raise EvidenceError(f"the evidence is of {evidence.use_case!r}, not of {spec.name!r}")
    best = evidence.candidates[evidence.best]
    clauses = (
        _enough_rows(evidence, spec),
        *_not_too_bad(best, spec),
        *_not_too_good(best, spec),
        _better_than_baseline(evidence, best, spec),
        _not_worse_than_champion(evidence, best, spec),
        _nothing_missing(evidence, spec),
        *_blessed(evidence.examination.blessing, spec),
    )
    return Decision(
        kind="release",
        use_case=spec.name,
        window=evidence.window,
        verdict="accepted" if all(clause.passed for clause in clauses) else "refused",
        clauses=clauses,
        subject={
            "candidate": evidence.best,
            "snapshot": evidence.snapshot_id,
            "model": best.model_sha256,
        },
        evidence=evidence.model_dump(mode="json", exclude={"use_case", "window", "snapshot_id"}),
    )


def _enough_rows(evidence: Evidence, spec: Spec) -> Clause:
    rows, needed = evidence.holdout_rows, spec.gate.min_holdout_rows
    return Clause(
        name="enough_rows",
        passed=rows >= needed,
        observed=float(rows),
        required=float(needed),
        text=f"It was judged on {rows:,} later {spec.gold.unit}s; {needed:,} are needed.",
    )


def _not_too_bad(best: Challenger, spec: Spec) -> Iterator[Clause]:
    for name, bounds in spec.gate.plausible.items():
        observed, metric = _observed(best, name), spec.costs.metrics[name]
        side = "at least" if metric.is_higher_better else "at most"
        is_met = observed >= bounds.worst if metric.is_higher_better else observed <= bounds.worst
        yield Clause(
            name=_clause_name("not_too_bad", name, spec),
            passed=is_met,
            observed=observed,
            required=bounds.worst,
            text=f"Its {metric.label} is {observed:.3f}; {side} {bounds.worst:g} is needed.",
        )


def _not_too_good(best: Challenger, spec: Spec) -> Iterator[Clause]:
    for name, bounds in spec.gate.plausible.items():
        observed, metric = _observed(best, name), spec.costs.metrics[name]
        side = "above" if metric.is_higher_better else "below"
        is_met = observed <= bounds.best if metric.is_higher_better else observed >= bounds.best
        yield Clause(
            name=_clause_name("not_too_good", name, spec),
            passed=is_met,
            observed=observed,
            required=bounds.best,
            text=f"Its {metric.label} is {observed:.3f}; {side} {bounds.best:g} it would know the "
            "future.",
        )


def _observed(best: Challenger, metric: str) -> float:
    if metric not in best.quality.metrics:
        raise EvidenceError(f"the evidence lacks {metric}; evaluate the window again")
    return best.quality.metrics[metric]


def _clause_name(name: str, metric: str, spec: Spec) -> str:
    """Name a clause; with its metric, if it is not the only one."""
    return name if len(spec.gate.plausible) == 1 else f"{name}_{metric}"


def _better_than_baseline(evidence: Evidence, best: Challenger, spec: Spec) -> Clause:
    baseline = evidence.baselines[evidence.best_baseline]
    saving = baseline.cost_per_unit - best.quality.cost_per_unit
    needed = spec.gate.min_saving_per_unit
    return Clause(
        name="better_than_baseline",
        passed=saving >= needed,
        observed=saving,
        required=needed,
        text=f"It costs {best.quality.cost_per_unit:.2f} {_per_unit(spec)}, "
        f"{_more_or_less(-saving)} the best baseline ({evidence.best_baseline}, "
        f"{baseline.cost_per_unit:.2f}); it must save {needed:g}.",
    )


def _not_worse_than_champion(evidence: Evidence, best: Challenger, spec: Spec) -> Clause:
    allowed = spec.gate.max_regret_per_unit
    if evidence.champion is None:
        return Clause(
            name="not_worse_than_champion",
            passed=True,
            observed="no champion",
            required=allowed,
            text="It is the first model: there is no champion to compare it with.",
        )
    regret = best.quality.cost_per_unit - evidence.champion.quality.cost_per_unit
    return Clause(
        name="not_worse_than_champion",
        passed=regret <= allowed,
        observed=regret,
        required=allowed,
        text=f"On the same {spec.gold.unit}s it costs {_more_or_less(regret)} champion "
        f"{evidence.champion.version} ({evidence.champion.quality.cost_per_unit:.2f} "
        f"{_per_unit(spec)}); {allowed:g} more is allowed.",
    )


def _nothing_missing(evidence: Evidence, spec: Spec) -> Clause:
    holes = evidence.holes(spec)
    told = f" {', '.join(holes)} was not." if holes else ""
    return Clause(
        name="nothing_missing",
        passed=not holes,
        observed=float(len(holes)),
        required=0.0,
        text=f"All that the spec declares must have been measured.{told}",
    )


def _blessed(found: Blessing, spec: Spec) -> Iterator[Clause]:
    serving = spec.evaluation.serving
    answered = found.refuses.answered
    if found.failure is not None:
        text = f"In a clean process it failed: {found.failure}"
    elif found.other_versions:
        text = "The clean process has other versions than it was made with: " + ", ".join(
            f"{name} {version}" for name, version in found.other_versions.items()
        )
    else:
        text = "In a clean process with the versions that it was made with, it answers."
    is_served = found.failure is None and not found.other_versions
    yield Clause(
        name="served",
        passed=is_served,
        observed="answers" if is_served else "does not answer",
        required="answers",
        text=text,
    )
    refuses = not answered and found.ignores_unknown
    yield Clause(
        name="refuses_what_is_wrong",
        passed=refuses,
        observed=", ".join(answered) or ("refuses" if refuses else "an unknown column"),
        required="refuses",
        text="It must refuse a missing column, a wrong type and no rows, and ignore an unknown "
        f"column; it does{'' if refuses else ' not'}.",
    )
    observed, allowed = found.max_difference, spec.gate.max_prediction_difference
    yield Clause(
        name="same_answers",
        passed=observed is not None and observed <= allowed and found.is_repeatable,
        observed="no answers" if observed is None else observed,
        required=allowed,
        text="There are no answers to compare with those in training."
        if observed is None
        else f"Its answers differ from those in training by {observed:g}; {allowed:g} is allowed."
        + ("" if found.is_repeatable else " Asked twice, it answered differently."),
    )
    for name, measured, limit, what in (
        ("fast_enough", found.row_p95_ms, serving.max_row_ms, "ms for 95 of 100 single rows"),
        ("small_enough", found.peak_memory_mb, serving.max_memory_mb, "MB of memory"),
    ):
        yield Clause(
            name=name,
            passed=measured is not None and measured <= limit,
            observed="no answers" if measured is None else measured,
            required=limit,
            text=f"It needs {'?' if measured is None else f'{measured:g}'} {what}; "
            f"{limit:g} is allowed.",
        )


def _per_unit(spec: Spec) -> str:
    return f"{spec.costs.unit} per {spec.gold.unit}"


def _more_or_less(difference: float) -> str:
    return f"{abs(difference):.2f} {'more' if difference > 0 else 'less'} than"
