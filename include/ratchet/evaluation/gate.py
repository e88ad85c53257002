"""May this candidate become a release? A pure function from evidence to a decision."""

from __future__ import annotations

from collections.abc import Iterator

from ratchet.decision import Clause, Decision
from ratchet.errors import EvidenceError
from ratchet.evaluation.evidence import (
    Blessing,
    Challenger,
    Evidence,
    Examination,
    Slices,
    required_of,
)
from ratchet.spec import Spec
from ratchet.statistics import Comparison, SliceDifference, detectable_difference, power_of

_LEAST_LEVEL = 1e-9
"""A p-value is taken for no less: a test at level 0 would find nothing at all."""


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
    clauses = tuple(_clauses(evidence, best, spec))
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


def _clauses(evidence: Evidence, best: Challenger, spec: Spec) -> Iterator[Clause]:
    yield from _enough(evidence, spec)
    yield _nothing_missing(evidence, spec)
    yield from _not_too_bad(best, spec)
    yield from _not_too_good(best, spec)
    yield _better_than_baseline(evidence, best, spec)
    yield from _against_champion(evidence, best, spec)
    yield from _parts(evidence.examination, spec)
    yield from _key_slices(evidence.examination.slices, spec)
    yield from _calibrated(evidence.examination, spec)
    yield from _behaves(evidence.examination, spec)
    yield from blessing_clauses(evidence.examination.blessing, spec)


