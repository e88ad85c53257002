"""A new champion is watched: if the one before would have done better, that one comes back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from ratchet.decision import Clause, Decision
from ratchet.errors import EvidenceError
from ratchet.evaluation import compare
from ratchet.incidents import Finding, known_incidents, read_judged
from ratchet.ledger import Ledger
from ratchet.monitoring import scored_windows
from ratchet.problems import problem_of
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.statistics import Comparison, level_per_look
from ratchet.window import Window

if TYPE_CHECKING:
    from ratchet.registry import Newcomer


def watch_champion(spec: Spec, window: Window, settings: Settings) -> Decision | None:
    """Decide whether a new champion stays, and bring the one before back if not.

    Once decided for a window, it stands: run again, it only completes what was not done.

    Returns
    -------
    Decision
        Of kind `bake`, `kept` or `rolled back`; None where no new champion is being watched.
    """
    from ratchet.registry import champion_now, rollback

    ledger = Ledger(settings.lake(spec.name).ledger)
    standing = ledger.decisions("bake", window.key)
    decision = standing[-1] if standing else _judge(spec, window, settings)
    if decision is None:
        return None
    decision = ledger.record(decision)
    if decision.verdict == "rolled back":
        now = champion_now(spec, settings)
        if now and now.version == decision.subject["version"]:
            rollback(
                spec,
                settings,
                reason=" ".join(decision.reasons),
                author=decision.author,
                to=decision.subject["previous"],
            )
    return decision


def judge_bake(
    newcomer: str,
    previous: str,
    since: Window,
    window: Window,
    found: Comparison | None,
    guardrails: Sequence[str],
    spec: Spec,
) -> Decision:
    """Take a new champion out if it is worse than the one before, or a guardrail says so.

    Parameters
    ----------
    newcomer, previous
        Versions.
    since
        The first window in which it decides.
    found
        Of what the previous one would have cost less what the new one does, on the same decisions;
        None while there are too few.
    guardrails
        What was found of them since the new one decides, in a sentence each.
    """
    bake = spec.retraining.bake
    looks = max(1, int(bake.days / window.days))
    level = level_per_look(bake.level, looks)
    unit = f"{spec.costs.unit} per {spec.gold.unit}"
    p_value = None if found is None else found.p_value
    clauses = (
        Clause(
            name="worse_than_previous",
            passed=p_value is not None and p_value <= level,
            observed="too few labels" if p_value is None else p_value,
            required=level,
            text=f"There are not {bake.min_rows:,} labels yet to compare version {newcomer} with "
            f"version {previous} on."
            if found is None
            else f"On the same {found.rows:,} {spec.gold.unit}s since {since.start:%Y-%m-%d}, "
            f"version {previous} would have cost {abs(found.estimate):.2f} {unit} "
            f"{'less' if found.estimate < 0 else 'more'} than version {newcomer}; that it would "
            f"have saved {bake.margin_per_unit:g} or less has a p-value of {found.p_value:.4f}. At "
            f"{level:.4f} version {newcomer} is taken out: a chance of {bake.level:g} in {looks} "
            "looks.",
            suffices=True,
        ),
        Clause(
            name="guardrail",
            passed=bool(guardrails),
            observed=float(len(guardrails)),
            required=1.0,
            text=" ".join(guardrails) or "No guardrail was passed since it decides.",
            suffices=True,
        ),
    )
    return Decision(
        kind="bake",
        use_case=spec.name,
        window=window.key,
        verdict="rolled back" if any(clause.passed for clause in clauses) else "kept",
        clauses=clauses,
        subject={"version": newcomer, "previous": previous},
        evidence={"comparison": found.model_dump(mode="json") if found else None},
    )


def _judge(spec: Spec, window: Window, settings: Settings) -> Decision | None:
    from ratchet.registry import newcomer_at

    newcomer = newcomer_at(spec, window.start, settings)
    if newcomer is None:
        return None
    if window.end > newcomer.since + timedelta(days=spec.retraining.bake.days):
        return None
    windows = [
        each
        for each in scored_windows(spec, settings)
        if each.start >= newcomer.since and each.end <= window.end
    ]
    found = _compare(newcomer, windows, window, spec, settings) if windows else None
    return judge_bake(
        newcomer.champion.version,
        newcomer.previous.version,
        min(windows, default=window),
        window,
        found,
        passed_guardrails(spec, newcomer.since, window, settings),
        spec,
    )


def passed_guardrails(
    spec: Spec, since: datetime, window: Window, settings: Settings
) -> tuple[str, ...]:
    """Return which guardrails a window passed, of those that were kept before a moment.

    What a fault of the data explains does not count, and no limit of a KPI that the window before
    passed either, on whatever day: it is no news of who decides since.
    """
    explained = {
        name
        for incident in known_incidents(spec, window, settings)
        if incident.cause == "data"
        for name in (*incident.evidence, *incident.silenced)
    }
    before = max(
        (each for each in scored_windows(spec, settings) if each.end <= since),
        key=lambda each: each.end,
        default=None,
    )
    known = {each.subject for each in _guardrails(spec, before, settings)} if before else set()
    return tuple(
        each.text
        for each in _guardrails(spec, window, settings)
        if each.subject not in known and each.name not in explained
    )


def _guardrails(spec: Spec, window: Window, settings: Settings) -> list[Finding]:
    return [
        finding
        for finding in read_judged(spec, window, settings)
        if finding.state == "found"
        and finding.family == "kpi"
        and finding.rule.startswith("guardrail")
    ]


def _compare(
    newcomer: Newcomer, windows: list[Window], by: Window, spec: Spec, settings: Settings
) -> Comparison | None:
    """Compare what the previous champion would have cost with what the new one does."""
    parts = [part for window in windows for part in _costs(newcomer, window, by, spec, settings)]
    if sum(len(part) for part in parts) < spec.retraining.bake.min_rows:
        return None
    rows = pd.concat(parts)
    try:
        return compare(
            rows["previous"].to_numpy(np.float64),
            rows["now"].to_numpy(np.float64),
            rows["moment"],
            spec,
            -spec.retraining.bake.margin_per_unit,
        )
    except EvidenceError:  # too few days
        return None


def _costs(
    newcomer: Newcomer, window: Window, by: Window, spec: Spec, settings: Settings
) -> Iterator[pd.DataFrame]:
    """Yield what each labelled decision of a window costs under both, by today's costs."""
    from ratchet.warehouse import read_features, read_outcomes

    gold, previous, problem = spec.gold, newcomer.previous, problem_of(spec)
    path = settings.lake(spec.name).predictions / f"{window.key}.parquet"
    stored = pq.read_table(
        path,
        filters=[("role", "==", "champion"), ("version", "==", newcomer.champion.version)],
    ).to_pandas()
    labels = read_outcomes(spec, window, by.end, settings)[[gold.key, gold.label]]
    rows = read_features(spec, window, settings).merge(labels, on=gold.key)
    rows = rows[rows[gold.key].isin(stored[gold.key])]
    if rows.empty:
        return
    said = problem.answers_in(stored.set_index(gold.key).loc[rows[gold.key]])
    read = rows
    if previous.spec.gold != gold:
        features = read_features(previous.spec, window, settings).set_index(gold.key, drop=False)
        read = features.loc[rows[gold.key]]
    yield pd.DataFrame(
        {
            "moment": rows[gold.decided_at].to_numpy(),
            "previous": problem.losses(previous.answers(read), rows),
            "now": problem.losses(said, rows),
        }
    )