def _enough(evidence: Evidence, spec: Spec) -> Iterator[Clause]:
    for name, found, needed, what in (
        ("enough_rows", evidence.holdout_rows, spec.gate.min_holdout_rows, f"{spec.gold.unit}s"),
        ("enough_days", evidence.holdout_days, spec.gate.min_holdout_days, "days"),
    ):
        yield Clause(
            name=name,
            passed=found >= needed,
            observed=float(found),
            required=float(needed),
            text=f"It was judged on {found:,} later {what}; {needed:,} are needed.",
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
    found = _of_margin(best.against_baseline, -spec.gate.min_saving_per_unit)
    p_value = _chosen(found.p_value, evidence)
    baseline = evidence.baselines[evidence.best_baseline]
    return Clause(
        name="better_than_baseline",
        passed=p_value <= spec.gate.comparison.level,
        observed=p_value,
        required=spec.gate.comparison.level,
        text=f"It costs {best.quality.cost_per_unit:.2f} {_per_unit(spec)}, "
        f"{_more_or_less(found)} the best baseline ({evidence.best_baseline}, "
        f"{baseline.cost_per_unit:.2f}); that it saves {spec.gate.min_saving_per_unit:g} or less "
        f"has {_probability(p_value, spec)}.",
    )


def _against_champion(evidence: Evidence, best: Challenger, spec: Spec) -> Iterator[Clause]:
    gate, champion = spec.gate, evidence.champion
    if champion is None or best.against_champion is None:
        yield Clause(
            name="better_than_champion",
            passed=True,
            observed="no champion",
            required=gate.comparison.level,
            text="It is the first model: there is no champion to compare it with.",
        )
        return
    found = _of_margin(best.against_champion, gate.max_regret_per_unit)
    p_value = _chosen(found.p_value, evidence)
    allowed = gate.max_regret_per_unit
    null = f"costs {allowed:g} more or worse" if allowed else "is no better"
    yield Clause(
        name="better_than_champion" if not allowed else "not_worse_than_champion",
        passed=p_value <= gate.comparison.level,
        observed=p_value,
        required=gate.comparison.level,
        text=f"On the same {spec.gold.unit}s it costs {_more_or_less(found)} champion "
        f"{champion.version} ({champion.quality.cost_per_unit:.2f} {_per_unit(spec)}); that it "
        f"{null} has {_probability(p_value, spec)}.",
    )
    yield from _metric_against_champion(evidence, best, spec)
    yield _enough_power(found, evidence, spec)
    gain = -found.estimate
    yield Clause(
        name="gain_is_plausible",
        passed=gain <= gate.max_gain_per_unit,
        observed=gain,
        required=gate.max_gain_per_unit,
        text=f"It saves {gain:.2f} {_per_unit(spec)} against the champion; above "
        f"{gate.max_gain_per_unit:g} a person must look for a leak.",
    )
    yield Clause(
        name="newer_than_champion",
        passed=best.train_end >= champion.train_end,
        observed=best.train_end.isoformat(),
        required=champion.train_end.isoformat(),
        text=f"It learned from labels up to {best.train_end:%Y-%m-%d}, the champion from those up "
        f"to {champion.train_end:%Y-%m-%d}; it must not know less.",
    )


def _metric_against_champion(evidence: Evidence, best: Challenger, spec: Spec) -> Iterator[Clause]:
    name, bounds = spec.leading_bounds
    if bounds is None or bounds.max_regret is None:
        return
    label, allowed, found = spec.costs.leading[1].label, bounds.max_regret, None
    if best.metric_against_champion is not None:
        found = _of_margin(best.metric_against_champion, allowed)
    p_value = 1.0 if found is None else _chosen(found.p_value, evidence)
    yield Clause(
        name=f"not_worse_by_{name}",
        passed=p_value <= spec.gate.comparison.level,
        observed=p_value,
        required=spec.gate.comparison.level,
        text=f"Its {label} was not compared with the champion's."
        if found is None
        else f"By {label} it is {abs(found.estimate):.3f} "
        f"{'worse' if found.estimate > 0 else 'better'} than the champion on the same "
        f"{spec.gold.unit}s; that it loses {allowed:g} or more has {_probability(p_value, spec)}.",
    )


def _enough_power(found: Comparison, evidence: Evidence, spec: Spec) -> Clause:
    """Ask for the odds of a true finding to a false one that the level and the power promise.

    Days that find a worthwhile saving with the stated power give them. Of others, what was found
    must be the more certain: on them a true finding is rarer, and a false one is not.

    References
    ----------
    Ioannidis (2005), *Why Most Published Research Findings Are False*, PLoS Medicine 2: what was
    found is true by the odds of before, times power over level.
    """
    pairing = spec.gate.comparison
    level = min(pairing.level, _chosen(max(found.p_value, _LEAST_LEVEL), evidence))
    level_of_one = level / len(evidence.candidates)
    error, degrees = found.standard_error, found.degrees_of_freedom
    if degrees is None:
        raise EvidenceError(
            "the comparison with the champion lacks its degrees of freedom; evaluate the window "
            "again"
        )
    detectable, power = 0.0, 1.0
    if error > 0:
        distance = pairing.worthwhile_per_unit + found.margin
        power = power_of(distance, error, degrees, level=level_of_one)
        detectable = -found.margin + detectable_difference(
            error, degrees, level=pairing.level / len(evidence.candidates), power=pairing.power
        )
    odds, needed = power / level, pairing.power / pairing.level
    return Clause(
        name="enough_power",
        passed=odds >= needed,
        observed=odds,
        required=needed,
        text=f"These {found.clusters} {pairing.clusters} find a saving of {detectable:.2f} "
        f"{_per_unit(spec)} with a chance of {pairing.power:.0%}. What is as certain as this, they "
        f"find {odds:.1f} times as often where {pairing.worthwhile_per_unit:g} is saved as where "
        f"nothing is; {needed:.1f} times is needed.",
    )


def _parts(found: Examination, spec: Spec) -> Iterator[Clause]:
    declared, level = spec.evaluation, spec.gate.comparison.level
    for name, guard, parts in (
        ("no_key_slice_loses", declared.slices, found.slices.declared),
        (
            "no_group_loses",
            declared.fairness,
            tuple(group.against_baseline for group in found.fairness.values()),
        ),
    ):
        if guard is None or not guard.columns:
            continue
        for each in parts:
            _check_margin(each.margin, guard.max_regret_per_unit)
        worst = max(parts, key=lambda each: each.shrunken, default=None)
        allowed = guard.max_regret_per_unit
        yield Clause(
            name=name,
            passed=worst is not None and worst.shrunken <= allowed,
            observed="not measured" if worst is None else worst.shrunken,
            required=allowed,
            text="No part was large enough to be measured."
            if worst is None
            else f"Of {len(parts)} parts the worst is {_part(worst, spec)}; {allowed:g} is "
            "allowed.",
        )
    slices = (*found.slices.declared, *found.slices.found)
    for each in slices:
        _check_margin(each.margin, declared.slices.max_regret_per_unit)
    worse = [each for each in slices if each.adjusted_p_value <= level]
    yield Clause(
        name="no_slice_proven_worse",
        passed=not worse,
        observed=float(len(worse)),
        required=0.0,
        text=f"Of {found.slices.searched + len(found.slices.declared):,} slices {len(worse)} are "
        f"worse by more than {declared.slices.max_regret_per_unit:g} {_per_unit(spec)}, beyond "
        f"chance{f'; the worst is {_part(worse[0], spec)}' if worse else ''}.",
    )


def _part(found: SliceDifference, spec: Spec) -> str:
    return (
        f"{found.column} {found.level} with {found.shrunken:+.2f} {_per_unit(spec)} "
        f"({found.estimate:+.2f} before shrinkage, {found.rows:,} rows)"
    )


def _key_slices(found: Slices, spec: Spec) -> Iterator[Clause]:
    limit = spec.worst_in_slice
    if limit is None or not spec.evaluation.slices.columns:
        return
    metric = spec.costs.leading[1]
    worst = found.metrics[0] if found.metrics else None
    is_met = worst is not None and (
        worst.shrunken > limit if metric.is_higher_better else worst.shrunken < limit
    )
    yield Clause(
        name="no_key_slice_too_bad",
        passed=is_met,
        observed="not measured" if worst is None else worst.shrunken,
        required=limit,
        text=f"In no key slice its {metric.label} could be measured."
        if worst is None
        else f"Of {len(found.metrics)} key slices its {metric.label} is worst in {worst.column} "
        f"{worst.level} with {worst.shrunken:.3f} ({worst.estimate:.3f} before shrinkage, "
        f"{worst.rows:,} rows); better than {limit:g} is needed.",
    )


def _calibrated(examination: Examination, spec: Spec) -> Iterator[Clause]:
    allowed, found = spec.gate.max_calibration_error, examination.calibration
    if allowed is None:
        return
    excess = None if found is None else found.error - found.error_by_chance
    yield Clause(
        name="calibrated",
        passed=excess is not None and excess <= allowed,
        observed="not measured" if excess is None else excess,
        required=allowed,
        text="Its calibration was not measured."
        if found is None
        else f"Its probabilities lie {found.error:.3f} from the shares that occurred, of which "
        f"chance explains {found.error_by_chance:.3f}; {allowed:g} more is allowed.",
    )
    slope, bounds = None if found is None else found.slope, spec.gate.calibration_slope
    yield Clause(
        name="rightly_sure",
        passed=slope is not None and bounds.least <= slope <= bounds.most,
        observed="not measured" if slope is None else slope,
        required=f"{bounds.least:g} to {bounds.most:g}",
        text="How sure it may be could not be measured: it is equally sure of all, or knows all."
        if slope is None
        else f"Its logits times {slope:.2f} fit what occurred: it is too sure below "
        f"{bounds.least:g}, and too timid above {bounds.most:g}.",
    )


def _behaves(found: Examination, spec: Spec) -> Iterator[Clause]:
    for name, declared in spec.evaluation.behaviour.items():
        test = found.behaviour.get(name)
        required = "measured"
        if test is not None:
            if test != test.model_copy(update=required_of(declared)):
                raise EvidenceError(
                    f"the evidence of evaluation.behaviour.{name} requires something else than the "
                    "spec; evaluate the window again"
                )
            required = ", ".join(test.among) or f"{test.least:g} to {test.most:g}"
        observed = "no answer" if test is None or test.observed is None else test.observed
        yield Clause(
            name=f"behaves_{name}",
            passed=test is not None and test.passed,
            observed=observed,
            required=required,
            text=f"{declared.reason} Required: {required}; observed: "
            f"{observed if isinstance(observed, str) else f'{observed:.3f}'}.",
        )
    impossible = [each for each in found.robustness if each.outcome == "impossible"]
    yield Clause(
        name="no_impossible_answers",
        passed=not impossible,
        observed=float(len(impossible)),
        required=0.0,
        text="Where a feature is wrong or missing, it must answer or refuse; it gave impossible "
        f"answers for {', '.join(sorted({each.feature for each in impossible})) or 'none'}.",
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


def blessing_clauses(found: Blessing, spec: Spec) -> Iterator[Clause]:
    """Yield what is asked of a packaged model in a clean process."""
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
        + ("" if found.is_repeatable else " Asked again, alone or in another order, it differed."),
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


def _of_margin(found: Comparison, margin: float) -> Comparison:
    _check_margin(found.margin, margin)
    return found


def _check_margin(tested: float, margin: float) -> None:
    if tested != margin:
        raise EvidenceError(
            f"the evidence tests a margin of {tested:g}, and the spec has {margin:g}; "
            "evaluate the window again"
        )


def _chosen(p_value: float, evidence: Evidence) -> float:
    """Adjust a p-value for the choice of the best of several candidates (Bonferroni)."""
    return min(1.0, p_value * len(evidence.candidates))


def _probability(p_value: float, spec: Spec) -> str:
    return f"a p-value of {p_value:.3f}, of which {spec.gate.comparison.level:g} is allowed"


def _per_unit(spec: Spec) -> str:
    return f"{spec.costs.unit} per {spec.gold.unit}"


def _more_or_less(found: Comparison) -> str:
    direction = "more" if found.estimate > 0 else "less"
    low, high = sorted((abs(found.low), abs(found.high)))
    within = (
        f"{-found.low:.2f} less to {found.high:.2f} more"
        if found.low < 0 < found.high
        else f"{low:.2f} to {high:.2f}"
    )
    return f"{abs(found.estimate):.2f} ({within}) {direction} than"
